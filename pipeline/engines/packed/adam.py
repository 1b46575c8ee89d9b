"""Adam (Kingma & Ba 2015, arXiv 1412.6980): what a step's updates share, and the update."""

import binary_kernels as kernels
import numpy as np
from numpy.typing import NDArray

from pipeline.engines.packed.random_stream import StreamKey

BETA1 = 0.9
BETA2 = 0.999
EPSILON = 1e-8

# Sums of integers, which a factor per row scales, or numbers as they are.
Gradient = NDArray[np.int32] | NDArray[np.float32]


class Rate:
    """The factors of an Adam step, which all of a network's parameters share.

    Attributes:
        step_size: the learning rate, corrected for the first moment's bias.
        correction: of the root of the second moment, for its bias.
        correction_before: sqrt(1 - BETA2^steps) of the steps before this one.
    """

    def __init__(self) -> None:
        self._power1 = self._power2 = 1.0
        self.step_size = self.correction = self.correction_before = 0.0

    def advance(self, learning_rate: float) -> None:
        """Begin the next step."""
        self.learning_rate = learning_rate
        self.correction_before = float(np.sqrt(1 - self._power2))
        # Products and roots only: a power may differ in its last bit between platforms.
        self._power1 *= BETA1
        self._power2 *= BETA2
        self.step_size = learning_rate / (1 - self._power1)
        self.correction = 1 / float(np.sqrt(1 - self._power2))

    @property
    def powers(self) -> tuple[float, float]:
        """BETA1 and BETA2 to the number of steps begun: all that a step leaves to the next."""
        return self._power1, self._power2

    @powers.setter
    def powers(self, powers: tuple[float, float]) -> None:
        self._power1, self._power2 = powers


def adam(
    weights: NDArray[np.generic],
    moments: tuple[NDArray[np.generic], NDArray[np.generic]],
    gradient: Gradient,
    factors: NDArray[np.float32] | None,
    rate: Rate,
    *,
    limit: float,
    key: StreamKey = (0, 0, 0),
    first_row: int = 0,
    threads: int,
) -> None:
    """Take an Adam step in place, on (rows, columns). See `binary_kernels.adam`.

    Args:
        weights: what learns.
        moments: the two of Adam.
        gradient: of the weights.
        factors: (rows) of the gradient, or None.
        rate: of this step.
        limit: weights are clipped to [-limit, limit].
        key: of the random numbers that round what is held in few bits.
        first_row: the number of the first row in the layer, for these random numbers.
        threads: how many to use.
    """
    kernels.adam(
        weights,
        *moments,
        gradient,
        factors,
        beta1=BETA1,
        beta2=BETA2,
        epsilon=EPSILON,
        step_size=rate.step_size,
        correction=rate.correction,
        limit=limit,
        draw=key,
        first_row=first_row,
        threads=threads,
    )
