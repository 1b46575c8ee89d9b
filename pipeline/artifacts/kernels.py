"""profiles/benchmark/: seconds that the kernels and their peers take."""

from typing import Any

import pandas as pd
import pandera.pandas as pa

from pipeline.artifacts.environment import read_environment
from pipeline.artifacts.tables import Table, read_table
from pipeline.common.errors import PipelineError
from pipeline.config.params import Params
from pipeline.config.paths import BENCHMARK

KERNELS_FILE = BENCHMARK / "kernels.csv"


class KernelSeconds(Table):
    """A row per shape (M x N x K), round and kernel: seconds per call."""

    m: int
    n: int
    k: int
    round: int
    kernel: str
    seconds: float = pa.Field(gt=0)


def read_kernels(params: Params) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read the seconds of the kernels, and what they were measured on.

    Raises:
        PipelineError: they are missing, damaged, or of other rounds.
    """
    advice = "run `dvc repro` or `python -m pipeline benchmark`"
    seconds = read_table(KERNELS_FILE, KernelSeconds, advice)
    environment = read_environment(BENCHMARK, advice)
    expected = list(range(1, params.benchmark.rounds + 1))
    cases = seconds.groupby(["m", "n", "k", "kernel"])["round"]
    if seconds.empty or any(sorted(rounds) != expected for _, rounds in cases):
        raise PipelineError(f"{BENCHMARK} was measured with other params: {advice}")
    return seconds, environment
