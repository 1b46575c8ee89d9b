"""Numbers and names as words: the filters of the summary's templates."""

import math
from collections.abc import Iterable, Sequence

from pipeline.report.statistics import ROUNDS_FOR_INTERVAL, Estimate
from pipeline.report.verdicts import Verdict, judge_cost


def chance_of_one_sign(seeds: int) -> str:
    """Say how often all differences of so many seeds have one sign by chance."""
    if seeds == 1:
        return "One seed cannot tell a change from chance."
    return (
        f"That all {seeds} seeds have one sign is no proof: where nothing differs it happens one "
        f"time in {2 ** (seeds - 1)}."
    )


def format_number(value: float, digits: int = 0) -> str:
    """Return a number with so many decimals, or a dash where there is none."""
    return "-" if math.isnan(value) else f"{value:,.{digits}f}"


def format_range(values: Iterable[float], digits: int) -> str:
    """Return the smallest and the largest value, or one where they are written alike."""
    numbers = list(values)
    low, high = (f"{end:.{digits}f}" for end in (min(numbers), max(numbers)))
    return low if low == high else f"{low} to {high}"


def percent_less(ratios: Iterable[float]) -> str:
    """Return by how many percent ratios lie below 1, as a range."""
    return format_range([100 * (1 - ratio) for ratio in ratios], 0)


def points_lost(lost: Iterable[float]) -> str:
    """Say how many points of accuracy were lost; negative ones were gained."""
    points = list(lost)
    if min(points) < 0 < max(points):
        return f"changed by {-max(points):+.1f} to {-min(points):+.1f} points"
    verb = "lost" if max(points) > 0 else "gained"
    return f"{verb} {format_range([abs(each) for each in points], 1)} points"


def ratio_in_brackets(cost: str, ratio: Estimate) -> str:
    """Return a ratio as the opening table shows it, or that there is no difference."""
    verdict = judge_cost(cost, ratio)
    return f"({verdict})" if verdict is Verdict.NO_DIFFERENCE else f"({ratio.value:.2f}×)"


def ratio_with_interval(cost: str, ratio: Estimate) -> str:
    """Return a ratio and its interval, and whether there is no difference.

    Of memory without a difference no number is shown.
    """
    verdict = judge_cost(cost, ratio)
    if verdict is Verdict.NO_DIFFERENCE and "memory" in cost:
        return verdict
    remark = f", {verdict}" if verdict is Verdict.NO_DIFFERENCE else ""
    return f"{with_interval(ratio)}{remark}"


def with_interval(estimate: Estimate, digits: int = 2) -> str:
    """Return an estimate with its interval in brackets."""
    value, lower, upper = (
        f"{end:.{digits}f}" for end in (estimate.value, estimate.lower, estimate.upper)
    )
    return f"{value} [{lower}, {upper}]"


def interval_name(rounds: int) -> str:
    """Return what an interval over so many rounds is."""
    enough = rounds >= ROUNDS_FOR_INTERVAL
    return "95 % interval" if enough else "range (too few rounds for an interval)"


def plural(count: int, noun: str) -> str:
    """Return a number with its noun: 1 thread, 2 threads."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def join_words(names: Sequence[str]) -> str:
    """Return names as an enumeration: a, b and c."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
