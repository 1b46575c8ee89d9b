import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline.report.statistics import (
    ROUNDS_FOR_INTERVAL,
    Estimate,
    paired_difference,
    paired_ratio,
)

ROUNDS = hnp.arrays(np.float64, 7, elements=st.floats(0.1, 10))


@given(ROUNDS, ROUNDS)
def test_a_ratio_is_the_median_within_its_interval(values: np.ndarray, base: np.ndarray) -> None:
    ratio = paired_ratio(values, base)
    ratios = values / base
    assert ratio.value == np.median(ratios)
    assert ratios.min() <= ratio.lower <= ratio.value <= ratio.upper <= ratios.max()
    assert ratio == paired_ratio(values, base)


@given(ROUNDS, st.floats(0.1, 10))
def test_drift_that_hits_both_sides_cancels(base: np.ndarray, factor: float) -> None:
    ratio = paired_ratio(factor * base, base)
    np.testing.assert_allclose([ratio.value, ratio.lower, ratio.upper], factor, rtol=1e-12)


@pytest.mark.parametrize("rounds", [ROUNDS_FOR_INTERVAL, 25])
def test_the_interval_covers_the_truth_as_often_as_it_says(rounds: int) -> None:
    generator = np.random.default_rng(0)
    covered = 0
    for _ in range(1000):
        noise = np.exp(generator.normal(0, 0.1, rounds))
        covered += paired_ratio(2 * noise, np.ones(rounds)).holds(2)
    # Of whole ratios, the next narrower interval holds it too seldom.
    assert covered >= 0.94 * 1000


def test_the_interval_is_as_narrow_as_its_confidence_allows() -> None:
    def interval(rounds: int) -> tuple[float, float]:
        ratio = paired_ratio(np.arange(1.0, rounds + 1), np.ones(rounds))
        return ratio.lower, ratio.upper

    # From tables of the binomial distribution.
    for rounds, left_out in ((1, 0), (3, 0), (6, 0), (8, 0), (9, 1), (12, 2), (20, 5), (25, 7)):
        assert interval(rounds) == (1 + left_out, rounds - left_out)


def test_a_difference_is_a_mean_and_a_range() -> None:
    result = paired_difference(np.array([1.0, 2, 6]), np.array([1.0, 1, 1]))
    assert result == Estimate(2, 0, 5)
    assert result.holds(0)
    assert not result.holds(6)
