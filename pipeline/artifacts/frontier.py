"""frontier/*.csv: what an accuracy costs, as the frontier's pipeline leaves it for the report.

They are in git, and no outputs to DVC: `dvc repro` would otherwise run hours of trials first.
"""

from pathlib import Path

import pandas as pd
import pandera.pandas as pa

from pipeline.artifacts.tables import Table, read_table

POINTS_TABLE = Path("frontier/points.csv")
RECORDS_TABLE = Path("frontier/records.csv")
_ADVICE = "get it back from git, or run `make frontier`"


class Candidates(Table):
    """What tells a network, and the way it is trained, from others."""

    method: str
    architecture: str
    batch_size: int
    epochs: int
    learning_rate: float


class FrontierPoints(Candidates):
    """A row per network that was judged: means over seeds, in percent, and what it costs.

    `seconds` are those of the whole training; latency is that of one image with the fastest runtime
    and number of threads; `int8_kib` is the size of float's file in int8. `frontiers` names the
    costs on whose frontier of mean validation accuracy the network lies.
    """

    seeds: int
    validation_accuracy: float
    test_accuracy: float
    test_accuracy_std: float = pa.Field(nullable=True)
    seconds: float = pa.Field(gt=0)
    training_memory_mib: float = pa.Field(gt=0)
    model_kib: float = pa.Field(gt=0)
    latency_us: float = pa.Field(gt=0)
    int8_kib: float = pa.Field(nullable=True)
    frontiers: str = pa.Field(nullable=True)


class RecordCosts(Candidates):
    """A row per target, method and cost.

    `cost` is seconds (of the whole training), training_memory_mib, model_kib (float's is float32),
    int8_kib (float's file in int8, and again the packed one) or latency_us (per image). A ratio is
    to the float record of the same target: the median over rounds, with its interval.
    """

    target: float
    seeds: int
    validation_accuracy: float = pa.Field(nullable=True)
    test_accuracy: float = pa.Field(nullable=True)
    test_accuracy_std: float = pa.Field(nullable=True)
    reached: str = pa.Field(isin=["yes", "no", "not trained"])
    cost: str
    threads: float = pa.Field(nullable=True)
    images: float = pa.Field(nullable=True)
    runtime: str = pa.Field(nullable=True)
    value: float = pa.Field(gt=0)
    ratio: float = pa.Field(nullable=True)
    ratio_lower: float = pa.Field(nullable=True)
    ratio_upper: float = pa.Field(nullable=True)


def read_points_table() -> pd.DataFrame:
    """Return frontier/points.csv, of `FrontierPoints`.

    Raises:
        PipelineError: it is missing or damaged.
    """
    table = read_table(POINTS_TABLE, FrontierPoints, _ADVICE)
    return table.assign(frontiers=table["frontiers"].fillna(""))


def read_records_table() -> pd.DataFrame:
    """Return frontier/records.csv, of `RecordCosts`.

    Raises:
        PipelineError: it is missing or damaged.
    """
    return read_table(RECORDS_TABLE, RecordCosts, _ADVICE)
