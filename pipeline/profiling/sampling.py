"""The one scheduler: every configuration is measured in fresh processes that take turns."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from pipeline.config.params import DataParams, Method
from pipeline.data.dataset import check_split
from pipeline.engines.engine import load_data
from pipeline.profiling.fresh_process import Connection, FreshProcess, run_in_fresh_process
from pipeline.profiling.process_memory import peak_process_memory
from pipeline.profiling.stopwatch import Stopwatch, Timing
from pipeline.profiling.training_memory import TrainingMemory, measure_training_memory

# Of the turns of a sample the fastest counts: other processes disturbed it least.
TURNS = 3
# For a process whose allocations are counted. Python takes memory for its objects a MiB at a time
# unless it asks for each by itself, and when it does so is chance.
_COUNTED = {"PYTHONMALLOC": "malloc"}


@dataclass(frozen=True)
class Case:
    """A configuration: what is trained, and how."""

    method: Method
    architecture: str
    batch_size: int
    threads: int


@dataclass(frozen=True)
class Sample:
    """What one process reports.

    Attributes:
        epoch_seconds: per epoch of training, without evaluation.
        phase_seconds: the same by phase (`pipeline.engines.phases`) in a turn of its own, with
            normalization told apart, which costs torch some time; what is left is `loop`.
        process_memory: the process's peak, in bytes.
    """

    epoch_seconds: float
    phase_seconds: dict[str, float]
    process_memory: int


def take_turns(
    cases: Mapping[str, Case],
    rounds: int,
    seconds: float,
    data: DataParams,
    on_sample: Callable[[int, str, Sample], None],
) -> None:
    """Measure every case once per round, each time in a fresh process.

    A round starts a process per case and waits until all are ready. They then train one after
    another, a turn each, TURNS times: what disturbs the machine meanwhile disturbs them alike.

    Args:
        cases: by name.
        rounds: how many samples each case gets.
        seconds: that a sample trains, in all its turns.
        data: what data/ must hold.
        on_sample: is given the round, from 1, the case's name and the sample.

    Raises:
        PipelineError: missing data, or a process that ended.
    """
    for number in range(1, rounds + 1):
        with ExitStack() as stack:
            processes = {
                name: stack.enter_context(
                    FreshProcess(_what(name, case), _train_in_turns, case, seconds, data)
                )
                for name, case in cases.items()
            }
            for process in processes.values():
                process.receive()
            turns: dict[str, list[Timing]] = {name: [] for name in cases}
            for _ in range(TURNS + 1):
                for name, process in processes.items():
                    process.send(None)
                    turns[name].append(process.receive())
            for name, process in processes.items():
                on_sample(number, name, _sample(turns[name], process.receive()))


def sample_memory(name: str, case: Case, data: DataParams) -> TrainingMemory:
    """Measure what training holds in memory, in a fresh process.

    Raises:
        PipelineError: missing data, or a process that ended.
    """
    with _environment(_COUNTED):
        return run_in_fresh_process(_what(name, case), _measure_memory, case, data)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Add to the environment that processes are started with."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _what(name: str, case: Case) -> str:
    return (
        f"the measurement of {name}, {case.architecture}, batch {case.batch_size}, "
        f"threads {case.threads}"
    )


def _train_in_turns(connection: Connection, case: Case, seconds: float, data: DataParams) -> None:
    """Train a turn for each message, the last one with normalization told apart."""
    dataset = load_data(case.method)
    check_split(dataset, data)
    stopwatch = Stopwatch(dataset, case.method, case.architecture, case.batch_size, case.threads)
    connection.send("ready")
    for _ in range(TURNS):
        connection.recv()
        connection.send(stopwatch.run(seconds / (TURNS + 1)))
    peak = peak_process_memory()
    connection.recv()
    stopwatch.engine.tell_normalization_apart()
    connection.send(stopwatch.run(seconds / (TURNS + 1)))
    connection.send(peak)
    # A process that ends takes time from the others' last turns: it waits until all are killed.
    connection.poll(None)


def _sample(turns: list[Timing], process_memory: int) -> Sample:
    *timed, detailed = turns
    phases = dict(detailed.phase_seconds)
    phases["loop"] = detailed.epoch_seconds - sum(phases.values())
    return Sample(min(turn.epoch_seconds for turn in timed), phases, process_memory)


def _measure_memory(case: Case, data: DataParams) -> TrainingMemory:
    dataset = load_data(case.method)
    check_split(dataset, data)
    return measure_training_memory(
        dataset, case.method, case.architecture, case.batch_size, case.threads
    )
