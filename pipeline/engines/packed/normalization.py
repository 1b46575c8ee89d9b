"""Batch normalization (Ioffe & Szegedy 2015, arXiv 1502.03167) of all layers of a network.

The kernels normalize; this module holds the parameters, statistics and gradients.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.engines.packed.adam import adam
from pipeline.engines.packed.encoding import padded
from pipeline.engines.packed.step import StepContext

PANEL = 32
# As in torch.
EPSILON = 1e-5
MOMENTUM = np.float32(0.1)


class Normalization:
    """One layer's part, in arrays of panels of 32 features.

    Attributes:
        parameters: (panels, 2, 32) float32: gain and bias.
        gradient: of the parameters.
        batch: (panels, 5, 32) float32: mean, variance, inverse deviation, scale and shift of the
            last batch, as `binary_kernels.batch_statistics` writes them.
        running: (panels, 2, 32) float32: running mean and unbiased variance of s.
    """

    def __init__(
        self, outputs: int, parameters: NDArray[np.float32], gradient: NDArray[np.float32]
    ) -> None:
        panels = len(parameters)
        real = np.arange(panels * PANEL).reshape(panels, PANEL) < outputs
        self.parameters, self.gradient = parameters, gradient
        # Features past the last have gain 0, and get no gradient.
        self.parameters[:, 0] = real
        self._unreal = None if real.all() else ~real[:, None].repeat(2, axis=1)
        self.batch = np.zeros((panels, 5, PANEL), np.float32)
        self.running = np.zeros((panels, 2, PANEL), np.float32)
        self.running[:, 1] = 1
        self._unbiased = np.ones((2, 1), np.float32)
        self._statistics, self._step = self.batch[:, :2], np.empty_like(self.running)

    def update_running(self, batch: int) -> None:
        """Move the running statistics towards those of the batch of this size."""
        self._unbiased[1] = batch / (batch - 1)
        step = self._step
        np.multiply(self._statistics, self._unbiased, out=step)
        np.subtract(step, self.running, out=step)
        np.multiply(step, MOMENTUM, out=step)
        np.add(self.running, step, out=self.running)

    def finish_gradient(self) -> None:
        """Leave no gradient to features that do not exist."""
        if self._unreal is not None:
            np.copyto(self.gradient, 0, where=self._unreal)


class NetworkNormalization:
    """All layers' parameters in one array, so that one optimizer step serves all."""

    def __init__(self, outputs: Sequence[int]) -> None:
        panels = [padded(width) // PANEL for width in outputs]
        starts = np.cumsum([0, *panels])
        shape = (int(starts[-1]), 2, PANEL)
        self._parameters, self._gradient = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        flat = (-1, PANEL)
        self._flat = self._parameters.reshape(flat), self._gradient.reshape(flat)
        self._moments = np.zeros_like(self._flat[0]), np.zeros_like(self._flat[0])
        self.layers = [
            Normalization(width, self._parameters[start:end], self._gradient[start:end])
            for width, start, end in zip(outputs, starts, starts[1:], strict=False)
        ]

    def update(self, context: StepContext) -> None:
        """Learn from the gradients of this step."""
        for layer in self.layers:
            layer.finish_gradient()
        adam(
            self._flat[0],
            self._moments,
            self._flat[1],
            None,
            context.rate,
            limit=np.inf,
            threads=context.threads,
        )

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return parameters, running statistics and moments by name: no copies, (..., 32) each."""
        first, second = self._moments
        running = {
            f"running.{index}": layer.running.reshape(-1, PANEL)
            for index, layer in enumerate(self.layers)
        }
        return {"parameters": self._flat[0], "m": first, "v": second, **running}

    def state_bytes(self) -> int:
        """Return the bytes of the optimizer's state."""
        return sum(moment.nbytes for moment in self._moments)
