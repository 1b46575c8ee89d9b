"""Memory of this process, as the kernel counts it."""

import resource
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def peak_process_memory() -> int:
    """Return the peak of this process's resident memory, from its start until now, in bytes."""
    # On Linux, getrusage's peak begins with that of the parent process; the kernel's own does not.
    if _STATUS.exists():
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
