"""The memory of a process that does nothing but predict with one runtime."""

from pipeline.data import dataset
from pipeline.inference.runtimes import RUNTIMES, Files
from pipeline.profiling.process_memory import peak_process_memory

_IMAGES = 1000
_CALLS = 3


def measure_peak_memory(files: Files, runtime: str, threads: int) -> int:
    """Predict 1,000 images a few times in this process; return the peak of its memory in bytes.

    Raises:
        PipelineError: missing data or a damaged model.
    """
    images = dataset.load_test().images[:_IMAGES].copy()
    network = RUNTIMES[runtime].build(files, threads)
    prepared = network.prepare(images)
    for _ in range(_CALLS):
        network.scores(prepared)
    return peak_process_memory()
