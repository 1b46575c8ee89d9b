import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline.common import checksum
from pipeline.common.errors import PipelineError
from pipeline.common.units import MIB
from pipeline.fetch import idx
from tests.conftest import memory_below, to_idx

PATH = Path("some-file")
IMAGES = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=3, max_dims=3, max_side=7))


@given(IMAGES)
def test_images_come_back_as_written(images: np.ndarray) -> None:
    np.testing.assert_array_equal(idx.parse(to_idx(images), PATH, 3), images)


@given(IMAGES, st.data())
def test_no_truncated_file_is_read(images: np.ndarray, data: st.DataObject) -> None:
    content = to_idx(images)
    cut = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(PipelineError, match="some-file"):
        idx.parse(content[:cut], PATH, 3)


@given(st.binary(max_size=64))
def test_arbitrary_bytes_never_end_in_another_error(content: bytes) -> None:
    try:
        array = idx.parse(content, PATH, 1)
    except PipelineError:
        return
    assert to_idx(array) == content


def test_images_where_labels_belong() -> None:
    with pytest.raises(PipelineError, match="swapped") as error:
        idx.parse(to_idx(np.zeros((2, 3, 3), np.uint8)), PATH, 1)
    assert "sha256" in str(error.value)


def test_gzip_is_seen_by_content_not_by_name(tmp_path: Path) -> None:
    path = tmp_path / "file"
    content = to_idx(np.arange(10, dtype=np.uint8))
    path.write_bytes(gzip.compress(content))
    assert idx.read_bytes(path) == content
    path.write_bytes(content)
    assert idx.read_bytes(path) == content


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_damaged_gzip(tmp_path: Path, damage: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, 1000, np.uint8)
    content = bytearray(gzip.compress(to_idx(noise)))
    if damage == "cut":
        del content[500:]
    else:
        content[500] ^= 0x10
    path = tmp_path / "labels.gz"
    path.write_bytes(content)
    with pytest.raises(PipelineError, match=r"labels\.gz is truncated or corrupt") as error:
        idx.read_bytes(path, expected="the sum of the whole")
    assert checksum.sha256_bytes(bytes(content)) in str(error.value)
    assert "the sum of the whole" in str(error.value)


def header(*sizes: int) -> bytes:
    """The start of an IDX file that announces so much."""
    return bytes((0, 0, 8, len(sizes))) + b"".join(size.to_bytes(4, "big") for size in sizes)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (header(2**31, 2**31, 2**31), "announces more than 536870912 bytes"),
        (header(*[2**32 - 1] * 255), "announces more than 536870912 bytes"),
        # The most that is taken, and nothing there.
        (header(2**15, 2**7, 2**7 - 1), "holds 16 bytes, its header announces"),
        (header(2**28), "axes where images"),
        (header(3, 2, 2) + bytes(10), "holds 26 bytes, its header announces 28"),
        (header(3, 2), "has 2 axes where images"),
        # A bomb: 100 MB behind a header of an image.
        (header(1, 2, 2) + bytes(10**8), "holds more than the 20 bytes that its header announces"),
        (b"\0\0\x0d\3" + bytes(10**8), "is not an IDX file of unsigned bytes"),
        (b"\x1f\x8b" + bytes(100), "is (not an IDX file|truncated or corrupt)"),
        (b"\0\0\x08", "is not an IDX file of unsigned bytes"),
        (b"", "is not an IDX file of unsigned bytes"),
    ],
)
def test_no_memory_is_taken_for_what_is_not_there(
    tmp_path: Path, pack: Callable[[bytes], bytes], content: bytes, message: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(pack(content))
    with memory_below(2 * MIB), pytest.raises(PipelineError, match=message):
        idx.parse(idx.read_bytes(path), path, 3)
