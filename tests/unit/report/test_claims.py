from typing import Any

import pandas as pd
import pytest

from pipeline.config.params import load_params
from pipeline.config.published import load_published
from pipeline.report.claims import (
    claims_table,
    published_table,
    runs_of,
    study_batch,
    time_to_study_table,
)
from pipeline.report.report import Report
from pipeline.report.summary import markdown_tables
from tests.conftest import ROOT

SECONDS = {"float": 2.0, "deterministic": 1.0, "stochastic": 1.0}
MEMORY = {"float": 100.0, "deterministic": 110.0, "stochastic": 99.0}
ACCURACY = {"float": 90.0, "deterministic": 88.0, "stochastic": 88.0}


def runs() -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"architecture": a, "method": m, "seed": s, "test_accuracy": ACCURACY[m] + 0.1 * s}
            for a in ("mlp-128", "mlp-1024")
            for m in ACCURACY
            for s in (1, 2)
        ]
    )


def measurements() -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "architecture": a,
                "round": r,
                "method": m,
                "epoch_seconds": SECONDS[m] * r,
                "process_memory_mib": MEMORY[m],
            }
            for a in ("mlp-128", "mlp-1024")
            for m in SECONDS
            for r in (1, 2, 3)
        ]
    )


def claim(table: pd.DataFrame, *key: str) -> dict[str, Any]:
    names = ["architecture", "method", "reference", "quantity"]
    (row,) = table[(table[names] == list(key)).all(axis=1)].to_dict("records")
    return {str(name): value for name, value in row.items()}


def test_claims_are_compared_by_direction() -> None:
    table = claims_table(runs(), measurements())
    time = claim(table, "mlp-128", "deterministic", "float", "time per epoch")
    assert time["published"] == pytest.approx(100 * (1 - 5 / 7))
    assert (time["ours"], time["lower"], time["upper"]) == (50, 50, 50)
    assert time["holds"] == "yes"
    memory = claim(table, "mlp-1024", "deterministic", "float", "process memory")
    assert memory["published"] == pytest.approx(100 * (1 - 1364.09 / 1867.32))
    assert memory["ours"] == pytest.approx(-10)
    assert memory["holds"] == "no"
    accuracy = claim(table, "mlp-128", "deterministic", "float", "test accuracy")
    assert accuracy["published"] == pytest.approx(-14.6)
    assert accuracy["ours"] == pytest.approx(-2)
    assert accuracy["holds"] == "yes"
    same = claim(table, "mlp-1024", "stochastic", "deterministic", "test accuracy")
    assert same["holds"] == "undecided"


def test_the_smaller_stochastic_network_is_compared_at_its_own_epochs() -> None:
    table = claims_table(runs(), measurements())
    memory = claim(table, "mlp-128", "stochastic", "deterministic", "process memory")
    assert memory["published"] == pytest.approx(100 * (1 - 869.63 / 931.56))
    assert memory["holds"] == "yes"


def test_an_architecture_gets_the_studys_runs_of_its_own() -> None:
    published = load_published()
    for architecture, epochs in (("mlp-128", [1000, 500]), ("mlp-1024", [1000])):
        assert [run["epochs"] for run in runs_of(published, architecture)] == epochs
    assert runs_of(published, "mlp-128-500") == []


def test_the_studys_headline_is_what_its_figures_say() -> None:
    """The percentages of the claims follow from the seconds and megabytes that it printed."""
    published = load_published()
    for architecture, saved in published["claims"]["time_saved_percent"].items():
        section = published[architecture]
        ratio = section["deterministic"]["train_seconds"] / section["float"]["train_seconds"]
        assert 100 * (1 - ratio) == pytest.approx(saved, abs=1)
    for architecture, saved in published["claims"]["memory_saved_percent"].items():
        section = published[architecture]
        ratio = section["deterministic"]["memory_mb"] / section["float"]["memory_mb"]
        assert 100 * (1 - ratio) == pytest.approx(saved, abs=1)


def test_another_batch_stands_in_where_the_studys_was_not_measured() -> None:
    assert study_batch([100, 5000, 6000]) == 5000
    assert study_batch([100, 200]) == 200


def test_other_architectures_have_no_claims() -> None:
    other = measurements().replace({"mlp-128": "mlp-7", "mlp-1024": "mlp-9"})
    assert claims_table(runs(), other).empty


def test_what_the_study_printed_stands_beside_ours_of_its_batch_size() -> None:
    networks = [(a, m) for a in ("mlp-128", "mlp-1024", "mlp-7") for m in ACCURACY]
    accuracy = [
        {
            **{"architecture": a, "method": m, "epochs": 15, "train_seconds": 9.0},
            **{"training_accuracy": 95.0, "test_accuracy": ACCURACY[m]},
        }
        for a, m in networks
    ]
    costs = [
        {
            **{"architecture": a, "method": m, "batch_size": 5000, "threads": 2},
            **{"epoch_seconds": SECONDS[m], "process_memory_mib": MEMORY[m]},
        }
        for a, m in networks
    ]
    table = published_table(pd.DataFrame(accuracy), pd.DataFrame(costs))
    # The study printed nothing for other architectures.
    assert list(table["architecture"].value_counts()[["mlp-128", "mlp-1024"]]) == [4, 3]
    assert set(table["epochs"]) == {15}
    assert set(table["batch_size"]) == {5000}
    rows = table[table["architecture"] == "mlp-128"].to_dict("records")
    printed = next(row for row in rows if row["method"] == "float")
    assert (printed["study_epochs"], printed["study_train_seconds"]) == (1000, 7084)
    assert (printed["train_seconds"], printed["epoch_seconds"]) == (9, SECONDS["float"])
    assert printed["process_memory_mib"] == MEMORY["float"]
    stochastic = next(row for row in rows if row["method"] == "stochastic")
    assert pd.isna(stochastic["study_train_seconds"])


def test_seconds_to_the_studys_accuracy_are_steps_times_seconds_per_step() -> None:
    steps = [
        {
            **{"architecture": "mlp-128", "method": method, "seed": seed, "target": 67.9},
            **{"steps": 10 * seed, "reached": method == "float" or (method, seed) == ("late", 1)},
        }
        for method in ("float", "late", "never")
        for seed in (1, 2)
    ]
    costs = [
        {"architecture": "mlp-128", "method": method, "epoch_seconds": 2.0, "batch_size": 50}
        for method in ("float", "late", "never")
    ]
    table = time_to_study_table(pd.DataFrame(steps), pd.DataFrame(costs), train_images=1020)
    rows = table.set_index("method")
    seconds = rows[["seconds_min", "seconds", "seconds_max"]]
    assert list(seconds.loc["float"]) == [1, 1.5, 2]
    assert list(seconds.loc["late"]) == [1, 1, 1]
    assert seconds.loc["never"].isna().all()
    assert list(rows["seeds_reached"]) == [2, 1, 0]
    assert set(rows["study_seconds"]) == {5073}
    said = markdown_tables.time_to_study(
        Report({"time_to_study": table}, {}, {}, (), load_params(ROOT / "params.yaml"))
    )
    assert "1.500 [1.000, 2.000] " in said
    assert "1.000 [1.000, 1.000] (1 of 2 seeds)" in said
    assert said.count("not reached") == 1
