import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from pipeline.artifacts.kernels import read_kernels
from pipeline.cli import app
from pipeline.common.errors import PipelineError
from pipeline.config.names import BITS, GRADIENTS, NUMKONG, TORCH
from pipeline.config.params import load_params
from pipeline.profiling import kernels as benchmark
from pipeline.report.tables import kernels_table


@pytest.fixture
def measured(project: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A benchmark of small shapes in `project`; what it printed."""
    monkeypatch.setattr(benchmark, "SHAPES", ((3, 40, 20), (1, 5, 9)))
    monkeypatch.setattr(benchmark, "SECONDS", 1e-4)
    done = CliRunner().invoke(app, ["benchmark"], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_every_kernel_is_timed_on_every_shape(measured: str) -> None:
    seconds, environment = read_kernels(load_params())
    table = kernels_table(seconds)
    kernels = [TORCH, BITS, GRADIENTS]
    if importlib.util.find_spec("numkong") is not None:
        kernels.insert(1, NUMKONG)
        assert (table[table["kernel"] == NUMKONG]["numkong_ratio"] == 1).all()
    assert list(table["kernel"]) == 2 * kernels
    assert list(table["m"]) == len(kernels) * [3] + len(kernels) * [1]
    baseline = table[table["kernel"] == TORCH]
    assert (baseline[["ratio", "lower", "upper"]] == 1).all(axis=None)
    assert (table["lower"] <= table["ratio"]).all()
    assert (table["ratio"] <= table["upper"]).all()
    operations = 2 * table["m"] * table["n"] * table["k"]
    np.testing.assert_allclose(table["gops"] * table["microseconds"] * 1e3, operations)
    assert environment["kernels_instruction_set"] in ("scalar", "avx2", "avx512")
    assert environment["seconds"] > 0
    assert "profiles/benchmark/ written" in measured


def test_a_benchmark_of_other_rounds_is_noticed(measured: str) -> None:
    params = load_params()
    more = params.benchmark.model_copy(update={"rounds": params.benchmark.rounds + 1})
    with pytest.raises(PipelineError, match="profiles/benchmark was measured with other params"):
        read_kernels(params.model_copy(update={"benchmark": more}))


def test_a_ratio_is_the_median_within_rounds_and_not_the_quotient_of_medians() -> None:
    seconds = {TORCH: [1.0, 2.0, 9.0], BITS: [1.0, 4.0, 3.0]}
    rows = [
        {"m": 1, "n": 2, "k": 3, "round": number, "kernel": kernel, "seconds": value}
        for kernel, values in seconds.items()
        for number, value in enumerate(values, start=1)
    ]
    table = kernels_table(pd.DataFrame(rows)).set_index("kernel")
    assert table.loc[BITS, "ratio"] == 1
    assert table.loc[BITS, "microseconds"] == 3e6
    assert "numkong_ratio" not in table
