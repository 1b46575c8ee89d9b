"""A model laid out for prediction: in bits from the first layer to the logits."""

import binary_kernels as kernels
import numpy as np
from numpy.typing import NDArray

from pipeline.data.gamma import curve
from pipeline.engines.packed.encoding import BITS_PER_PIXEL
from pipeline.engines.packed.layer import TAPS
from pipeline.engines.packed.model import PackedModel


class Predictor:
    """A packed model that predicts."""

    def __init__(self, model: PackedModel, threads: int) -> None:
        self._classes, self._threads = model.widths[-1], threads
        levels = curve(model.pixel_gamma) >> (BITS_PER_PIXEL - model.pixel_bits)
        last, maps = model.last, [layer.map for layer in model.convolutions]
        self._network = kernels.Network(
            levels,
            [*(TAPS * each.channels for each in maps), *model.widths[:-1]],
            [layer.bits for layer in model.layers],
            [layer.thresholds for layer in (*model.convolutions, *model.hidden)],
            last.scale,
            last.shift,
            convolutions=[each.as_tuple() for each in maps],
            smallest=[
                np.zeros(len(layer.bits) // 8, np.uint8)
                if layer.smallest is None
                else layer.smallest
                for layer in model.convolutions
            ],
        )

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return (batch, classes) logits of images, (batch, pixels) uint8, a byte per pixel."""
        return self._logits(images, encoded=False)

    def encoded_logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the same of images that `encoding.encode` has made, (batch, bytes)."""
        return self._logits(images, encoded=True)

    def _logits(self, images: NDArray[np.uint8], *, encoded: bool) -> NDArray[np.float32]:
        logits = np.empty((len(images), self._classes), np.float32)
        self._network.scores(images, logits, encoded=encoded, threads=self._threads)
        return logits
