from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.common import checksum
from pipeline.common.errors import PipelineError
from pipeline.fetch import raw
from tests.conftest import IDX_NAMES, WriteIdx, to_idx


def read(folder: Path, checksums: dict[str, str] | None = None) -> raw.RawDataset:
    return raw.read_folder(folder, checksums=checksums, class_names=None)


def sums(arrays: dict[str, NDArray[np.uint8]]) -> dict[str, str]:
    return {role: checksum.sha256_bytes(to_idx(array)) for role, array in arrays.items()}


@pytest.mark.parametrize("compress", [False, True])
def test_a_folder_of_the_users_own(
    tmp_path: Path, write_idx: WriteIdx, arrays: dict[str, NDArray[np.uint8]], compress: bool
) -> None:
    dataset = read(write_idx(tmp_path / "own", compress=compress), sums(arrays))
    np.testing.assert_array_equal(dataset.train_images, arrays["train-images"])
    np.testing.assert_array_equal(dataset.test_labels, arrays["test-labels"])
    assert dataset.class_names == ("0", "1", "2")


def test_a_missing_file_is_named(tmp_path: Path, write_idx: WriteIdx) -> None:
    folder = write_idx(tmp_path / "own")
    (folder / IDX_NAMES["train-labels"]).unlink()
    with pytest.raises(PipelineError, match="train-labels"):
        read(folder)


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="four IDX files are needed"):
        read(tmp_path / "nowhere")


def test_two_files_for_one_role(tmp_path: Path, write_idx: WriteIdx) -> None:
    folder = write_idx(tmp_path / "own")
    (folder / "emnist-train-images-idx3-ubyte").write_bytes(b"")
    with pytest.raises(PipelineError, match="more than one file for train-images"):
        read(folder)


def test_another_content_shows_both_checksums(
    tmp_path: Path, write_idx: WriteIdx, arrays: dict[str, NDArray[np.uint8]]
) -> None:
    expected = sums(arrays)
    folder = write_idx(tmp_path / "own")
    path = folder / IDX_NAMES["train-images"]
    changed = bytearray(path.read_bytes())
    changed[-1] ^= 1
    path.write_bytes(changed)
    with pytest.raises(PipelineError) as error:
        read(folder, expected)
    message = str(error.value)
    assert str(path) in message
    assert checksum.sha256_bytes(bytes(changed)) in message
    assert expected["train-images"] in message


def test_swapped_files_are_called_swapped(
    tmp_path: Path, write_idx: WriteIdx, arrays: dict[str, NDArray[np.uint8]]
) -> None:
    folder = write_idx(tmp_path / "own")
    images, labels = (folder / IDX_NAMES[f"train-{kind}"] for kind in ("images", "labels"))
    images.rename(folder / "kept")
    labels.rename(images)
    (folder / "kept").rename(labels)
    for checksums in (sums(arrays), None):
        with pytest.raises(PipelineError, match="swapped") as error:
            read(folder, checksums)
        assert checksum.sha256_bytes(to_idx(arrays["train-labels"])) in str(error.value)


def test_images_and_labels_of_different_counts(arrays: dict[str, NDArray[np.uint8]]) -> None:
    short = {**arrays, "train-labels": arrays["train-labels"][:-1]}
    with pytest.raises(PipelineError, match="90 train images but 89 labels"):
        raw.assemble(short, None, "here")


def test_images_of_different_sizes(arrays: dict[str, NDArray[np.uint8]]) -> None:
    other = {**arrays, "test-images": arrays["test-images"][:, 1:]}
    with pytest.raises(PipelineError, match="train images are"):
        raw.assemble(other, None, "here")


def test_images_without_pixels(arrays: dict[str, NDArray[np.uint8]]) -> None:
    for cut in (np.s_[:, :0], np.s_[:, :, :0]):
        empty = {name: a[cut] if name.endswith("images") else a for name, a in arrays.items()}
        with pytest.raises(PipelineError, match=r"images are \d x \d: they have no pixels"):
            raw.assemble(empty, None, "here")


def test_two_classes_of_one_name(arrays: dict[str, NDArray[np.uint8]]) -> None:
    with pytest.raises(PipelineError, match="two classes have the same name: a, b, a"):
        raw.assemble(arrays, ("a", "b", "a"), "here")


def test_too_few_class_names(arrays: dict[str, NDArray[np.uint8]]) -> None:
    with pytest.raises(PipelineError, match=r"data\.class_names"):
        raw.assemble(arrays, ("a", "b"), "here")
