"""Many trainings at once, a thread each: trials, and the networks that are judged."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from pipeline.config.params import Params
from pipeline.data.dataset import check_split
from pipeline.engines.engine import create_engine, load_data
from pipeline.frontier.plan import Candidate
from pipeline.profiling.fresh_process import Connection, FreshProcess
from pipeline.training.evaluate import evaluate
from pipeline.training.trials import train_fully

# How long to wait for one process before looking at the next.
_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Job:
    """A training.

    Attributes:
        candidate: what is trained.
        seed: of the training.
        judged: whether it is evaluated on the test images as well: what is still to be chosen is
            not.
        model: where the network is kept, if it is.
    """

    candidate: Candidate
    seed: int
    judged: bool = False
    model: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of a training: accuracies in percent, the size of the model file in bytes."""

    validation: float
    test: float | None
    model_bytes: int


def train_all(
    params: Params, jobs: Sequence[Job], workers: int | None
) -> Iterator[tuple[Job, Outcome]]:
    """Yield each job with its outcome when it is done.

    Jobs of a method that follow each other share processes, which hold the images once.

    Args:
        params: of which `data` counts.
        jobs: in any order; they begin in this one.
        workers: how many networks are trained at once; as many as there are processors if None.

    Raises:
        PipelineError: missing data, or a process that ended.
    """
    for name, group in groupby(jobs, lambda job: job.candidate.name):
        left = list(reversed(list(group)))
        count = min(workers or _processors(), len(left))
        with ExitStack() as stack:
            running: dict[FreshProcess, Job] = {}
            for _ in range(count):
                process = FreshProcess(
                    f"the training of {name}", _train_on_demand, left[-1], params
                )
                running[stack.enter_context(process)] = left.pop()
            for process, job in running.items():
                process.send(job)
            while running:
                for process, job in list(running.items()):
                    if not process.has_answered(_POLL_SECONDS):
                        continue
                    yield job, process.receive()
                    del running[process]
                    if left:
                        running[process] = left.pop()
                        process.send(running[process])


def _processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _train_on_demand(connection: Connection, first: Job, params: Params) -> None:
    """Answer every job, of the same method as `first`, with its outcome."""
    data = load_data(first.candidate.method)
    check_split(data, params.data)
    validation = data.read("validation")
    while True:
        job: Job = connection.recv()
        candidate = job.candidate
        engine = create_engine(
            candidate.method, data.architecture(candidate.architecture), seed=job.seed, threads=1
        )
        train_fully(engine, data, candidate.method, candidate.batch_size, job.seed)
        with tempfile.TemporaryDirectory() as folder:
            model = job.model or Path(folder) / "model"
            engine.save(model)
            size = model.stat().st_size
        # Too high a rate may end in no number, with the accuracy of chance.
        with np.errstate(invalid="ignore", over="ignore"):
            parts = [validation, *([data.read("test")] if job.judged else [])]
            accuracies = [evaluate(engine, part, data.classes).accuracy for part in parts]
        test = accuracies[1] if job.judged else None
        connection.send(Outcome(accuracies[0], test, size))
