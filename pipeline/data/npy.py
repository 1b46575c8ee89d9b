"""Read .npy files of bytes: a header that NumPy wrote, then what it announces, and no more.

NumPy's own reader takes more than that: archives, pickles, records, and headers that are any
literal of Python's.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

# As NumPy's: no header of numbers is longer.
_MOST_HEADER = 10_000
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
    layout = _layout(path)
    return layout.shaped(np.fromfile(path, np.uint8, layout.count, offset=layout.offset))


def mapped(path: Path) -> NDArray[np.uint8]:
    """Return the array in `path`, of which no more is held than is looked at.

    Raises:
        OSError, ValueError: as of `read`.
    """
    layout = _layout(path)
    if layout.count == 0:
        # Nothing cannot be mapped.
        return np.empty(layout.shape, np.uint8)
    return layout.shaped(np.memmap(path, np.uint8, "r", layout.offset, (layout.count,)))


def _layout(path: Path) -> _Layout:
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        if start[:6] != b"\x93NUMPY" or len(start) < 8 or start[6] not in (1, 2, 3):
            raise ValueError("it does not begin as one")
        bytes_of_length = 2 if start[6] == 1 else 4
        length = int.from_bytes(file.read(bytes_of_length), "little")
        if length > _MOST_HEADER:
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
