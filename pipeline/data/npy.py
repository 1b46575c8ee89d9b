"""Read .npy files of bytes: a header that NumPy wrote, then what it announces, and no more.

NumPy's own reader takes more than that: archives, pickles, records, and headers that are any
literal of Python's.
"""

import io
import math
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

# As NumPy's: no header of numbers is longer.
_MAX_HEADER = 10_000
_HEADER = re.compile(
    r"\{'descr': ?'(?P<dtype>[<>|=]?[a-zA-Z]\d{0,3})',"
    r" ?'fortran_order': ?(?P<by_column>False|True),"
    r" ?'shape': ?\((?P<shape>(\d{1,18}, ?)*(\d{1,18})?)\),? ?\}\s*",
    re.ASCII,
)


@dataclass(frozen=True)
class _Layout:
    offset: int
    shape: tuple[int, ...]
    by_column: bool

    @property
    def count(self) -> int:
        return math.prod(self.shape)

    def shaped(self, flat: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return flat.reshape(self.shape, order="F" if self.by_column else "C")


def read(path: Path) -> NDArray[np.uint8]:
    """Return the array in `path`.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no .npy file of bytes, or has more or fewer than its header announces.
    """
    with path.open("rb") as file:
        layout = _layout(file, os.fstat(file.fileno()).st_size)
        # Not mapped: a page of a file that is cut short meanwhile would end the process.
        flat = np.fromfile(path, np.uint8, layout.count, offset=layout.offset)
    if flat.size != layout.count:
        raise ValueError("it was cut short while it was read")
    return layout.shaped(flat)


def parse(content: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the array in the content of a file, whose bytes it shares.

    Raises:
        ValueError: as of `read`.
    """
    layout = _layout(io.BytesIO(content[: 2 * _MAX_HEADER].tobytes()), content.size)
    return layout.shaped(content[layout.offset :])


def _layout(file: BinaryIO, size: int) -> _Layout:
    start = file.read(8)
    if start[:6] != b"\x93NUMPY" or len(start) < 8 or start[6] not in (1, 2, 3):
        raise ValueError("it does not begin as one")
    bytes_of_length = 2 if start[6] == 1 else 4
    length = int.from_bytes(file.read(bytes_of_length), "little")
    if length > _MAX_HEADER:
        raise ValueError(f"its header would have {length} bytes")
    header = _HEADER.fullmatch(file.read(length).decode("latin-1"))
    offset = file.tell()
    if header is None:
        raise ValueError("its header is none of numbers")
    if header["dtype"].lstrip("<>|=") != "u1":
        raise ValueError(f"it holds {header['dtype']}, where uint8 (|u1) belong")
    shape = tuple(int(part) for part in header["shape"].split(",") if part.strip())
    announced = offset + math.prod(shape)
    if announced != size:
        raise ValueError(f"it has {size} bytes, its header announces {announced}")
    return _Layout(offset, shape, header["by_column"] == "True")
