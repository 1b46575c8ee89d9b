"""A model laid out for prediction: in bits from the first layer to the scores."""

import binary_kernels as kernels
import numpy as np
from numpy.typing import NDArray

from pipeline.data.gamma import curve
from pipeline.engines.packed.encoding import BITS_OF_A_PIXEL
from pipeline.engines.packed.model import PackedModel


class Predictor:
    """A packed model that predicts."""

    def __init__(self, model: PackedModel, threads: int) -> None:
        self._classes, self._threads = model.widths[-1], threads
        levels = curve(model.pixel_gamma) >> (BITS_OF_A_PIXEL - model.pixel_bits)
        last = model.last
        self._network = kernels.Network(
            levels,
            list(model.widths[:-1]),
            [*(layer.bits for layer in model.hidden), last.bits],
            [layer.thresholds for layer in model.hidden],
            last.scale,
            last.shift,
        )

    def scores(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return (batch, classes) class scores of images, (batch, pixels), a byte a pixel."""
        return self._scores(images, encoded=False)

    def encoded_scores(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the same of images that `encoding.encode` has made, (batch, bytes)."""
        return self._scores(images, encoded=True)

    def _scores(self, images: NDArray[np.uint8], *, encoded: bool) -> NDArray[np.float32]:
        scores = np.empty((len(images), self._classes), np.float32)
        self._network.scores(images, scores, encoded=encoded, threads=self._threads)
        return scores
