"""A model laid out for prediction: in bits from the first layer to the scores."""

import binary_kernels as kernels
import numpy as np
from numpy.typing import NDArray

from pipeline.gamma import brighten
from pipeline.packed_engine.model import PackedModel


class Predictor:
    """A packed model that predicts."""

    def __init__(self, model: PackedModel, threads: int) -> None:
        self._classes, self._threads = model.widths[-1], threads
        self._gamma = model.pixel_gamma
        last = model.last
        self._network = kernels.Network(
            model.pixel_bits,
            list(model.widths[:-1]),
            [*(layer.bits for layer in model.hidden), last.bits],
            [layer.thresholds for layer in model.hidden],
            last.scale,
            last.shift,
        )

    def scores(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return (batch, classes) class scores of images, (batch, pixels), a byte a pixel."""
        scores = np.empty((len(images), self._classes), np.float32)
        self._network.scores(brighten(images, self._gamma), scores, threads=self._threads)
        return scores

    def encoded_scores(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the same of images that `encoding.encode` has made, (batch, bytes)."""
        scores = np.empty((len(images), self._classes), np.float32)
        self._network.scores(images, scores, encoded=True, threads=self._threads)
        return scores
