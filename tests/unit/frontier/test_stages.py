"""The frontier's stages, one after another, on a small project."""

from typing import Any

import pandas as pd
import pytest
from matplotlib import image

from pipeline.artifacts.frontier import POINTS_TABLE, RECORDS_TABLE
from pipeline.common.errors import PipelineError
from pipeline.config.params import Params
from pipeline.frontier import costs, latency, records
from pipeline.frontier.costs import measure_costs
from pipeline.frontier.points import measure_points
from pipeline.frontier.records import measure_records
from pipeline.frontier.report import FOLDER, report
from pipeline.frontier.results import POINTS, RECORDS, TRIALS
from pipeline.frontier.search import search
from pipeline.profiling.training_memory import TrainingMemory
from tests.unit.frontier.conftest import write_plan


def test_from_trials_to_the_report(fetched: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    # It compiles for long, and is one runtime of several.
    monkeypatch.setattr(latency, "skipped", lambda: {"torch.compile": "slow"})
    # So does counting every allocation, which has its own tests.
    for stage in (costs, records):
        monkeypatch.setattr(stage, "sample_memory", lambda *_: TrainingMemory(1 << 20, {}))
    with pytest.raises(PipelineError, match=r"trials\.csv lacks .*frontier-trials"):
        measure_costs(fetched)
    search(fetched, 1)
    _check_trials(fetched)
    measure_costs(fetched)
    measure_points(fetched, 1)
    points = pd.read_csv(POINTS / "points.csv")
    assert set(points["seed"]) == {2, 3}
    measure_records(fetched, 1)
    chosen = pd.read_csv(RECORDS / "chosen.csv")
    assert {"float", "simulated"} <= set(chosen[chosen["target"] == 35]["method"])
    report()
    _check_report()


def _check_trials(params: Params) -> None:
    trials = pd.read_csv(TRIALS)
    # Three rates, then two networks with the best of them.
    assert list(trials["method"].value_counts()) == [5, 5, 5]
    assert trials["validation_accuracy"].between(0, 100).all()
    assert not any("test" in name or "seconds" in name for name in map(str, trials))
    assert trials.groupby("method")["model_bytes"].nunique().max() == 1
    first = TRIALS.read_text()
    search(params, 1)
    assert TRIALS.read_text() == first

    def longer(plan: dict[str, Any]) -> None:
        plan["methods"]["packed"]["deterministic"]["grids"][0]["epochs"] = [1, 2, 4]

    write_plan(longer)
    search(params, 1)
    assert TRIALS.read_text().startswith(first)
    assert len(pd.read_csv(TRIALS)) == 16


def _check_report() -> None:
    table = pd.read_csv(RECORDS_TABLE)
    own = table[(table["target"] == 35) & (table["cost"] == "seconds")]
    assert own[own["method"] == "float"]["ratio"].isna().all()
    assert (own[own["method"] != "float"]["ratio"] > 0).all()
    by_method = table[table["method"] != "simulated"].groupby("method")["cost"].agg(set)
    every = {"seconds", "training_memory_mib", "model_kib", "int8_kib", "latency_us"}
    assert all(found == every for found in by_method)
    simulated = table[table["method"] == "simulated"]
    assert set(simulated["cost"]) == {"seconds", "training_memory_mib"}
    assert set(simulated["reached"]) == {"not trained"}
    points = pd.read_csv(POINTS_TABLE)
    assert points["frontiers"].str.contains("seconds").any()
    summary = (FOLDER / "summary.md").read_text()
    assert "| 35 % " in summary
    assert "- deterministic: 6 trials\n- stochastic: 5 trials" in summary
    assert image.imread(FOLDER / "figure.png").std() > 0.05
