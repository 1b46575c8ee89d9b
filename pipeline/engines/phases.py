"""Where the time of training goes, phase by phase."""

import time
from collections.abc import Mapping

# What an engine's step consists of. Where one kernel does both, normalization includes the
# binarization of activations and the rounding of gradients. Where normalization is not timed apart,
# it is part of forward and backward. Where every thread alternates between the gradient of some
# weights and their update, each phase gets its share of that time.
PHASES = ("data", "forward", "backward", "normalization", "optimizer")


class Phases:
    """A clock that is always in one phase. Switching costs a fraction of a microsecond."""

    def __init__(self) -> None:
        self._seconds = dict.fromkeys(PHASES, 0.0)
        self._phase: str | None = None
        self._since = 0.0

    def enter(self, phase: str | None) -> None:
        """Let the time from now on count as `phase`; as nothing, for None."""
        now = time.perf_counter()
        if self._phase is not None:
            self._seconds[self._phase] += now - self._since
        self._phase, self._since = phase, now

    def seconds(self) -> Mapping[str, float]:
        """Return the seconds of every phase so far."""
        return dict(self._seconds)


def difference(later: Mapping[str, float], earlier: Mapping[str, float]) -> dict[str, float]:
    """Return what was added to each phase."""
    return {phase: later[phase] - earlier[phase] for phase in later}
