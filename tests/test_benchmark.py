import importlib.util

import numpy as np
import pytest
from typer.testing import CliRunner

from pipeline import benchmark
from pipeline.cli import app


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "SHAPES", ((3, 40, 20), (1, 5, 9)))
    monkeypatch.setattr(benchmark, "SECONDS", 1e-4)


@pytest.mark.usefixtures("small")
def test_every_kernel_is_timed_on_every_shape() -> None:
    table = benchmark.benchmark(threads=1, rounds=6)
    kernels = ["torch float32", "bits by bits", "4-bit by bits"]
    if importlib.util.find_spec("numkong") is not None:
        kernels.insert(1, "numkong bits by bits")
    assert list(table["kernel"]) == 2 * kernels
    assert list(table["m"]) == len(kernels) * [3] + len(kernels) * [1]
    baseline = table[table["kernel"] == "torch float32"]
    assert (baseline[["ratio", "lower", "upper"]] == 1).all(axis=None)
    assert (table["lower"] <= table["ratio"]).all()
    assert (table["ratio"] <= table["upper"]).all()
    operations = 2 * table["m"] * table["n"] * table["k"]
    np.testing.assert_allclose(table["gops"] * table["microseconds"] * 1e3, operations)


@pytest.mark.usefixtures("small")
def test_the_command_prints_the_table_and_wants_rounds_for_its_intervals() -> None:
    runner = CliRunner()
    printed = runner.invoke(app, ["benchmark", "--threads", "1", "--rounds", "6"])
    assert printed.exit_code == 0
    assert "bits by bits" in printed.output
    assert runner.invoke(app, ["benchmark", "--rounds", "5"]).exit_code == 2
