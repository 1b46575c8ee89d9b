"""How a call is timed, alone and undisturbed by threads that ran before it."""

import time
from collections.abc import Callable

# Torch's threads spin for a while after their work, and are asleep after so many seconds.
_SPIN_SECONDS = 0.02


def settle() -> None:
    """Wait until the threads of what ran last, here or in another process, are asleep."""
    time.sleep(_SPIN_SECONDS)


def seconds_per_call(call: Callable[[], object], repeats: int) -> float:
    """Return how long one of `repeats` calls takes, in seconds."""
    settle()
    started = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - started) / repeats


def repeats_within(call: Callable[[], object], seconds: float) -> int:
    """Return how many calls take about `seconds`, at least 1."""
    call()
    return max(1, round(seconds / seconds_per_call(call, 3)))
