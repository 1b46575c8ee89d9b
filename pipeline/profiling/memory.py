"""Resident memory of this process, as the kernel counts it."""

import contextlib
import ctypes
import gc
import resource
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
# proc(5): writing 5 resets the peak resident set size.
_RESET_PEAK = "5\n"


@dataclass(frozen=True)
class Growth:
    """What a process holds more than before, in bytes.

    Attributes:
        anonymous: memory of its own: arrays, objects, stacks.
        file: pages of files, which are the code and constants of libraries.
    """

    anonymous: int
    file: int


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
        self._start_by_kind = _by_kind()

    def of_process(self) -> int:
        """Return the peak of the process in bytes, from its start until now."""
        return max(self._earlier, _peak())

    def since_start(self) -> int:
        """Return how far the peak since this object was made lies above that moment, in bytes."""
        return max(0, _peak() - self._start)

    def growth(self) -> Growth | None:
        """Return what the process holds now and did not when this object was made.

        What was freed is given back first. None where the kernel does not tell the kinds apart.
        """
        _return_free_memory()
        now = _by_kind()
        if now is None or self._start_by_kind is None:
            return None
        return Growth(
            now.anonymous - self._start_by_kind.anonymous, now.file - self._start_by_kind.file
        )


def _return_free_memory() -> None:
    """Give back what was freed, lest what comes next take it and seem to need nothing."""
    gc.collect()
    # glibc alone keeps it and can be asked for it.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _by_kind() -> Growth | None:
    """Return the resident memory of this process by kind, as growth from nothing."""
    status = _status()
    if "RssAnon" not in status:
        return None
    return Growth(status["RssAnon"], status["RssFile"] + status["RssShmem"])


def _status() -> dict[str, int]:
    """Return the sizes in /proc/self/status in bytes; nothing where there is no such file."""
    if not _STATUS.exists():
        return {}
    lines = (line.split() for line in _STATUS.read_text().splitlines())
    return {line[0].rstrip(":"): int(line[1]) * 1024 for line in lines if line[-1] == "kB"}


def _peak() -> int:
    # Not getrusage first: on Linux its peak begins with that of the parent process.
    if "VmHWM" in (status := _status()):
        return status["VmHWM"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
