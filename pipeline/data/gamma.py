"""Gamma correction: a curve that gives dark pixels more of the few levels that a network reads.

A uniform quantizer spends its levels where pixels are rare. A curve before it places them closer
where pixels are frequent (Panter & Dite 1951, "Quantization distortion in pulse-count modulation
with nonuniform spacing of levels"): most pixels of an image on black are dark. The curve also
gives strokes of any brightness about the same value, which a weight of +1 or -1 cannot do.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

_LEVELS = 256


@cache
def curve(gamma: int) -> NDArray[np.uint8]:
    """Return the table, (256) uint8, of floor(256 (x / 256)^(1 / gamma)): x itself for gamma 1."""
    # Powers of floats may differ between platforms, those of integers do not. The result is the
    # largest y with y^gamma <= x 256^(gamma - 1).
    x = range(_LEVELS)
    powers = [y**gamma for y in range(_LEVELS)]
    scale = _LEVELS ** (gamma - 1)
    table = np.array([sum(power <= value * scale for power in powers) - 1 for value in x], np.uint8)
    # All callers share it.
    table.flags.writeable = False
    return table


def brighten(images: NDArray[np.uint8], gamma: int) -> NDArray[np.uint8]:
    """Return images, (count, pixels) uint8, after the curve; the same array if gamma is 1."""
    return images if gamma == 1 else curve(gamma)[images]
