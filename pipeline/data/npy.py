"""Read .npy files of bytes: NumPy reads the header, and nothing else may be in the file.

`np.load` also takes archives, and takes memory for what a header claims before it reads it.
"""

import io
import math
import os
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.common.errors import printable

# NumPy evaluates the header as a Python literal, and a long one can exhaust the parser. `np.save`
# writes 128 bytes for an array of bytes.
_MAX_HEADER = 1024
# So many bytes are read at a time, or a row: few enough to stay in the second-level cache.
_PIECE = 2**16
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}

# (rows, bytes) to (rows, other bytes), both uint8.
Encode = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


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


def read_rows(
    path: Path, encode: Encode, seen: Callable[[memoryview], object]
) -> tuple[tuple[int, ...], NDArray[np.uint8]]:
    """Read the array in `path` and encode it piece by piece: of the bytes, one piece is held.

    A mapped file would spare the copies, but not the encoding. It could change after it was
    verified, and would end the process where it is cut short.

    Args:
        path: the file; its array is stored row by row.
        encode: what to make of some of the rows, (rows, bytes of a row), each by itself. The memory
            that it is given holds other rows after the call.
        seen: is given every byte of the file, in order, each once: those that are used.

    Returns:
        The shape of the array as it is stored, and what `encode` made of all rows, (rows, bytes).

    Raises:
        OSError: it cannot be read.
        ValueError: it is not a .npy file of bytes in rows, or has more or fewer than its header
            announces.
    """
    with path.open("rb", buffering=0) as file:
        start = file.read(_MAX_HEADER)
        offset, shape, order = _layout(start, os.fstat(file.fileno()).st_size)
        if not shape or (order == "F" and len(shape) > 1):
            raise ValueError("its array is not stored row by row")
        seen(memoryview(start)[:offset])
        file.seek(offset)
        count, width = shape[0], math.prod(shape[1:])
        # Rows without bytes are read at once: a header may announce any number of them.
        rows = max(1, _PIECE // width if width else count)
        piece = np.empty((min(rows, count), width), np.uint8)
        encoded = np.empty((count, encode(piece[:0]).shape[1]), np.uint8)
        for first in range(0, count, rows):
            some = piece[: count - first]
            _fill(some.reshape(-1).data, file)
            seen(some.reshape(-1).data)
            encoded[first : first + rows] = encode(some)
    return shape, encoded


def _fill(memory: memoryview, file: FileIO) -> None:
    while len(memory) > 0:
        count = file.readinto(memory)
        if not count:
            raise ValueError("it was cut short while it was read")
        memory = memory[count:]


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
