"""Paired ratios: the median over rounds of the ratio within a round, with its interval."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
# The range of n rounds holds the median of what they are drawn from with probability
# 1 - 2 / 2^n. That reaches 95 % with six rounds; no interval from fewer can promise it.
ROUNDS_FOR_INTERVAL = 6
PERCENTILES = (2.5, 97.5)


@dataclass(frozen=True)
class Estimate:
    """A value with an interval: of confidence, or the plain range of what was seen."""

    value: float
    lower: float
    upper: float

    def holds(self, value: float) -> bool:
        """Tell whether the interval holds `value`, so that the two cannot be told apart."""
        return self.lower <= value <= self.upper


def paired_ratio(values: NDArray[np.float64], baseline: NDArray[np.float64]) -> Estimate:
    """Return the median of values / baseline and its 95 % bootstrap interval.

    Args:
        values: (rounds) of one method, in order of the rounds.
        baseline: (rounds) of the other method, from the same rounds.

    Source: Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13 (the
    percentile interval). The resampling is seeded: the same rounds give the same interval.
    """
    ratios = values / baseline
    generator = np.random.default_rng(0)
    resampled = generator.choice(ratios, size=(RESAMPLES, len(ratios)))
    lower, upper = np.percentile(np.median(resampled, axis=1), PERCENTILES)
    return Estimate(float(np.median(ratios)), float(lower), float(upper))


def paired_difference(values: NDArray[np.float64], baseline: NDArray[np.float64]) -> Estimate:
    """Return the mean of values - baseline over seeds, and the range of the differences.

    Args:
        values: (seeds) of one method.
        baseline: (seeds) of the other, the same seeds in the same order.
    """
    differences = values - baseline
    return Estimate(float(differences.mean()), float(differences.min()), float(differences.max()))
