"""Stages that may not have the memory that they need (`ulimit -v`)."""

from collections.abc import Iterator

from tests.faults.project import TRAIN, TRAIN_FLOAT, Project, message
from tests.faults.report import Result

MIB = 1024 * 1024
# What our stages say, and what the libraries do that end a process without asking Python: torch and
# the page's charts as they are loaded, the loader itself, OpenBLAS, and OpenMP without a thread.
SAID = (
    "error: not enough memory",
    "bad_alloc",
    "memory allocation of",
    "cannot allocate memory for thread-local data",
    "OpenBLAS error: Memory allocation still failed",
    "OpenBLAS blas_thread_init: pthread_create failed",
    "libgomp: Thread creation failed",
)
# In MiB; what is enough depends on the machine, and is no fault then.
LIMITS = (
    (("fetch",), (60, 120, 200)),
    (TRAIN, (60, 130, 160, 170, 180)),
    (TRAIN_FLOAT, (60, 400, 2000, 3050, 3250)),
    (("aggregate",), (60, 200, 230)),
    (("plot",), (60, 200, 300)),
    (("page",), (60, 200, 300, 400)),
    (("scaling",), (200, 1000)),
    (("inference", "--architecture", "mlp-128"), (200, 1000)),
    (("profile", "--architecture", "mlp-128"), (1000,)),
)


def short_of_memory(project: Project) -> Iterator[Result]:
    """Start stages of a finished pipeline with too little memory."""
    for stage, limits in LIMITS:
        for limit in limits:
            done = project.pipeline(*stage, limit=limit * MIB)
            kept = project.check_kept()
            if done.returncode != 0:
                said = message(done.returncode, done.stderr, *SAID)
                yield Result(f"{limit} MiB of memory: {' '.join(stage)}", said, kept)
