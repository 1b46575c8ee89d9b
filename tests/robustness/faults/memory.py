"""Stages that may not have the memory that they need (`ulimit -v`)."""

from collections.abc import Iterator

from tests.robustness.faults.project import TRAIN, TRAIN_FLOAT, Project, message
from tests.robustness.faults.report import Result
from tests.robustness.kill.run import FindingError

KIB = 1024
MIB = 1024 * KIB
SAID = "error: not enough memory"
# What the libraries of every stage say that end a process without asking Python: the loader itself,
# and NumPy's OpenBLAS.
LIBRARIES = (
    "cannot allocate memory for thread-local data",
    "OpenBLAS error: Memory allocation still failed",
    "OpenBLAS blas_thread_init: pthread_create failed",
)
# What an exception says that nobody caught. Torch lets some go as it is loaded, before any kernel
# of ours has run; with the limits below it gets no further in the stages that have both.
UNCAUGHT = "terminate called after throwing an instance of 'std::bad_alloc'"
# Its OpenMP ends without a thread.
TORCH = (*LIBRARIES, UNCAUGHT, "libgomp: Thread creation failed")
# The page's charts: vl-convert, which is Rust.
CHARTS = (*LIBRARIES, "memory allocation of")
# In MiB; what is enough depends on the machine, and is no fault then.
LIMITS: tuple[tuple[tuple[str, ...], tuple[int, ...], tuple[str, ...]], ...] = (
    (("fetch",), (60, 120, 200), LIBRARIES),
    (TRAIN, (60, 130, 160, 170, 180), LIBRARIES),
    (TRAIN_FLOAT, (60, 400, 2000, 3050, 3250), TORCH),
    (("aggregate",), (60, 200, 230), LIBRARIES),
    (("plot",), (60, 200, 300), LIBRARIES),
    (("page",), (60, 200, 300, 400), CHARTS),
    (("scaling",), (200, 1000), TORCH),
    (("inference", "--architecture", "mlp-128"), (200, 1000), TORCH),
    (("profile", "--architecture", "mlp-128"), (200, 1000), TORCH),
)
# More than any machine's packed training takes, and how its last steps towards enough are tried.
PLENTY = 16 * 1024 * MIB
STEP, STEPS = 256 * KIB, 12


def short_of_memory(project: Project) -> Iterator[Result]:
    """Start stages of a finished pipeline with too little memory."""
    for stage, limits, libraries in LIMITS:
        yield from _start(project, stage, [limit * MIB for limit in limits], libraries)
    # There the kernels have begun to work: what is missing is missing to them.
    enough = _enough(project, TRAIN)
    limits_near = [enough - number * STEP for number in range(1, STEPS + 1)]
    yield from _start(project, TRAIN, limits_near, LIBRARIES)


def _start(
    project: Project, stage: tuple[str, ...], limits: list[int], libraries: tuple[str, ...]
) -> Iterator[Result]:
    failed = False
    for limit in limits:
        done = project.pipeline(*stage, limit=limit)
        kept = project.check_kept()
        if done.returncode != 0:
            failed = True
            said = memory_message(done.returncode, done.stderr, libraries)
            yield Result(f"{limit / MIB:g} MiB of memory: {' '.join(stage)}", said, kept)
    if not failed:
        raise FindingError(f"every limit was enough for {' '.join(stage)}")


def _enough(project: Project, stage: tuple[str, ...]) -> int:
    """Return about the least limit under which a stage ends well."""
    too_little, enough = 0, PLENTY
    while enough - too_little > STEP:
        limit = (too_little + enough) // 2
        if project.pipeline(*stage, limit=limit).returncode == 0:
            enough = limit
        else:
            too_little = limit
    return enough


def memory_message(status: int, text: str, libraries: tuple[str, ...]) -> str:
    """Return our message, after which a process ends by itself, or one of these of libraries'.

    Raises:
        FindingError: there is none, or an exception that nobody caught ended the process and is not
            one of these: what leaves a parallel region of our kernels ends a process so too.
    """
    if "terminate called" in text and UNCAUGHT not in libraries:
        raise FindingError(f"status {status}, an exception that nobody caught:\n{text}")
    return message(status, text, *(libraries if status < 0 else (SAID, *libraries)))
