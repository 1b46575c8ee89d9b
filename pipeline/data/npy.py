"""Read .npy files of bytes: NumPy reads the header, and nothing else may be in the file.

`np.load` also takes archives, and takes memory for what a header claims before it reads it.
"""

import io
import math
import os
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.common.errors import printable

# NumPy evaluates the header as a Python literal, and a long one can exhaust the parser. `np.save`
# writes 128 bytes for an array of bytes.
_MAX_HEADER = 1024
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read(path: Path) -> NDArray[np.uint8]:
    """Return the array in `path`.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not a .npy file of bytes, or has more or fewer than its header announces.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        offset, shape, order = _layout(file.read(_MAX_HEADER), size)
    # A mapped file that is cut short meanwhile would end the process.
    content = np.fromfile(path, np.uint8, size - offset, offset=offset)
    if len(content) < size - offset:
        raise ValueError("it was cut short while it was read")
    return content.reshape(shape, order=order)


def parse(content: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the array in the content of a file, whose bytes it shares.

    Raises:
        ValueError: as `read` does.
    """
    offset, shape, order = _layout(content[:_MAX_HEADER].tobytes(), content.size)
    return content[offset:].reshape(shape, order=order)


def _layout(start: bytes, size: int) -> tuple[int, tuple[int, ...], Literal["C", "F"]]:
    """Return where the array begins in a file of `size` bytes, its shape and its order."""
    file = io.BytesIO(start)
    try:
        read_header = _HEADERS[np.lib.format.read_magic(file)]
        shape, by_column, dtype = read_header(file, max_header_size=_MAX_HEADER)
    # A hostile header can raise nearly any exception.
    except Exception as error:
        raise ValueError("NumPy cannot read its header") from error
    if dtype != np.uint8:
        raise ValueError(f"it holds {printable(str(dtype))}, where uint8 belongs")
    announced = file.tell() + math.prod(shape)
    if announced != size or min(shape, default=0) < 0:
        raise ValueError(f"it has {size} bytes, its header announces {announced}")
    return file.tell(), shape, "F" if by_column else "C"
