"""frontier/results/: the files that the stages leave, and their columns."""

from pathlib import Path

import pandera.pandas as pa

from pipeline.artifacts.frontier import Candidates
from pipeline.artifacts.tables import Table

RESULTS = Path("frontier/results")
TRIALS = RESULTS / "trials.csv"
COSTS = RESULTS / "costs"
POINTS = RESULTS / "points"
RECORDS = RESULTS / "records"


class Trials(Candidates):
    """A row per trial; validation accuracy in percent. `recipe` is the whole of the method."""

    seed: int
    validation_accuracy: float
    model_bytes: int = pa.Field(gt=0)
    recipe: str
    data: str


class EpochCosts(Table):
    """A row per method, network, batch size and round: one process, in turns with others.

    Training memory is counted in a process of its own, and is the same in every round.
    """

    method: str
    architecture: str
    batch_size: int
    threads: int
    round: int
    epoch_seconds: float = pa.Field(gt=0)
    training_memory_mib: float = pa.Field(gt=0)


class Judged(Candidates):
    """A row per network and seed: accuracies in percent, the size of the model file."""

    seed: int
    validation_accuracy: float
    test_accuracy: float
    model_bytes: int = pa.Field(gt=0)


class Latencies(Table):
    """A row per method, network, number of threads, images a call, round and runtime."""

    method: str
    architecture: str
    threads: int
    images: int
    round: int
    runtime: str
    seconds: float = pa.Field(gt=0)


class RuntimeFiles(Table):
    """A row per method, network, number of threads and runtime: what it runs, and how well."""

    method: str
    architecture: str
    threads: int
    runtime: str
    test_accuracy: float
    file_kib: float = pa.Field(gt=0)


class Chosen(Candidates):
    """A row per target and method: the record. `simulated` has the layers of a binary one."""

    target: float
    training_memory_mib: float = pa.Field(gt=0)


class RecordEpochs(Table):
    """A row per target, method, number of threads and round: one process, in turns with others."""

    target: float
    method: str
    threads: int
    round: int
    epoch_seconds: float = pa.Field(gt=0)


class RecordLatencies(Latencies):
    """The same for the records of a target, all in turns."""

    target: float


class RecordFiles(RuntimeFiles):
    """The same for the records of a target."""

    target: float
