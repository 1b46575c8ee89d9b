"""What a measurement was made on and with."""

import datetime
import importlib.metadata
import os
import platform
import time
from pathlib import Path

import binary_kernels
from pydantic import BaseModel, ConfigDict

from pipeline.common.units import MIB


class Machine(BaseModel):
    """A machine, its software, and how long it measured.

    Attributes:
        seconds: that all of the measuring took.
        cores: that this process may use; in a container fewer than there are.
        threads: that training used.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    seconds: float
    date: str
    processor: str
    cores: int | None
    threads: int
    memory_gib: float
    system: str
    python: str
    torch: str
    torch_build: str
    torch_instruction_set: str
    kernels_instruction_set: str
    numpy: str


def describe_machine(threads: int, started: float) -> Machine:
    """Describe this machine.

    Args:
        threads: that were used.
        started: time.monotonic() when the measuring began.
    """
    # Imported here: they take memory, and processes that are measured import this module.
    import psutil
    import torch

    return Machine(
        seconds=round(time.monotonic() - started, 3),
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        processor=processor(),
        cores=_cores(),
        threads=threads,
        memory_gib=round(psutil.virtual_memory().total / MIB / 1024, 1),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        torch=torch.__version__,
        torch_build=f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU",
        torch_instruction_set=torch.backends.cpu.get_cpu_capability(),
        kernels_instruction_set=binary_kernels.instruction_set(),
        numpy=importlib.metadata.version("numpy"),
    )


def _cores() -> int | None:
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
