"""profiles/inference/ARCHITECTURE/: the trained network's speed beside other runtimes'."""

from pathlib import Path

import pandas as pd
import pandera.pandas as pa

from pipeline.artifacts.tables import Table, read_table
from pipeline.common.errors import PipelineError
from pipeline.config.names import PACKED
from pipeline.config.params import Params
from pipeline.config.paths import INFERENCE


class InferenceRounds(Table):
    """A row per number of threads, batch size, round and runtime: seconds per call."""

    architecture: str
    threads: int
    batch_size: int
    round: int
    runtime: str
    seconds: float = pa.Field(gt=0)


class Runtimes(Table):
    """A row per number of threads and runtime; `skipped` says why one was not measured."""

    architecture: str
    threads: int
    runtime: str
    skipped: str = pa.Field(nullable=True)
    test_accuracy: float = pa.Field(nullable=True)
    file_kib: float = pa.Field(nullable=True)
    process_memory_mib: float = pa.Field(nullable=True)


def folder_of(architecture: str) -> Path:
    """Return where the measurements of an architecture's networks are."""
    return INFERENCE / architecture


def read_inference(params: Params) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the rounds, and the runtimes, of every architecture in `params`.

    Raises:
        PipelineError: they are missing, damaged, or made with other params.
    """
    rounds, runtimes = [], []
    expected = sorted(
        (threads, batch, number)
        for threads in params.inference.threads
        for batch in params.inference.batch_sizes
        for number in range(1, params.inference.rounds + 1)
    )
    for architecture in params.architectures:
        folder = folder_of(architecture)
        advice = f"run `dvc repro` or `python -m pipeline inference --architecture {architecture}`"
        rounds.append(read_table(folder / "rounds.csv", InferenceRounds, advice))
        runtimes.append(read_table(folder / "runtimes.csv", Runtimes, advice))
        ran = dict(list(rounds[-1].groupby("runtime")))
        described = set(runtimes[-1][["threads", "runtime"]].itertuples(index=False, name=None))
        keys = ["threads", "batch_size", "round"]
        if not (
            PACKED in ran
            and all(
                sorted(table[keys].itertuples(index=False, name=None)) == expected
                for table in ran.values()
            )
            and described
            >= {(threads, name) for threads in params.inference.threads for name in ran}
        ):
            raise PipelineError(f"{folder} was measured with other params: {advice}")
    return pd.concat(rounds, ignore_index=True), pd.concat(runtimes, ignore_index=True)
