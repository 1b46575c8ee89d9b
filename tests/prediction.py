"""What a packed model predicts, in plain NumPy."""

import numpy as np
from numpy.typing import NDArray

from pipeline.engines.packed.model import PackedModel


def expected_logits(model: PackedModel, pixels: NDArray[np.integer]) -> NDArray[np.float32]:
    """Return the mean logits of a model's passes, in plain NumPy: pixels (count, pixels) 0..15."""
    total = np.zeros((len(pixels), model.widths[-1]), np.float32)
    # Without a layer between there is nothing that passes could differ in.
    passes = model.passes if model.convolutions or model.hidden else 1
    for number in range(passes):
        x = pixels.astype(np.int64)
        for layer in model.convolutions:
            shape = layer.map
            maps = x.reshape(-1, shape.height, shape.width, shape.channels)
            edge = 0 if layer is model.convolutions[0] else -1
            maps = np.pad(maps, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=edge)
            height, width = shape.height, shape.width
            patches = [maps[:, y : y + height, x : x + width] for y in range(3) for x in range(3)]
            sums = np.concatenate(patches, -1)[:, :: shape.stride, :: shape.stride]
            bits = sums @ signs(layer.bits, 9 * shape.channels).T >= layer.thresholds[number]
            if layer.smallest is not None:
                height, width = bits.shape[1] // 2, bits.shape[2] // 2
                four = bits[:, : 2 * height, : 2 * width]
                four = four.reshape(-1, height, 2, width, 2, bits.shape[-1])
                smallest = signs(layer.smallest[None], bits.shape[-1])[0] == 1
                bits = np.where(smallest, four.all(axis=(2, 4)), four.any(axis=(2, 4)))
            x = 2 * bits.reshape(len(pixels), -1).astype(np.int64) - 1
        for hidden in model.hidden:
            x = 2 * (x @ signs(hidden.bits, x.shape[1]).T >= hidden.thresholds[number]) - 1
        last = model.last
        sums = (x @ signs(last.bits, x.shape[1]).T).astype(np.float32)
        total += (sums * last.scale + last.shift) / np.float32(passes)
    return total


def signs(bits: NDArray[np.uint8], count: int) -> NDArray[np.int64]:
    """Return the +1 and -1 of rows of bits: (rows, count)."""
    unpacked = np.unpackbits(bits, axis=1, count=count, bitorder="little")
    return 2 * unpacked.astype(np.int64) - 1
