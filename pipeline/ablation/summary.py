"""reports/ablation/summary.md, rendered from its template."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.ablation.comparison import ALIKE, BASELINE_ROW, MIN_POINTS, Comparison
from pipeline.ablation.plan import Factor, Plan
from pipeline.ablation.results import Result
from pipeline.report.charts.captions import Caption, captioned
from pipeline.report.markdown import markdown
from pipeline.report.summary.document import render_template
from pipeline.report.summary.machine import machine_in_words
from pipeline.report.text import format_range, join_words
from pipeline.report.verdicts import Verdict

CAPTION = Caption(
    "Test accuracy, time and memory by level of each factor",
    "How test accuracy changes when one factor of a recipe does. Bold is the factor at the "
    "recipe's level, with the recipe's accuracy at 0; below it stand the other levels. Small dots "
    "are seeds, each against the same seed of the recipe; the large one is their mean, the line "
    "their range. Time and memory are those of training, as multiples of the recipe's. An empty "
    "row was not trained.",
)
_HEADERS = (
    *("what is changed", "network", "test accuracy, %", "change, points", "epochs"),
    *("time", "memory"),
)
# In the place of a ratio that the report has.
_COSTS = "[costs.csv](../tables/costs.csv)"
_TRIED_HEADERS = ("question", "network", "method", "trials", "best", "%", "worst", "%")

# A level on every architecture that it is trained on.
_Level = list[Comparison]


def render(
    plan: Plan,
    comparisons: list[Comparison],
    results: Mapping[str, Result],
    trials: pd.DataFrame,
    compared: Mapping[str, Mapping[str, object]],
    environments: Sequence[dict[str, Any]],
) -> str:
    """Return the whole of summary.md.

    Args:
        plan: what was compared.
        comparisons: of `comparison.compare`.
        results: by variant.
        trials: of `trials.read_trials`.
        compared: optimizers and techniques, of `optimizer_summary.describe_optimizers`.
        environments: of what else was measured: the fields of `Machine`.
    """
    every = [*(result.environment.model_dump() for result in results.values()), *environments]
    return render_template(
        Path(__file__).with_name("summary.md.jinja"),
        {
            "seeds": len(comparisons[0].outcome.runs),
            "answers": _answers(comparisons),
            "figure": captioned("figure", CAPTION),
            "factors": [
                {**factor.model_dump(), "lines": list(_lines(factor, comparisons))}
                for factor in plan.factors
            ],
            "table": markdown(_HEADERS, _rows(comparisons)),
            "trials": len(trials),
            "tried": markdown(_TRIED_HEADERS, _tried(trials)),
            **compared,
            "machines": list(dict.fromkeys(machine_in_words(each) for each in every)),
            "minutes": sum(each["seconds"] for each in every) / 60,
            "no_difference": Verdict.NO_DIFFERENCE,
            "min_points": MIN_POINTS,
            "alike": ALIKE,
            "comparisons": sum(each.factor != BASELINE_ROW for each in comparisons),
            "rounds": plan.costs.rounds,
        },
    )


def _answers(comparisons: Sequence[Comparison]) -> dict[str, list[str]]:
    """Return what buys accuracy, what costs some, and what buys time or memory, by title.

    The largest change of accuracy comes first.
    """
    varied = [each for each in comparisons if each.factor != BASELINE_ROW]
    levels = [list(rows) for _, rows in groupby(varied, lambda each: (each.factor, each.level))]
    levels.sort(key=lambda rows: -max(abs(each.change.value) for each in rows))
    condition = f"with every seed and {MIN_POINTS} points or more"
    lists: dict[str, tuple[Callable[[_Level], bool], Callable[[_Level], str]]] = {
        f"What buys accuracy, {condition}": (_buys_accuracy, _points),
        f"What costs accuracy, {condition}": (_costs_accuracy, _points),
        "What buys time or memory of training": (_buys_costs, _costs),
    }
    return {
        title: [_named(rows, describe) for rows in levels if belongs(rows)]
        for title, (belongs, describe) in lists.items()
    }


def _named(rows: _Level, describe: Callable[[_Level], str]) -> str:
    first = rows[0]
    return f"{first.factor}, *{first.baseline_level}* rather than *{first.level}*: {describe(rows)}"


def _buys_accuracy(rows: _Level) -> bool:
    return all(each.accuracy_differs and each.change.value < 0 for each in rows)


def _costs_accuracy(rows: _Level) -> bool:
    return all(each.accuracy_differs and each.change.value > 0 for each in rows)


def _buys_costs(rows: _Level) -> bool:
    return any(each.ratios[name].value > 1 for each in rows for name in each.differing_costs)


def _points(rows: _Level) -> str:
    return f"{format_range((abs(each.change.value) for each in rows), 2)} points"


def _costs(rows: _Level) -> str:
    return "; ".join(
        f"{join_words(costs)} on {each.outcome.architecture}"
        for each in rows
        if (costs := _differing_costs(each))
    )


def _differing_costs(comparison: Comparison) -> list[str]:
    """Return how many times the variant's time and memory the baseline takes, where clear.

    Time covers all epochs; their numbers stand beside it where they differ.
    """
    own, other = comparison.baseline, comparison.outcome
    epochs = "" if own.epochs == other.epochs else f" ({own.epochs} epochs against {other.epochs})"
    return [
        f"{1 / comparison.ratios[name].value:.2f} times the {name}"
        f"{epochs if name == 'time' else ''}"
        for name in comparison.differing_costs
    ]


def _lines(factor: Factor, comparisons: list[Comparison]) -> Iterator[str]:
    """Yield a line per level: what the baseline gains and pays by not being at it."""
    for level in factor.levels.values():
        rows = [each for each in comparisons if (each.factor, each.level) == (factor.name, level)]
        verdicts = "; ".join(f"on {each.outcome.architecture} it {_verdict(each)}" for each in rows)
        yield f"*{factor.level}* rather than *{level}*: {verdicts}.{_keys(rows[0])}"


def _keys(comparison: Comparison) -> str:
    """Return a sentence on the keys that differ, if there is more than one."""
    pairs = comparison.differing_keys
    if len(pairs) < 2:
        return ""
    words = [
        f"{key.replace('_', ' ')} {_value(own)} → {_value(other)}"
        for key, (own, other) in pairs.items()
    ]
    return f" They differ in {join_words(words)}."


def _value(value: object) -> str:
    return "none" if value is None else str(value)


def _verdict(comparison: Comparison) -> str:
    """Describe the baseline beside the variant: the other way round than `change`."""
    change = comparison.change
    if not comparison.accuracy_differs:
        accuracy = f"makes {Verdict.NO_DIFFERENCE} to accuracy"
    else:
        verb = "buys" if change.value < 0 else "costs"
        sizes = (abs(change.lower), abs(change.upper))
        accuracy = f"{verb} {abs(change.value):.2f} points ({format_range(sizes, 2)} over seeds)"
    costs = _differing_costs(comparison)
    return f"{accuracy} and takes {join_words(costs)}" if costs else accuracy


def _rows(comparisons: list[Comparison]) -> Iterator[list[str]]:
    before = ""
    for each in comparisons:
        what = (
            f"the recipe `{each.level}`"
            if each.factor == BASELINE_ROW
            else f"{each.factor}: {each.baseline_level} → {each.level}"
        )
        # Written once, where several architectures follow each other.
        yield ["" if what == before else what, *_cells(each)]
        before = what


def _cells(comparison: Comparison) -> list[str]:
    outcome, change = comparison.outcome, comparison.change
    spread = "" if math.isnan(outcome.accuracy_std) else f" ± {outcome.accuracy_std:.2f}"
    own = comparison.factor == BASELINE_ROW
    ratios = [
        f"×{ratio.value:.2f}" if name in comparison.differing_costs else Verdict.NO_DIFFERENCE
        for name, ratio in comparison.ratios.items()
    ] or [_COSTS, _COSTS]
    return [
        outcome.architecture,
        f"{outcome.accuracy:.2f}{spread}",
        "" if own else f"{change.value:+.2f} ({change.lower:+.2f} to {change.upper:+.2f})",
        str(outcome.epochs),
        *ratios,
    ]


def _tried(trials: pd.DataFrame) -> Iterator[list[str]]:
    """Yield the best and the worst of what was tried for each question, network and method."""
    keys = ["question", "architecture", "method"]
    for names, group in trials.groupby(keys, sort=False):
        means = group.groupby("changes")["validation_accuracy"].mean()
        best, worst = str(means.idxmax()), str(means.idxmin())
        common = set.intersection(*(set(str(changes).split()) for changes in means.index))
        last = [_changes(worst, common), f"{means.min():.2f}"] if len(means) > 1 else ["", ""]
        yield [
            *map(str, names),
            str(len(group)),
            *(_changes(best, common), f"{means.max():.2f}"),
            *last,
        ]


def _changes(changes: str, common: set[str]) -> str:
    """Return what tells a combination from the others of its question, or all of a single one."""
    own = [change for change in changes.split() if change not in common]
    words = ", ".join(own or changes.split()).replace("_", " ").replace("=", " ")
    return words or "nothing changed"
