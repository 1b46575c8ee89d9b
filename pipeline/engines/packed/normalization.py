"""Batch normalization (Ioffe & Szegedy 2015, arXiv 1502.03167): what all layers learn and keep."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.engines.packed.encoding import padded

PANEL = 32
# As in torch.
EPSILON = 1e-5
MOMENTUM = 0.1


class Normalization:
    """One layer's part, in arrays of panels of 32 features.

    Attributes:
        parameters: (panels, 2, 32) float32: gain and bias.
        running: (panels, 2, 32) float32: running mean and unbiased variance of s.
    """

    def __init__(self, outputs: int, parameters: NDArray[np.float32]) -> None:
        panels = len(parameters)
        # Features past the last have gain 0, and get no gradient.
        parameters[:, 0] = np.arange(panels * PANEL).reshape(panels, PANEL) < outputs
        self.parameters = parameters
        self.running = np.zeros((panels, 2, PANEL), np.float32)
        self.running[:, 1] = 1


class NetworkNormalization:
    """All layers' parameters in one array, so that one optimizer step serves all.

    Attributes:
        parameters: (panels of all layers, 2, 32) float32.
        moments: the two of Adam, like the parameters.
        layers: each layer's part.
    """

    def __init__(self, outputs: Sequence[int]) -> None:
        panels = [padded(width) // PANEL for width in outputs]
        starts = np.cumsum([0, *panels])
        shape = (int(starts[-1]), 2, PANEL)
        self.parameters = np.zeros(shape, np.float32)
        self.moments = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        self.layers = [
            Normalization(width, self.parameters[start:end])
            for width, start, end in zip(outputs, starts, starts[1:], strict=False)
        ]

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """Return parameters, running statistics and moments by name: no copies, (..., 32) each."""
        arrays = {"parameters": self.parameters, "m": self.moments[0], "v": self.moments[1]}
        for index, layer in enumerate(self.layers):
            arrays[f"running.{index}"] = layer.running
        return {name: array.reshape(-1, PANEL) for name, array in arrays.items()}

    def state_bytes(self) -> int:
        """Return the bytes of the optimizer's state."""
        return sum(moment.nbytes for moment in self.moments)

    def weight_bytes(self) -> int:
        """Return the bytes of parameters and running statistics."""
        return self.parameters.nbytes + sum(layer.running.nbytes for layer in self.layers)
