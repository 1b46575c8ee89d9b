"""Read the IDX format of the MNIST family: magic, big-endian sizes, then unsigned bytes."""

import gzip
import math
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from pipeline.common import checksum
from pipeline.common.errors import PipelineError

# A file that announces more is refused; Fashion-MNIST's training images have an eighth of it.
MAX_BYTES = 1 << 29
UNSIGNED_BYTE = 0x08
_GZIP = b"\x1f\x8b"
# A byte of a gzip file becomes so many at most: 258 bytes take at least two bits.
_MAX_EXPANSION = 1032


def read_bytes(path: Path, expected: str | None = None) -> bytes:
    """Return the content of an IDX file, decompressed if it is gzip.

    No memory is taken for what the header announces unless the file may hold it, and no more is
    read than that and one byte.

    Args:
        path: the file.
        expected: the SHA-256 that its content should have, for the message about damage.

    Raises:
        PipelineError: the file cannot be read, is not IDX, is a damaged gzip file or too large.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            compressed = file.read(2) == _GZIP
        max_size = size * _MAX_EXPANSION if compressed else size
        with gzip.open(path, "rb") if compressed else path.open("rb") as stream:
            return _content(cast(BinaryIO, stream), path, max_size)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise PipelineError(
            f"{path} is truncated or corrupt: {error}. Get the file again.{_sum_of_file(path)}"
            + (f"\n  expected, decompressed:      {expected}" if expected else "")
        ) from error
    except OSError as error:
        raise PipelineError(f"cannot read {path}: {error.strerror}") from error


def _content(stream: BinaryIO, path: Path, max_size: int) -> bytes:
    """Return what the stream holds, which is at most `max_size` bytes."""
    start = stream.read(4)
    if not _is_idx(start):
        raise PipelineError(f"{path} is not an IDX file of unsigned bytes{_sum_of_file(path)}")
    axes = start[3]
    start += stream.read(4 * axes)
    announced = _announced(start, axes)
    if announced > MAX_BYTES:
        raise PipelineError(
            f"{path} announces more than {MAX_BYTES} bytes: no such dataset fits here"
        )
    # What cannot be there is not asked for; `parse` says that it is missing.
    content = start + stream.read(min(announced, max_size) + 1 - len(start))
    if len(content) > announced:
        raise PipelineError(
            f"{path} holds more than the {announced} bytes that its header announces: corrupt, "
            f"get it again{_sum_of_file(path)}"
        )
    return content


def parse(content: bytes, path: Path, dimensions: int) -> NDArray[np.uint8]:
    """Return the array in `content`, a view of its bytes, with `dimensions` axes.

    Args:
        content: the decompressed bytes of an IDX file.
        path: where they came from, for messages.
        dimensions: 3 for images (count, height, width), 1 for labels (count).

    Raises:
        PipelineError: not IDX, not unsigned bytes, another number of axes (images where
            labels belong), or a length that differs from what the header announces.
    """
    expected = {1: "labels (1 axis)", 3: "images (3 axes)"}[dimensions]
    header = 4 + 4 * dimensions
    if not _is_idx(content[:4]):
        raise PipelineError(f"{path} is not an IDX file of unsigned bytes{_sum_of(content)}")
    if content[3] != dimensions:
        raise PipelineError(
            f"{path} has {content[3]} axes where {expected} belong: "
            f"are the files swapped?{_sum_of(content)}"
        )
    announced = _announced(content, dimensions)
    if len(content) < header or len(content) != announced:
        raise PipelineError(
            f"{path} holds {len(content)} bytes, its header announces {announced}: "
            f"truncated or corrupt, get it again{_sum_of(content)}"
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(_sizes(content, dimensions))


def _is_idx(start: bytes) -> bool:
    return len(start) == 4 and start[:3] == bytes((0, 0, UNSIGNED_BYTE))


def _announced(content: bytes, axes: int) -> int:
    """Return how many bytes the header says that there are, its own among them."""
    return 4 + 4 * axes + math.prod(_sizes(content, axes))


def _sizes(content: bytes, axes: int) -> list[int]:
    return [int.from_bytes(content[4 * i : 4 * i + 4], "big") for i in range(1, axes + 1)]


def _sum_of(content: bytes) -> str:
    return f"\n  sha256 of its content: {checksum.sha256_bytes(content)}"


def _sum_of_file(path: Path) -> str:
    return f"\n  sha256 of the file as it is: {checksum.sha256_file(path)}"
