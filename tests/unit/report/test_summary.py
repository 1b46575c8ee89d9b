"""What the summary says first, from small tables."""

from typing import Any

import jinja2
import pandas as pd
import pytest

from pipeline.config.names import PACKED
from pipeline.config.params import load_params
from pipeline.report.statistics import Estimate, estimate_columns
from pipeline.report.summary.context import cases_of_cost, cases_of_speed
from pipeline.report.summary.document import TEMPLATES
from pipeline.report.tables import latency_table
from pipeline.report.verdicts import Cases
from tests.conftest import ROOT

Interval = tuple[float, float, float]
PHRASES: Any = TEMPLATES.get_template("phrases.jinja").module
SAME = (1.77, 0.99, 1.88)


def costs(cost: str, *ratios: Interval) -> Cases:
    rows = [estimate_columns("ratio", Estimate(*ratio)) for ratio in ratios]
    return cases_of_cost(pd.DataFrame(rows), cost, "ratio")


def speeds(*ratios: Interval) -> Cases:
    rows = [estimate_columns("times_faster", Estimate(*ratio)) for ratio in ratios]
    return cases_of_speed(pd.DataFrame(rows))


def test_what_is_saved_is_said_in_percent() -> None:
    cases = costs("epoch_seconds", (0.25, 0.2, 0.3), (0.2, 0.1, 0.3))
    assert PHRASES.percent_saved(cases, "the time") == "75 to 80 % of the time"
    cases = costs("epoch_seconds", (0.25, 0.2, 0.3), SAME, (1.5, 1.4, 1.6))
    assert PHRASES.percent_saved(cases, "the time") == "75 % of the time in 1 of 3 cases"
    assert PHRASES.percent_saved(costs("epoch_seconds", SAME), "it") == "nothing of it"


def test_what_is_no_difference_is_no_number() -> None:
    time = costs("epoch_seconds", SAME)
    assert PHRASES.times_as_much(time, "float's time") == "float's time (no difference)"
    some = costs("epoch_seconds", SAME, (0.25, 0.2, 0.3), (1.5, 1.4, 1.6))
    said = PHRASES.times_as_much(some, "its time")
    assert said == "0.25 to 1.50 times its time (no difference in 1 of 3)"
    # The spread of memory exceeds its difference.
    memory = costs("training_memory_mib", (1.25, 1.09, 1.35))
    assert PHRASES.times_as_much(memory, "it") == "it (no difference)"


@pytest.mark.parametrize(
    ("cases", "expected"),
    [
        ([(1.2, 0.9, 1.5)], "was in none of 1 cases faster than torch (no difference in 1)"),
        ([(0.5, 0.4, 0.6)], "was in none of 1 cases faster than torch (slower in 1)"),
        (
            [(0.5, 0.4, 0.6), (2.0, 1.5, 3.0), (1.0, 0.9, 1.1)],
            "predicted 2.0 times as fast as torch in 1 of 3 cases (no difference in 1, slower in "
            "1)",
        ),
        ([(2.0, 1.5, 3.0)], "predicted 2.0 times as fast as torch"),
    ],
)
def test_no_case_is_hidden(cases: list[Interval], expected: str) -> None:
    assert PHRASES.predicted_faster(speeds(*cases), "torch") == expected


def test_a_name_that_nobody_passes_is_an_error() -> None:
    template = TEMPLATES.from_string("{{ params.no_such_name }}")
    with pytest.raises(jinja2.UndefinedError):
        template.render(params=load_params(ROOT / "params.yaml"))


def test_latency_is_compared_where_float_is_fastest() -> None:
    params = load_params(ROOT / "params.yaml")
    microseconds = {
        **{("torch", 1): 9.0, ("torch int8", 1): 6.0, ("torch", 2): 8.0, ("torch int8", 2): 7.0},
        **{(PACKED, 1): 3.0, (PACKED, 2): 2.0},
    }
    keys = {"architecture": "mlp-128", "batch_size": 1}
    inference = pd.DataFrame(
        [
            {
                **keys,
                **{"threads": threads, "runtime": runtime, "microseconds": value},
                "images_per_second": 1e6 / value,
            }
            for (runtime, threads), value in microseconds.items()
        ]
    )
    # Drift that hits both sides cancels.
    rounds = pd.DataFrame(
        [
            {**row, "round": number, "seconds": 1e-6 * row["microseconds"] * number}
            for row in inference.to_dict("records")
            for number in (1, 2)
        ]
    )
    table = latency_table(rounds, inference, params).set_index("method")
    assert list(table.index) == ["float", "deterministic"]
    assert list(table["runtime"]) == ["torch int8", PACKED]
    assert list(table["threads"]) == [1, 1]
    assert list(table["latency_us"]) == [6, 3]
    packed = table.loc["deterministic"]
    assert [packed[f"latency_ratio{end}"] for end in ("", "_lower", "_upper")] == [0.5] * 3
    # The maximum is of all cases.
    assert packed["images_per_second"] == 1e6 / 2


def test_without_a_batch_of_one_there_is_no_latency() -> None:
    params = load_params(ROOT / "params.yaml")
    case = {"architecture": "mlp-128", "batch_size": 64, "threads": 1, "runtime": PACKED}
    inference = pd.DataFrame([case | {"microseconds": 5.0, "images_per_second": 100.0}])
    (row,) = latency_table(pd.DataFrame([case]), inference, params).to_dict("records")
    assert row["images_per_second"] == 100
    assert pd.isna(row["latency_us"])
