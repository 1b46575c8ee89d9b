"""Paired ratios: the median over rounds of the ratio within a round, with its interval."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

CONFIDENCE = 0.95
# The range of n rounds holds the median of what they are drawn from with probability
# 1 - 2 / 2^n. That reaches 95 % with six rounds; no interval from fewer can promise it.
ROUNDS_FOR_INTERVAL = 6
# In a table, an estimate named NAME stands in the columns NAME, NAME_lower and NAME_upper.
ENDS = ("", "_lower", "_upper")


@dataclass(frozen=True)
class Estimate:
    """A value with an interval: of confidence, or the plain range of the values seen."""

    value: float
    lower: float
    upper: float

    def holds(self, value: float) -> bool:
        """Tell whether the interval holds `value`, so that the two cannot be told apart."""
        return self.lower <= value <= self.upper


def estimate_columns(name: str, estimate: Estimate) -> dict[str, float]:
    """Return an estimate as three columns of a row, which `read_estimate` reads back."""
    values = (estimate.value, estimate.lower, estimate.upper)
    return {f"{name}{end}": value for end, value in zip(ENDS, values, strict=True)}


def read_estimate(row: "pd.Series[Any]", name: str) -> Estimate:
    """Return the estimate that `estimate_columns` stored in a row."""
    return Estimate(*(float(row[f"{name}{end}"]) for end in ENDS))


def paired_ratio(values: NDArray[np.float64], baseline: NDArray[np.float64]) -> Estimate:
    """Return the median of values / baseline and its 95 % interval.

    The interval runs from one of the ratios to another, as far from the ends as 95 % allow. It
    assumes no distribution. From fewer than ROUNDS_FOR_INTERVAL rounds it is the whole range, which
    holds the median less often.

    Args:
        values: (rounds) costs of one method, in order of the rounds.
        baseline: (rounds) costs of the other method, from the same rounds.

    Source: Conover, "Practical Nonparametric Statistics", 3rd edition, 1999, section 3.2.
    """
    ratios = np.sort(values / baseline)
    rounds = len(ratios)
    # The median lies outside of all but the `left_out` first with the probability that so many
    # tosses of a coin, or fewer, are heads; as often beyond the last ones.
    left_out, outside = 0, 1 / 2**rounds
    while True:
        outside += math.comb(rounds, left_out + 1) / 2**rounds
        if 1 - 2 * outside < CONFIDENCE:
            break
        left_out += 1
    lower, upper = ratios[left_out], ratios[rounds - 1 - left_out]
    return Estimate(float(np.median(ratios)), float(lower), float(upper))


def paired_difference(values: NDArray[np.float64], baseline: NDArray[np.float64]) -> Estimate:
    """Return the mean of values - baseline over seeds, and the range of the differences.

    Args:
        values: (seeds) accuracies of one method.
        baseline: (seeds) accuracies of the other, from the same seeds in the same order.
    """
    differences = values - baseline
    return Estimate(float(differences.mean()), float(differences.min()), float(differences.max()))
