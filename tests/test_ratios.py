import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline.ratios import ROUNDS_FOR_INTERVAL, Estimate, paired_difference, paired_ratio

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
    for _ in range(200):
        noise = np.exp(generator.normal(0, 0.1, rounds))
        covered += paired_ratio(2 * noise, np.ones(rounds)).holds(2)
    assert covered >= 0.9 * 200


def test_a_difference_is_a_mean_and_a_range() -> None:
    result = paired_difference(np.array([1.0, 2, 6]), np.array([1.0, 1, 1]))
    assert result == Estimate(2, 0, 5)
    assert result.holds(0)
    assert not result.holds(6)
