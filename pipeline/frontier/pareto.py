"""Which networks are worth their cost: the Pareto frontier, and what surely lies behind it."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import TypeVar

from pipeline.config.architecture import parse_name
from pipeline.frontier.plan import Candidate

_Item = TypeVar("_Item")


def frontier(
    items: Sequence[_Item],
    costs: Mapping[_Item, float],
    accuracies: Mapping[_Item, float],
    least_gain: float = 0.0,
) -> list[_Item]:
    """Return the items that no other beats in both cost and accuracy, the cheapest first.

    Args:
        items: any number.
        costs: by item; less is better.
        accuracies: by item; more is better.
        least_gain: an item is left out that gains no more over the one before it.
    """
    found: list[_Item] = []
    for item in sorted(items, key=lambda each: (costs[each], -accuracies[each])):
        if not found or accuracies[item] > accuracies[found[-1]] + least_gain:
            found.append(item)
    return found


def undominated(accuracies: Mapping[Candidate, float]) -> list[Candidate]:
    """Return the candidates that none surely cheaper one equals in accuracy.

    Surely cheaper, in time, memory, file size and latency, is a network of the same method and
    batch size that has no more layers, none of them wider, and trains for no more epochs.
    """
    return [
        each
        for each, accuracy in accuracies.items()
        if not any(
            other != each and found >= accuracy and _surely_no_dearer(other, each)
            for other, found in accuracies.items()
        )
    ]


def _surely_no_dearer(one: Candidate, other: Candidate) -> bool:
    convolutions, hidden = parse_name(one.architecture)
    others_convolutions, others_hidden = parse_name(other.architecture)
    return (
        (one.name, one.batch_size, convolutions)
        == (other.name, other.batch_size, others_convolutions)
        and one.method.epochs <= other.method.epochs
        and all(own <= others for own, others in zip_longest(hidden, others_hidden, fillvalue=0))
    )
