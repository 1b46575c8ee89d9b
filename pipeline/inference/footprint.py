"""The memory of a process that does nothing but predict with one runtime."""

import json
from pathlib import Path

from pipeline.common.atomic import write_text
from pipeline.data import dataset
from pipeline.inference.runtimes import Files, find_runtime
from pipeline.profiling.memory import PeakMemory

_IMAGES = 1000
_CALLS = 3


def footprint(files: Files, runtime: str, threads: int, output: Path) -> None:
    """Predict 1,000 images a few times in this process; write the peak of its memory in bytes.

    Raises:
        PipelineError: an unknown runtime, missing data or a damaged model.
    """
    memory = PeakMemory()
    images = dataset.load_test().images[:_IMAGES].copy()
    network = find_runtime(runtime).build(files, threads)
    prepared = network.prepare(images)
    for _ in range(_CALLS):
        network.scores(prepared)
    write_text(output, json.dumps({"process_memory": memory.of_process()}))
