import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline import checksum
from pipeline.data import idx
from pipeline.errors import PipelineError
from tests.conftest import to_idx

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
    path.write_bytes(gzip.compress(b"content"))
    assert idx.read_bytes(path) == b"content"
    path.write_bytes(b"content")
    assert idx.read_bytes(path) == b"content"


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_damaged_gzip(tmp_path: Path, damage: str) -> None:
    content = bytearray(gzip.compress(np.random.default_rng(0).bytes(1000)))
    if damage == "cut":
        del content[500:]
    else:
        content[500] ^= 0x10
    path = tmp_path / "images.gz"
    path.write_bytes(content)
    with pytest.raises(PipelineError, match=r"images\.gz is truncated or corrupt") as error:
        idx.read_bytes(path, expected="the sum of the whole")
    assert checksum.of_bytes(bytes(content)) in str(error.value)
    assert "the sum of the whole" in str(error.value)


def test_a_file_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idx, "MAX_BYTES", 100)
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(bytes(101)))
    with pytest.raises(PipelineError, match="more than 100 bytes"):
        idx.read_bytes(path)
