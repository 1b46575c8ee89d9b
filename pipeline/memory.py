"""Resident memory of this process, as the kernel counts it."""

import contextlib
import ctypes
import gc
import resource
import sys
from pathlib import Path

import psutil

MIB = 1024 * 1024
_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
# proc(5): writing 5 resets the peak resident set size.
_RESET_PEAK = "5\n"


class PeakMemory:
    """Peaks of this process: over its whole life, and since this object was made.

    On Linux the kernel's own peak is reset here, so that what the process held for a moment
    earlier (while importing, say) does not count as what comes later. Elsewhere it cannot be
    reset, and `since_start` can come out too large, never too small.
    """

    def __init__(self) -> None:
        self._earlier = _peak()
        _return_free_memory()
        # Some containers forbid the reset; the figures are then as on other systems.
        with contextlib.suppress(OSError):
            _CLEAR.write_text(_RESET_PEAK)
        self._start = psutil.Process().memory_info().rss

    def of_process(self) -> int:
        """Return the peak of the process in bytes, from its start until now."""
        return max(self._earlier, _peak())

    def since_start(self) -> int:
        """Return how far the peak since this object was made lies above that moment, in bytes."""
        return max(0, _peak() - self._start)


def _return_free_memory() -> None:
    """Give back what was freed, lest what comes next take it and seem to need nothing."""
    gc.collect()
    # glibc alone keeps it and can be asked for it.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _peak() -> int:
    if _STATUS.exists():
        # Not getrusage: on Linux its peak begins with that of the parent process.
        lines = _STATUS.read_text().splitlines()
        kib = next(line.split()[1] for line in lines if line.startswith("VmHWM:"))
        return int(kib) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
