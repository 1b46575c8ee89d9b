"""What the summary says first, from small tables."""

from typing import Any

import pandas as pd
import pytest

from pipeline.config.params import load_params
from pipeline.report.report import Report
from pipeline.report.summary.answer import answer
from pipeline.report.summary.verdicts import faster
from tests.conftest import ROOT

Interval = tuple[float, float, float]
COSTS = ("epoch_seconds", "training_memory_mib")


def inference(*cases: Interval) -> pd.DataFrame:
    """Return a row a case of one other runtime, with how many times faster packed is."""
    rows = [
        {
            **{"architecture": "mlp-128", "threads": 1, "batch_size": batch, "runtime": "torch"},
            **{"times_faster": value, "times_faster_lower": low, "times_faster_upper": high},
        }
        for batch, (value, low, high) in enumerate(cases, start=1)
    ]
    return pd.DataFrame(rows)


def report(simulated: Interval, packed: Interval, ahead: list[Interval]) -> Report:
    """Return a report in which every cost of a method has the same ratio to float."""
    params = load_params(ROOT / "params.yaml").model_copy(update={"architectures": ["mlp-128"]})
    ratios = {"float": (1.0, 1.0, 1.0), "simulated": simulated}
    costs, accuracy = [], []
    for method in params.methods:
        row: dict[str, Any] = {"architecture": "mlp-128", "batch_size": 100, "method": method}
        for cost in COSTS:
            for end, value in zip(
                ("", "_lower", "_upper"), ratios.get(method, packed), strict=True
            ):
                row[f"{cost}_ratio{end}"] = value
        costs.append(row)
        accuracy.append({"architecture": "mlp-128", "method": method, "test_accuracy": 80.0})
    accuracy[0]["test_accuracy"] = 82.0
    tables = {
        "costs": pd.DataFrame(costs),
        "accuracy": pd.DataFrame(accuracy),
        "inference": inference(*ahead),
        "claims": pd.DataFrame(),
        "targets": pd.DataFrame({"verdict": ["met", "missed"]}),
    }
    return Report(tables, environments={}, kernels_environment={}, params=params)


def test_the_answer_is_four_sentences_with_numbers() -> None:
    said = answer(report((1.5, 1.4, 1.6), (0.25, 0.2, 0.3), [(3.0, 2.0, 4.0), (5.0, 4.0, 6.0)]))
    headline, details = said.split("\n\n")
    assert "saved 75 % of the time of an epoch and 75 % of training memory" in headline
    epochs = {
        name: method.epochs for name, method in load_params(ROOT / "params.yaml").methods.items()
    }
    longer = [0.25 * epochs[name] / epochs["float"] for name in ("deterministic", "stochastic")]
    for name, ratio in zip(("deterministic", "stochastic"), longer, strict=True):
        assert f"the {epochs[name]} epochs of {name} took {ratio:.2f} times the time" in headline
    assert "lost 2.0 points of test accuracy" in headline
    assert "they saved nothing: 1.50 times the time of an epoch and 1.50 times the" in headline
    assert "predicts 3.0 to 5.0 times as fast as the fastest of torch" in headline
    assert all("(tables/" in sentence for sentence in headline.split(". ") if len(sentence) > 1)
    assert all("(tables/" in line for line in details.splitlines())


def test_a_ratio_whose_interval_holds_1_is_no_number_of_the_headline() -> None:
    same = (1.77, 0.99, 1.88)
    said = answer(report(same, same, [same, (5.0, 4.0, 6.0)]))
    assert not any(number in said for number in ("1.77", "1.8 ", "77", "0.99", "1.88"))
    assert "saved nothing of the time of an epoch and nothing of training memory" in said
    assert "no difference in time of an epoch and no difference in memory of float32" in said
    assert "5.0 times as fast as the fastest of torch and ONNX Runtime" in said
    assert "in 1 of 2 cases (no difference in 1 of 2)" in said
    assert "simulated, no difference in time an epoch, no difference in training memory" in said
    assert "not told apart" not in said


def test_what_simulated_saves_depends_on_the_measurement() -> None:
    less = (0.8, 0.7, 0.9)
    said = answer(report(less, less, [(5.0, 4.0, 6.0)]))
    assert "saved nothing" not in said
    assert "they saved 20 % of the time of an epoch and 20 % of training memory: 0.80" in said


@pytest.mark.parametrize(
    ("cases", "expected"),
    [
        ([(1.2, 0.9, 1.5)], "is in no case faster than torch: no difference in 1 of 1"),
        ([(0.5, 0.4, 0.6)], "is in no case faster than torch: slower in 1 of 1"),
        (
            [(0.5, 0.4, 0.6), (2.0, 1.5, 3.0), (1.0, 0.9, 1.1)],
            "predicts 2.0 times as fast as torch in 1 of 3 cases (no difference in 1 of 3, slower "
            "in 1 of 3)",
        ),
        ([(2.0, 1.5, 3.0)], "predicts 2.0 times as fast as torch"),
    ],
)
def test_no_case_is_hidden(cases: list[Interval], expected: str) -> None:
    assert faster(inference(*cases), "torch") == expected
