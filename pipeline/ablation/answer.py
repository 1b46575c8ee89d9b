"""The ingredients sorted by what they buy."""

from collections.abc import Callable, Sequence
from itertools import groupby

from pipeline.ablation.comparison import LEAST_POINTS, REFERENCE, Comparison
from pipeline.report.text import format_range, join_words

# A setting on every architecture that it is trained on.
_Setting = list[Comparison]


def answer(comparisons: Sequence[Comparison]) -> str:
    """Return lists of what buys accuracy, what costs some, and what buys time or memory.

    The largest change of accuracy comes first.
    """
    shown = [each for each in comparisons if each.ingredient != REFERENCE]
    settings = [
        list(rows) for _, rows in groupby(shown, lambda each: (each.ingredient, each.setting))
    ]
    settings.sort(key=lambda rows: -max(abs(each.change.value) for each in rows))
    lists: dict[str, tuple[Callable[[_Setting], bool], Callable[[_Setting], str]]] = {
        f"What buys accuracy, with every seed and {LEAST_POINTS} points or more": (
            _buys_accuracy,
            _points,
        ),
        f"What costs accuracy, with every seed and {LEAST_POINTS} points or more": (
            _costs_accuracy,
            _points,
        ),
        "What buys time or memory of training": (_buys_costs, _costs),
    }
    paragraphs = []
    for title, (is_so, say) in lists.items():
        lines = [_named(rows, say) for rows in settings if is_so(rows)] or ["nothing"]
        paragraphs.append(f"{title}:\n\n" + "\n".join(f"- {line}" for line in lines))
    return "\n\n".join(paragraphs)


def costs(comparison: Comparison) -> list[str]:
    """Return how many times the variant's time and memory the reference takes, where clear.

    The time is that of all epochs: their numbers are said where they are not the same.
    """
    ratios, (own, other) = comparison.ratios, (comparison.reference, comparison.outcome)
    epochs = "" if own.epochs == other.epochs else f" ({own.epochs} epochs against {other.epochs})"
    return [
        f"{1 / ratios[name].value:.2f} times the {name}{epochs if name == 'time' else ''}"
        for name in comparison.differing_costs
    ]


def _named(rows: _Setting, say: Callable[[_Setting], str]) -> str:
    first = rows[0]
    return f"{first.ingredient}, *{first.chosen}* rather than *{first.setting}*: {say(rows)}"


def _buys_accuracy(rows: _Setting) -> bool:
    return all(each.accuracy_differs and each.change.value < 0 for each in rows)


def _costs_accuracy(rows: _Setting) -> bool:
    return all(each.accuracy_differs and each.change.value > 0 for each in rows)


def _buys_costs(rows: _Setting) -> bool:
    return any(each.ratios[name].value > 1 for each in rows for name in each.differing_costs)


def _points(rows: _Setting) -> str:
    return f"{format_range((abs(each.change.value) for each in rows), 2)} points"


def _costs(rows: _Setting) -> str:
    return "; ".join(
        f"{join_words(said)} on {each.outcome.architecture}"
        for each in rows
        if (said := costs(each))
    )
