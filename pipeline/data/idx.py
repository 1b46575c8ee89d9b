"""Read the IDX format of the MNIST family: magic, big-endian sizes, then unsigned bytes."""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline import checksum
from pipeline.errors import PipelineError

# More than 8 times Fashion-MNIST's training images: a file that unpacks to more is refused
# before it fills the memory.
MAX_BYTES = 1 << 29
UNSIGNED_BYTE = 0x08


def read_bytes(path: Path, expected: str | None = None) -> bytes:
    """Return the content of `path`, decompressed if it is gzip.

    Args:
        path: the file.
        expected: the SHA-256 that its content should have, for the message about damage.

    Raises:
        PipelineError: the file cannot be read, is a damaged gzip file or too large.
    """
    try:
        with path.open("rb") as file:
            compressed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rb") if compressed else path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise PipelineError(
            f"{path} is truncated or corrupt: {error}. Get the file again.\n"
            f"  sha256 of the file as it is: {checksum.of_file(path)}"
            + (f"\n  expected, decompressed:      {expected}" if expected else "")
        ) from error
    except OSError as error:
        raise PipelineError(f"cannot read {path}: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise PipelineError(f"{path} holds more than {MAX_BYTES} bytes: no such dataset fits here")
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
    if len(content) < 4 or content[0] or content[1] or content[2] != UNSIGNED_BYTE:
        raise PipelineError(f"{path} is not an IDX file of unsigned bytes{_sum_of(content)}")
    if content[3] != dimensions:
        raise PipelineError(
            f"{path} has {content[3]} axes where {expected} belong: "
            f"are the files swapped?{_sum_of(content)}"
        )
    sizes = [int.from_bytes(content[i : i + 4], "big") for i in range(4, header, 4)]
    announced = header + math.prod(sizes)
    if len(content) < header or len(content) != announced:
        raise PipelineError(
            f"{path} holds {len(content)} bytes, its header announces {announced}: "
            f"truncated or corrupt, get it again{_sum_of(content)}"
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(sizes)


def _sum_of(content: bytes) -> str:
    return f"\n  sha256 of its content: {checksum.of_bytes(content)}"
