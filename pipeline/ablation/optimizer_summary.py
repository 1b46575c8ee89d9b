"""Optimizers and techniques as the ablation's summary shows them: a table per network."""

from collections.abc import Iterator, Mapping, Sequence

from pipeline.ablation.comparison import MIN_POINTS
from pipeline.ablation.optimizer_plan import Cell, OptimizersPlan
from pipeline.ablation.optimizer_results import OptimizerOutcome
from pipeline.report.markdown import markdown
from pipeline.report.statistics import paired_difference
from pipeline.report.verdicts import Verdict, judge_gain

_HEADERS = (
    *("bytes per weight", "rate", "validation accuracy, %", "difference, points"),
    *("at half the rate", "at twice the rate"),
)


def describe_optimizers(
    plan: OptimizersPlan, outcomes: Mapping[str, list[OptimizerOutcome]]
) -> dict[str, object]:
    """Return what the template of the ablation's summary says about a comparison."""
    file = plan.file
    every = [outcome for group in outcomes.values() for outcome in group]
    return {
        "baseline": file.baseline,
        "factors": [f"{factor:g}" for factor in file.factors],
        "seeds": file.seeds,
        "trainings": len(every) * plan.trials_of_each,
        "normalization_rate": file.normalization_rate,
        "at_edge": [
            f"{each.name} on {each.grid[0].cell.architecture}" for each in every if each.is_at_edge
        ],
        "cells": [_describe_cell(plan, cell, outcomes) for cell in file.cells],
    }


def _describe_cell(
    plan: OptimizersPlan, cell: Cell, outcomes: Mapping[str, list[OptimizerOutcome]]
) -> dict[str, object]:
    group = outcomes[cell.architecture]
    (other,) = (each for each in group if each.name == plan.file.baseline)
    by_verdict: dict[Verdict, list[str]] = {}
    for each in group:
        if each is not other:
            verdict = judge_gain(paired_difference(each.accuracies, other.accuracies), MIN_POINTS)
            by_verdict.setdefault(verdict, []).append(each.name)
    words = {
        Verdict.SAVED: "more accurate",
        Verdict.NO_DIFFERENCE: str(Verdict.NO_DIFFERENCE),
        Verdict.LOST: "less accurate",
    }
    return {
        "title": f"{cell.architecture}, batches of {cell.batch_size}, {cell.epochs} epochs",
        "verdicts": {
            word: "; ".join(by_verdict[verdict])
            for verdict, word in words.items()
            if verdict in by_verdict
        },
        "table": markdown([plan.path.stem.removesuffix("s"), *_HEADERS], _rows(group, other)),
    }


def _rows(group: Sequence[OptimizerOutcome], other: OptimizerOutcome) -> Iterator[list[str]]:
    for each in group:
        low, high = each.accuracies.min(), each.accuracies.max()
        change = paired_difference(each.accuracies, other.accuracies)
        difference = f"{change.value:+.2f} ({change.lower:+.2f} to {change.upper:+.2f})"
        yield [
            each.name,
            f"{each.bytes_per_weight:.2f}",
            f"{each.grid[each.best].rate:g}",
            f"{each.accuracies.mean():.2f} ({low:.2f} to {high:.2f})",
            "" if each is other else difference,
            *(_points(each.change_at(factor)) for factor in (0.5, 2)),
        ]


def _points(change: float | None) -> str:
    return "not tried" if change is None else f"{change:+.2f}"
