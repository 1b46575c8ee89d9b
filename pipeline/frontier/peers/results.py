"""frontier/results/peers/ and peers.csv: what was measured of the peer, and the table of it."""

from pathlib import Path

import pandera.pandas as pa

from pipeline.artifacts.profile import Configuration
from pipeline.artifacts.tables import Table

RESULTS = Path("frontier/results")
TABLE = RESULTS / "peers.csv"
ACCURACY = RESULTS / "peers/accuracy"
COSTS = RESULTS / "peers/costs"
ACCURACY_ADVICE = "run `make peers` or `python -m pipeline peers-accuracy`"
COSTS_ADVICE = "run `make peers` or `python -m pipeline peers-costs`"

# Names of the peer's forms, and what a report calls them. XLA compiles the steps or does not, and
# one operation runs at a time, or as many as there are threads.
LARQ = {
    "larq": "Larq",
    "larq_parallel": "Larq",
    "larq_xla": "Larq with XLA",
    "larq_xla_parallel": "Larq with XLA",
}


class _Trained(Table):
    architecture: str
    batch_size: int
    recipe: str
    learning_rate: float = pa.Field(gt=0)
    epochs: int = pa.Field(ge=1)
    seed: int
    validation_accuracy: float = pa.Field(ge=0, le=100)


class Trials(_Trained):
    """A row per trial of the search: percent on validation, after the last epoch."""


class Accuracies(_Trained):
    """A row per training by the best recipe and rate, in percent after the last epoch."""

    test_accuracy: float = pa.Field(ge=0, le=100)


class TrainingMemory(Configuration):
    """A row per configuration whose allocations were counted."""

    training_memory_mib: float = pa.Field(gt=0)


class Versions(Table):
    """One row: what the peer's environment has installed."""

    python: str
    larq: str
    tensorflow: str
    tf_keras: str


class Peers(Configuration):
    """A row per configuration and number of epochs; costs are medians over rounds.

    Ratios are to Larq, paired within rounds, with 95 % intervals. Of the forms of Larq the fastest
    stands here. Accuracies, in percent, are means over seeds; they are empty where a configuration
    was timed alone.
    """

    epoch_seconds: float = pa.Field(gt=0)
    epoch_seconds_ratio: float = pa.Field(gt=0)
    epoch_seconds_ratio_lower: float = pa.Field(gt=0)
    epoch_seconds_ratio_upper: float = pa.Field(gt=0)
    process_memory_mib: float = pa.Field(gt=0)
    training_memory_mib: float = pa.Field(gt=0)
    training_memory_mib_ratio: float = pa.Field(gt=0)
    epochs: float = pa.Field(nullable=True)
    train_seconds: float = pa.Field(nullable=True)
    seeds: float = pa.Field(nullable=True)
    validation_accuracy: float = pa.Field(nullable=True)
    test_accuracy: float = pa.Field(nullable=True)
    test_accuracy_std: float = pa.Field(nullable=True)
