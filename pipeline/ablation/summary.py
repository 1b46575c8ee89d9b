"""reports/ablation/summary.md."""

import math
from collections.abc import Iterator, Mapping

from pipeline.ablation.answer import answer, costs
from pipeline.ablation.comparison import ALIKE_COSTS, LEAST_POINTS, REFERENCE, Comparison
from pipeline.ablation.plan import Ingredient, Plan
from pipeline.ablation.results import Result
from pipeline.ablation.tried import tried
from pipeline.report.captions import captioned
from pipeline.report.markdown import markdown
from pipeline.report.summary.machine import machine_in_words
from pipeline.report.text import chance_of_one_sign, format_range, join_words
from pipeline.report.verdicts import Verdict

CAPTION = (
    "What happens to test accuracy when something of a recipe is changed. Bold is the ingredient "
    "as the recipe has it, with the recipe's accuracy at 0; below it, what takes its place. Small "
    "dots are seeds, each against the same seed of the recipe; the large one is their mean, the "
    "line their range. Time and memory are those of training, as multiples of the recipe's; "
    "where a row is empty, that was not trained."
)
HEADERS = (
    *("what is changed", "network", "test accuracy, %", "change, points", "epochs", "s an epoch"),
    *("time", "training memory, MiB", "memory"),
)


def render(plan: Plan, comparisons: list[Comparison], results: Mapping[str, Result]) -> str:
    """Return the whole of summary.md."""
    seeds = len(comparisons[0].outcome.runs)
    words = "seed" if seeds == 1 else f"{seeds} seeds"
    sections = [
        "# What each ingredient buys",
        "Each recipe in [params.yaml](../../params.yaml) beside variants of it with the same "
        f"{words}. What is changed is in [variants.yaml](../../ablation/variants.yaml); where that "
        "is more than one key, as with another recipe altogether, the ingredient says which.",
        answer(comparisons),
        captioned("figure", CAPTION),
        "## Ingredient by ingredient",
        *(_ingredient(each, comparisons) for each in plan.ingredients),
        "## Table",
        "*Time* and *memory* are those of training as multiples of the recipe's; time is that of "
        "all epochs. The first rows are the recipes themselves. ([table.csv](table.csv), which "
        "has validation accuracy and model size as well)",
        markdown(HEADERS, _rows(comparisons)),
        tried(),
        "## How it was measured",
        _measured(results),
        _limits(seeds, sum(each.ingredient != REFERENCE for each in comparisons)),
    ]
    return "\n\n".join(sections) + "\n"


def _ingredient(ingredient: Ingredient, comparisons: list[Comparison]) -> str:
    lines = [
        f"### {ingredient.name}: {ingredient.chosen}",
        "",
        f"{ingredient.text} ({ingredient.source})",
        "",
    ]
    for setting in ingredient.settings.values():
        rows = [
            each
            for each in comparisons
            if each.ingredient == ingredient.name and each.setting == setting
        ]
        said = "; ".join(f"on {each.outcome.architecture} it {_verdict(each)}" for each in rows)
        lines.append(f"- *{ingredient.chosen}* rather than *{setting}*: {said}.{_keys(rows[0])}")
    return "\n".join(lines)


def _keys(comparison: Comparison) -> str:
    """Say which keys differ, if it is more than one."""
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
    """Say what the reference has that the variant has not: the other way round than `change`."""
    change = comparison.change
    if not comparison.accuracy_differs:
        accuracy = f"makes {Verdict.NO_DIFFERENCE} to accuracy"
    else:
        verb = "buys" if change.value < 0 else "costs"
        sizes = (abs(change.lower), abs(change.upper))
        accuracy = f"{verb} {abs(change.value):.2f} points ({format_range(sizes, 2)} over seeds)"
    more = costs(comparison)
    return f"{accuracy} and takes {join_words(more)}" if more else accuracy


def _rows(comparisons: list[Comparison]) -> Iterator[list[str]]:
    before = ""
    for each in comparisons:
        what = (
            f"the recipe `{each.setting}`"
            if each.ingredient == REFERENCE
            else f"{each.ingredient}: {each.chosen} → {each.setting}"
        )
        # Said once, where several architectures follow each other.
        yield ["" if what == before else what, *_cells(each)]
        before = what


def _cells(comparison: Comparison) -> list[str]:
    outcome, change, ratios = comparison.outcome, comparison.change, comparison.ratios
    spread = "" if math.isnan(outcome.accuracy_std) else f" ± {outcome.accuracy_std:.2f}"
    return [
        outcome.architecture,
        f"{outcome.accuracy:.2f}{spread}",
        ""
        if comparison.ingredient == REFERENCE
        else f"{change.value:+.2f} ({change.lower:+.2f} to {change.upper:+.2f})",
        str(outcome.epochs),
        f"{outcome.epoch_seconds:.3f}",
        f"×{ratios['time'].value:.2f}",
        f"{outcome.training_mib:.1f}",
        f"×{ratios['memory'].value:.2f}",
    ]


def _measured(results: Mapping[str, Result]) -> str:
    machines = dict.fromkeys(
        machine_in_words(each.environment.model_dump()) for each in results.values()
    )
    minutes = sum(each.environment.seconds for each in results.values()) / 60
    return "\n".join([*(f"- {machine}" for machine in machines), f"- {minutes:.0f} minutes in all"])


def _limits(seeds: int, comparisons: int) -> str:
    return (
        "Each training is a fresh process. An epoch is forward, backward and update over all "
        "training images, by wall clock and without evaluation; its seconds are the median over "
        "epochs, then over seeds. Training memory is the peak above the moment just before the "
        "network is built, in a process that has trained a tiny one, the median over seeds. The "
        "test set is used once a training, after it, and chooses nothing: the recipes were chosen "
        "by validation accuracy and cost. ± is the standard deviation over seeds.\n\n"
        "A change is the mean of the differences to the same seed of the recipe, with their range "
        f"in brackets; *{Verdict.NO_DIFFERENCE}* is said where the range holds 0, or the change is "
        f"less than {LEAST_POINTS} points, one test image in a thousand. "
        f"{chance_of_one_sign(seeds)} There are {comparisons} comparisons here. Variants are "
        "trained one after the other, not in turn as in the "
        "[report's measurements](../summary.md), so that what else the machine does is in their "
        "times: nothing is said of time and memory less than "
        f"{ALIKE_COSTS} times apart, nor where they differ no more than the seeds of the recipe do "
        "among themselves, or the ranges over seeds overlap. What else a recipe has is not tuned "
        "anew: what a variant could reach by itself may be more."
    )
