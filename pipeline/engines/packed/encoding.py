"""Images as the packed engine holds them: two pixels per byte."""

import numpy as np
from numpy.typing import NDArray

# The kernels read 32 pixels at a time, which are 16 bytes.
PIXELS_PER_BLOCK = 32
BITS_PER_PIXEL = 8


def encode(images: NDArray[np.uint8], pixel_bits: int) -> NDArray[np.uint8]:
    """Keep the top bits of every pixel, at most 4, and pack two pixels per byte.

    Args:
        images: (count, pixels) uint8.
        pixel_bits: how many bits a pixel keeps, 1 to 4.

    Returns:
        (count, 16 * ceil(pixels / 32)) uint8: pixel 2 i in the lower half of byte i, pixel
        2 i + 1 in its upper half, zeros past the last.
    """
    count, pixels = images.shape
    width = padded(pixels) // 2
    encoded = np.zeros((count, width), np.uint8)
    levels = images >> (BITS_PER_PIXEL - pixel_bits)
    encoded[:, : -(-pixels // 2)] = levels[:, ::2]
    encoded[:, : pixels // 2] |= levels[:, 1::2] << 4
    return encoded


def padded(elements: int) -> int:
    """Return `elements` rounded up to whole blocks of 32."""
    return -(-elements // PIXELS_PER_BLOCK) * PIXELS_PER_BLOCK
