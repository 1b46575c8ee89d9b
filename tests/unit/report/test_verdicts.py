import pytest

from pipeline.report.statistics import Estimate
from pipeline.report.verdicts import (
    Cases,
    Verdict,
    judge_aim,
    judge_claim,
    judge_cost,
    judge_gain,
    judge_speed,
    sort_cases,
)

SAVED, LOST, SAME = Verdict.SAVED, Verdict.LOST, Verdict.NO_DIFFERENCE


@pytest.mark.parametrize(
    ("ratio", "time", "memory"),
    [
        (Estimate(0.5, 0.4, 0.6), SAVED, SAVED),
        (Estimate(2, 1.5, 2.2), LOST, LOST),
        (Estimate(0.9, 0.6, 1.02), SAME, SAME),
        (Estimate(1, 1, 1), SAME, SAME),
        # The interval tells it from 1, but is wider than the difference.
        (Estimate(1.25, 1.09, 1.35), LOST, SAME),
        (Estimate(0.9, 0.8, 0.95), SAVED, SAME),
        # Small, but the same in all rounds.
        (Estimate(1.01, 1.01, 1.01), LOST, LOST),
    ],
)
def test_a_cost_is_saved_where_its_ratio_is_below_1(
    ratio: Estimate, time: Verdict, memory: Verdict
) -> None:
    assert judge_cost("epoch_seconds", ratio) is time
    assert judge_cost("training_memory_mib", ratio) is memory


def test_ratios_may_have_to_be_far_from_1() -> None:
    for value in (0.8, 1.25):
        assert judge_cost("time", Estimate(value, value, value), alike=1.35) is SAME
    assert judge_cost("time", Estimate(0.7, 0.7, 0.7), alike=1.35) is SAVED


def test_more_speed_is_better() -> None:
    assert judge_speed(Estimate(3, 2, 4)) is SAVED
    assert judge_speed(Estimate(0.5, 0.4, 0.6)) is LOST
    assert judge_speed(Estimate(1.5, 0.9, 2)) is SAME


def test_a_small_gain_is_none() -> None:
    assert judge_gain(Estimate(0.5, 0.4, 0.6)) is SAVED
    assert judge_gain(Estimate(-0.5, -0.6, -0.4)) is LOST
    assert judge_gain(Estimate(0.5, -0.1, 0.6)) is SAME
    assert judge_gain(Estimate(0.5, 0.4, 0.6), least=0.6) is SAME


@pytest.mark.parametrize(
    ("claimed", "ours", "holds"),
    [
        (10, Estimate(5, 4, 6), "yes"),
        (-10, Estimate(5, 4, 6), "no"),
        (-10, Estimate(-5, -6, -4), "yes"),
        (10, Estimate(5, -1, 6), "undecided"),
        (10, Estimate(0.5, 0.4, 0.6), "undecided"),
    ],
)
def test_a_claim_holds_by_its_direction(claimed: float, ours: Estimate, holds: str) -> None:
    assert judge_claim(claimed, ours, least=1) == holds


@pytest.mark.parametrize(
    ("ours", "at_least", "verdict"),
    [
        (Estimate(6, 5.5, 7), True, "met"),
        (Estimate(6, 5.5, 7), False, "missed"),
        (Estimate(4, 3, 4.5), True, "missed"),
        (Estimate(4, 3, 4.5), False, "met"),
        (Estimate(6, 4, 7), True, "undecided"),
        (Estimate(5, 5, 5), True, "met"),
        (Estimate(5, 5, 5), False, "met"),
        (None, True, "not measured"),
    ],
)
def test_an_aim_is_met_by_the_whole_interval(
    ours: Estimate | None, at_least: bool, verdict: str
) -> None:
    assert judge_aim(ours, 5, at_least=at_least) == verdict


def test_no_case_is_lost() -> None:
    cases = sort_cases([(SAVED, 0.5), (SAME, 1.0), (LOST, 2.0), (SAVED, 0.4)])
    assert cases == Cases([0.5, 0.4], [2.0], 1)
    assert (cases.apart, cases.total) == ([0.5, 0.4, 2.0], 4)
    assert sort_cases([]).total == 0
