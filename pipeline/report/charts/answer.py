"""The answer in words, for an architecture and batch size: what was saved, what was lost."""

from collections.abc import Iterable
from html import escape
from typing import Any

import pandas as pd

from pipeline.config.names import BASELINE
from pipeline.report.charts.tables import Tables
from pipeline.report.charts.topic import Choice
from pipeline.report.statistics import read_estimate
from pipeline.report.text import format_range, join_words, points_lost
from pipeline.report.verdicts import Verdict, judge_cost

COLUMNS = {"epoch_seconds": "time per epoch", "training_memory_mib": "training memory"}


def answers(tables: Tables) -> list[tuple[Choice, str]]:
    """Return a paragraph, as HTML, for every architecture and batch size that was measured."""
    # Costs have test accuracy already: see `pipeline.report.charts.tables`.
    rest = tables["accuracy"].drop(columns="test_accuracy")
    merged = tables["costs"].merge(rest, on=["architecture", "method"])
    return [
        ({"architecture": str(architecture), "batch_size": str(batch)}, _answer(case))
        for (architecture, batch), case in merged.groupby(
            ["architecture", "batch_size"], sort=False
        )
    ]


def _answer(case: pd.DataFrame) -> str:
    """Say it in a sentence for all methods of which the same is true."""
    baseline = case[case["method"] == BASELINE].iloc[0]
    groups: dict[tuple[Verdict, ...], list[int]] = {}
    for position, row in case[case["method"] != BASELINE].iterrows():
        verdict = tuple(
            judge_cost(column, read_estimate(row, f"{column}_ratio")) for column in COLUMNS
        )
        groups.setdefault(verdict, []).append(int(str(position)))
    # What saves most stands first.
    ordered = sorted(groups.items(), key=lambda group: -group[0].count(Verdict.SAVED))
    sentences = [
        _sentence(case.loc[positions], verdict, baseline) for verdict, positions in ordered
    ]
    return f"Against {BASELINE}, {' '.join(sentences)}"


def _sentence(
    group: pd.DataFrame, verdicts: tuple[Verdict, ...], baseline: "pd.Series[Any]"
) -> str:
    methods = join_words([f"<strong>{escape(name)}</strong>" for name in group["method"]])
    costs = [
        _changed(group[f"{column}_ratio"], verdict, what)
        for (column, what), verdict in zip(COLUMNS.items(), verdicts, strict=True)
    ]
    return (
        f"{methods} took {' and '.join(costs)}, "
        f"{points_lost(baseline['test_accuracy'] - group['test_accuracy'])} of test accuracy, and "
        "left a model file "
        f"{_size(group['model_kib'], baseline['model_kib'])}."
    )


def _changed(ratios: Iterable[float], verdict: Verdict, what: str) -> str:
    """Give a percentage, unless the interval does not tell the two apart."""
    if verdict is Verdict.NO_DIFFERENCE:
        return f"about as much {what} ({verdict})"
    direction = "less" if verdict is Verdict.SAVED else "more"
    percent = format_range([100 * abs(ratio - 1) for ratio in ratios], 0)
    return f"{percent}\N{NO-BREAK SPACE}% {direction} {what}"


def _size(kib: "pd.Series[float]", baseline: float) -> str:
    if (kib.round() == round(baseline)).all():
        return "of the same size"
    return f"of {format_range(kib, 0)} KiB in place of {baseline:,.0f}"
