"""What a measurement was made on and with."""

import datetime
import importlib.metadata
import json
import os
import platform
from pathlib import Path

import psutil

from pipeline.memory import MIB


def describe_environment(threads: int) -> str:
    """Return machine, versions, threads and date as JSON."""
    # Imported here: the build of torch is known to torch alone.
    import torch

    return json.dumps(
        {
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
