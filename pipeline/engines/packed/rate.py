"""What the updates of a training step share: the learning rate and Adam's corrections of bias."""

import numpy as np

# Of Adam (Kingma & Ba 2015, arXiv 1412.6980); RowProp's mean square decays as Adam's second moment.
BETA1 = 0.9
BETA2 = 0.999
EPSILON = 1e-8


class Rate:
    """The factors of a step, which all of a network's parameters share.

    Attributes:
        learning_rate: of the step.
        step_size: the learning rate, corrected for the bias of Adam's first moment.
        correction: of the root of Adam's second moment, for its bias.
        correction_before: sqrt(1 - BETA2^steps) of the steps before this one.
    """

    def __init__(self) -> None:
        self._power1 = self._power2 = 1.0
        self.learning_rate = self.step_size = self.correction = self.correction_before = 0.0

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
