"""Ratios in words. One whose interval holds 1 is "no difference", and never a number in a claim."""

from typing import Any

import pandas as pd

from pipeline.config.params import Params
from pipeline.report.statistics import ROUNDS_FOR_INTERVAL, Estimate
from pipeline.report.text import NO_DIFFERENCE, format_range


def with_interval(ratio: Estimate) -> str:
    """Return a ratio, its interval, and whether that holds 1, for a cell of a table."""
    verdict = f", {NO_DIFFERENCE}" if ratio.holds(1) else ""
    return f"{ratio.value:.2f} [{ratio.lower:.2f}, {ratio.upper:.2f}]{verdict}"


def interval_name(rounds: int) -> str:
    """Return what an interval over so many rounds is."""
    enough = rounds >= ROUNDS_FOR_INTERVAL
    return "95 % interval" if enough else "range (too few rounds for an interval)"


def percent_saved(cases: pd.DataFrame, column: str, what: str) -> str:
    """Say how much of a cost was saved, in the cases where the interval tells it from float."""
    less = cases[cases[f"{column}_ratio_upper"] < 1]
    if less.empty:
        return f"nothing of {what}"
    percent = format_range(100 * (1 - less[f"{column}_ratio"]), 0)
    return f"{percent} % of {what}{_in_cases(len(less), len(cases))}"


def times_as_much(cases: pd.DataFrame, column: str, what: str) -> str:
    """Say how many times float's cost was paid, in the cases where the two are told apart."""
    low, high = (cases[f"{column}_ratio_{end}"] for end in ("lower", "upper"))
    apart = cases[(low > 1) | (high < 1)]
    if apart.empty:
        return f"{NO_DIFFERENCE} in {what}"
    same = len(cases) - len(apart)
    remark = f" ({NO_DIFFERENCE} in {same} of {len(cases)} cases)" if same else ""
    return f"{format_range(apart[f'{column}_ratio'], 2)} times the {what}{remark}"


def faster(cases: pd.DataFrame, other: str) -> str:
    """Say how many times as fast the packed network predicts, where it surely is faster.

    Args:
        cases: a row a case, with times_faster and its interval.
        other: what it is compared with.
    """
    low, high = cases["times_faster_lower"], cases["times_faster_upper"]
    ahead, behind = cases[low > 1], int((high < 1).sum())
    same = len(cases) - len(ahead) - behind
    counts = [(NO_DIFFERENCE, same), ("slower", behind)]
    rest = ", ".join(f"{verdict} in {count} of {len(cases)}" for verdict, count in counts if count)
    if ahead.empty:
        return f"is in no case faster than {other}: {rest}"
    where = _in_cases(len(ahead), len(cases))
    remark = f" ({rest})" if rest else ""
    return (
        f"predicts {format_range(ahead['times_faster'], 1)} times as fast as {other}{where}{remark}"
    )


def compared(row: "pd.Series[Any]", column: str, what: str) -> str:
    """Say of one case by how many percent a cost differs from float's."""
    ratio = Estimate(*(row[f"{column}_ratio{end}"] for end in ("", "_lower", "_upper")))
    if ratio.holds(1):
        return f"{NO_DIFFERENCE} in {what}"
    change = 100 * abs(ratio.value - 1)
    return f"{change:.0f} % {'more' if ratio.value > 1 else 'less'} {what}"


def rounds_of(params: Params) -> str:
    """Say over how many rounds the costs of training are medians, and what × float is."""
    return (
        f"medians over {params.profile.rounds} rounds; × float is the median of the ratios within "
        f"the rounds, with its {interval_name(params.profile.rounds)}, and so not the quotient of "
        "the medians beside it"
    )


def _in_cases(some: int, of_all: int) -> str:
    return "" if some == of_all else f" in {some} of {of_all} cases"
