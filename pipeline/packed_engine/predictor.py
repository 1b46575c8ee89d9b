"""A model laid out for prediction: in bits from the first layer to the scores."""

import binary_kernels as kernels
import numpy as np
from numpy.typing import NDArray

from pipeline.gamma import curve
from pipeline.packed_engine.encoding import BITS_OF_A_PIXEL
from pipeline.packed_engine.model import PackedModel


class Predictor:
    """A packed model that predicts."""

    def __init__(self, model: PackedModel, threads: int) -> None:
        self._classes, self._threads = model.widths[-1], threads
        levels = curve(model.pixel_gamma) >> (BITS_OF_A_PIXEL - model.pixel_bits)
        last = model.last
        self._passes = [
            kernels.Network(
                levels,
                list(model.widths[:-1]),
                [*(layer.bits for layer in model.hidden), last.bits],
                [layer.thresholds[number] for layer in model.hidden],
                last.scale,
                last.shift,
            )
            for number in range(model.passes)
        ]

    def scores(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return (batch, classes) class scores of images, (batch, pixels), a byte a pixel."""
        return self._mean(images, encoded=False)

    def encoded_scores(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the same of images that `encoding.encode` has made, (batch, bytes)."""
        return self._mean(images, encoded=True)

    def _mean(self, images: NDArray[np.uint8], *, encoded: bool) -> NDArray[np.float32]:
        if len(self._passes) == 1:
            return self._scores(self._passes[0], images, encoded)
        first, *others = (self._scores(each, images, encoded) for each in self._passes)
        # Divided before they are added, so that no sum of finite scores overflows.
        count = np.float32(len(self._passes))
        mean = first / count
        for scores in others:
            mean += scores / count
        return mean

    def _scores(
        self, network: kernels.Network, images: NDArray[np.uint8], encoded: bool
    ) -> NDArray[np.float32]:
        scores = np.empty((len(images), self._classes), np.float32)
        network.scores(images, scores, encoded=encoded, threads=self._threads)
        return scores
