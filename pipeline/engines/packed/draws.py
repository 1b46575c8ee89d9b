"""What random numbers are drawn for: a triple that the kernels' counter-based generator takes."""

from dataclasses import dataclass
from enum import IntEnum

Triple = tuple[int, int, int]


class Purpose(IntEnum):
    """Numbers for different purposes are independent."""

    ACTIVATIONS = 0
    WEIGHTS = 1
    COLUMNS = 2
    ROWS = 3
    UPDATE = 4


# Asked for once: a step asks for draws many times, and an enumeration counts slowly.
_PURPOSES = len(Purpose)


@dataclass
class Draws:
    """All random draws of one layer: functions of the seed, the step and the layer."""

    seed: int
    layer: int
    step: int = 0

    def of(self, purpose: Purpose) -> Triple:
        """Return (seed, purpose, step) for the kernels."""
        return self.seed, self.layer * _PURPOSES + purpose, self.step
