"""Resident memory of a training process over time, which memory-profiler samples from outside."""

import time
from dataclasses import dataclass

from pipeline.config.params import DataParams
from pipeline.data.dataset import check_split
from pipeline.engines.engine import load_data
from pipeline.profiling.fresh_process import Connection, FreshProcess
from pipeline.profiling.sampling import Case
from pipeline.profiling.stopwatch import Stopwatch


@dataclass(frozen=True)
class _Times:
    """Of the clock that all processes share and nobody sets: time.monotonic(), in seconds."""

    loaded: float
    finished: float


def memory_curve(
    name: str, case: Case, seconds: float, interval: float, data: DataParams
) -> list[tuple[float, float]]:
    """Sample the memory of a process that imports, loads the data, and trains.

    Args:
        name: of the method.
        case: what it trains.
        seconds: that it trains for, after its first steps.
        interval: between two samples, in seconds.
        data: what data/ must hold.

    Returns:
        Seconds and MiB of resident memory; time 0 is just before the network is built.

    Raises:
        PipelineError: missing data, or a process that ended.
    """
    # Imported here: the process that is measured imports this module, too.
    import psutil
    from memory_profiler import memory_usage

    what = f"the memory curve of {name}, {case.architecture}"
    samples: list[tuple[float, float]] = []
    with FreshProcess(what, _train, case, seconds, data) as process:
        # Each call takes one sample; the waiting is done by `has_answered`.
        while not process.has_answered(interval):
            try:
                (memory,) = memory_usage(process.pid, interval=0, max_iterations=1)
            except psutil.NoSuchProcess:
                break
            samples.append((time.monotonic(), memory))
        times: _Times = process.receive()
    return [
        (round(at - times.loaded, 3), round(memory, 2))
        for at, memory in samples
        if at <= times.finished
    ]


def _train(connection: Connection, case: Case, seconds: float, data: DataParams) -> None:
    dataset = load_data(case.method)
    check_split(dataset, data)
    loaded = time.monotonic()
    stopwatch = Stopwatch(dataset, case.method, case.architecture, case.batch_size, case.threads)
    stopwatch.run(seconds)
    connection.send(_Times(loaded, time.monotonic()))
