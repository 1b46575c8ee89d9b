"""What a measurement was made on and with."""

import datetime
import importlib.metadata
import json
import os
import platform
import time
from pathlib import Path

import binary_kernels
import psutil

from pipeline.common.units import MIB


def describe_environment(threads: int, started: float) -> str:
    """Return machine, versions, threads, date and how long it all took, as JSON.

    Args:
        threads: that were used.
        started: time.monotonic() when the measuring began.
    """
    # Torch alone knows its build, and takes a second to import.
    import torch

    return json.dumps(
        {
            "seconds": round(time.monotonic() - started, 3),
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "processor": processor(),
            "cores": _cores(),
            "threads": threads,
            "memory_gib": round(psutil.virtual_memory().total / MIB / 1024, 1),
            "system": f"{platform.system()} {platform.machine()}",
            "python": platform.python_version(),
            "torch": torch.__version__,
            "torch_build": f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU",
            "torch_instruction_set": torch.backends.cpu.get_cpu_capability(),
            "kernels_instruction_set": binary_kernels.instruction_set(),
            "numpy": importlib.metadata.version("numpy"),
        },
        indent=2,
    )


def _cores() -> int | None:
    """Return how many cores this process may use; in a container fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def processor() -> str:
    """Return the processor's name; the kernel's is more telling than platform's."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
