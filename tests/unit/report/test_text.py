"""Numbers as words: what the templates filter them through."""

import math

import pytest

from pipeline.report import text
from pipeline.report.statistics import Estimate


def test_one_seed_tells_nothing() -> None:
    assert text.chance_of_one_sign(1) == "One seed cannot tell a change from chance."
    assert text.chance_of_one_sign(3).endswith("one time in 4.")


def test_a_number_has_its_decimals_or_is_a_dash() -> None:
    assert text.format_number(12345.678, 1) == "12,345.7"
    assert text.format_number(math.nan) == "-"


def test_a_range_is_one_number_where_both_ends_look_alike() -> None:
    assert text.format_range([0.231, 0.249, 0.24], 2) == "0.23 to 0.25"
    assert text.format_range([0.231, 0.234], 2) == "0.23"


def test_a_ratio_as_percent_less() -> None:
    assert text.percent_less([0.25, 0.2]) == "75 to 80"


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ([0.57, 1.73], "lost 0.6 to 1.7 points"),
        ([-0.5, -0.5], "gained 0.5 points"),
        ([-0.2, 0.3], "changed by -0.3 to +0.2 points"),
    ],
)
def test_points_are_lost_or_gained(lost: list[float], said: str) -> None:
    assert text.points_lost(lost) == said


def test_a_ratio_that_is_no_difference_is_no_number() -> None:
    assert text.ratio_in_brackets("epoch_seconds", Estimate(0.234, 0.2, 0.3)) == "(0.23×)"
    assert text.ratio_in_brackets("epoch_seconds", Estimate(0.9, 0.8, 1.1)) == "(no difference)"
    wide = Estimate(1.25, 1.09, 1.35)
    assert text.ratio_with_interval("epoch_seconds", wide) == "1.25 [1.09, 1.35]"
    assert text.ratio_with_interval("training_memory_mib", wide) == "no difference"
    same = Estimate(1.05, 0.99, 1.2)
    assert text.ratio_with_interval("epoch_seconds", same) == "1.05 [0.99, 1.20], no difference"


def test_few_rounds_have_a_range() -> None:
    assert text.interval_name(6) == "95 % interval"
    assert text.interval_name(5) == "range (too few rounds for an interval)"


def test_nouns_and_enumerations() -> None:
    assert (text.plural(1, "thread"), text.plural(2, "thread")) == ("1 thread", "2 threads")
    assert text.join_words(["a"]) == "a"
    assert text.join_words(["a", "b", "c"]) == "a, b and c"
