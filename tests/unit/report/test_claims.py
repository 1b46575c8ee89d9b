from typing import Any

import pandas as pd
import pytest

from pipeline.config.published import load_published
from pipeline.report.claims import claims_table, published_table, runs_of, study_batch

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


def measurements(batch: int) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "architecture": a,
                "batch_size": batch,
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
    table = claims_table(runs(), measurements(5000))
    time = claim(table, "mlp-128", "deterministic", "float", "time an epoch")
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
    table = claims_table(runs(), measurements(5000))
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
    assert study_batch(measurements(5000)) == 5000
    assert study_batch(measurements(200)) == 200
    assert len(claims_table(runs(), measurements(200))) == 10


def test_other_architectures_have_no_claims() -> None:
    other = measurements(5000).replace({"mlp-128": "mlp-7", "mlp-1024": "mlp-9"})
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
            **{"architecture": a, "method": m, "batch_size": batch},
            **{"epoch_seconds": SECONDS[m] / batch, "process_memory_mib": MEMORY[m]},
        }
        for a, m in networks
        for batch in (100, 5000)
    ]
    table = published_table(pd.DataFrame(accuracy), pd.DataFrame(costs))
    # The study printed nothing for other architectures.
    assert list(table["architecture"].value_counts()[["mlp-128", "mlp-1024"]]) == [4, 3]
    assert set(table["our_epochs"]) == {15}
    rows = table[table["architecture"] == "mlp-128"].to_dict("records")
    printed = next(row for row in rows if row["method"] == "float")
    assert (printed["epochs"], printed["train_seconds"]) == (1000, 7084)
    assert printed["our_epoch_seconds"] == SECONDS["float"] / 5000
    assert printed["our_process_memory_mib"] == MEMORY["float"]
    assert pd.isna(next(row for row in rows if row["method"] == "stochastic")["train_seconds"])
