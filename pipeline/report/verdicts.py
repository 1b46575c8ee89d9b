"""What an estimate with its interval shows: the one place that decides it for all reports."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from pipeline.report.statistics import Estimate


class Verdict(StrEnum):
    """Beside the baseline, or beside a claim or an aim."""

    SAVED = "saved"
    LOST = "lost"
    NO_DIFFERENCE = "no difference"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Cases:
    """Values of several cases, sorted by verdict.

    Attributes:
        saved: the values of cases that are better than the baseline.
        lost: the values of cases that are worse.
        same: how many cases cannot be told from the baseline.
    """

    saved: list[float]
    lost: list[float]
    same: int

    @property
    def apart(self) -> list[float]:
        """The values of all cases that differ from the baseline."""
        return [*self.saved, *self.lost]

    @property
    def total(self) -> int:
        """How many cases there are."""
        return len(self.apart) + self.same


def judge_cost(cost: str, ratio: Estimate, alike: float = 1.0) -> Verdict:
    """Say whether a cost was saved, from its ratio to the baseline.

    There is no difference where the interval holds 1. Nor is there one of memory where the spread
    over rounds, which is the interval's width, exceeds the difference from 1.

    Args:
        cost: the name of the cost, which tells memory from time.
        ratio: the cost over the baseline's; less is better.
        alike: ratios between 1 / alike and alike are no difference either.
    """
    spread = ratio.upper - ratio.lower
    unstable = "memory" in cost and spread > abs(ratio.value - 1)
    if unstable or ratio.holds(1) or 1 / alike <= ratio.value <= alike:
        return Verdict.NO_DIFFERENCE
    return Verdict.SAVED if ratio.value < 1 else Verdict.LOST


def judge_speed(ratio: Estimate) -> Verdict:
    """Say whether something is faster, from how many times as fast as the other it is."""
    if ratio.holds(1):
        return Verdict.NO_DIFFERENCE
    return Verdict.SAVED if ratio.value > 1 else Verdict.LOST


def judge_gain(difference: Estimate, least: float = 0.0) -> Verdict:
    """Say whether a difference, of which more is better, is a gain.

    Args:
        difference: of points of accuracy, or of percent saved.
        least: smaller differences are none.
    """
    if difference.holds(0) or abs(difference.value) < least:
        return Verdict.NO_DIFFERENCE
    return Verdict.SAVED if difference.value > 0 else Verdict.LOST


def judge_claim(claimed: float, ours: Estimate, least: float = 0.0) -> str:
    """Say whether the direction of a claimed difference holds: yes, no or undecided."""
    verdict = judge_gain(ours, least)
    if verdict is Verdict.NO_DIFFERENCE:
        return Verdict.UNDECIDED
    return "yes" if (claimed > 0) == (verdict is Verdict.SAVED) else "no"


def judge_aim(ours: Estimate | None, aim: float, *, at_least: bool) -> str:
    """Say whether an aim was met, missed, undecided or not measured.

    It is undecided where the interval holds the aim within its ends.
    """
    if ours is None:
        return "not measured"
    if ours.lower < aim < ours.upper:
        return Verdict.UNDECIDED
    better = ours.value >= aim if at_least else ours.value <= aim
    return "met" if better else "missed"


def sort_cases(judged: Iterable[tuple[Verdict, float]]) -> Cases:
    """Sort the values of cases by their verdicts, in the order given."""
    pairs = list(judged)
    saved, lost = (
        [value for verdict, value in pairs if verdict is wanted]
        for wanted in (Verdict.SAVED, Verdict.LOST)
    )
    return Cases(saved, lost, len(pairs) - len(saved) - len(lost))
