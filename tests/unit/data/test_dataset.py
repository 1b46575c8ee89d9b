import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.common.errors import PipelineError
from pipeline.config.params import DataParams, Params
from pipeline.config.paths import DATA
from pipeline.data import dataset
from pipeline.fetch import sources
from pipeline.fetch.raw import RawDataset
from pipeline.fetch.store import store
from tests.conftest import memory_below


@pytest.fixture
def stored(params: Params) -> Path:
    store(sources.find(params.data, lambda _: None), params.data)
    return DATA


def test_what_is_stored_is_loaded(stored: Path) -> None:
    data = dataset.load(stored)
    assert data.class_names == ("low", "middle", "high")
    assert data.image_shape == (6, 6)
    assert data.pixels == 36
    assert data.classes == 3
    assert data.sizes == {"train": 60, "validation": 30, "test": 30}
    for part in dataset.PARTS:
        held = data.train if part == "train" else data.read(part)
        assert held.images.dtype == held.labels.dtype == np.uint8
        np.testing.assert_array_equal(held.images, np.load(stored / f"{part}-images.npy"))
        np.testing.assert_array_equal(held.labels, np.load(stored / f"{part}-labels.npy"))
    np.testing.assert_array_equal(np.bincount(data.read("validation").labels), [10, 10, 10])


def test_no_image_is_in_two_parts(stored: Path) -> None:
    data = dataset.load(stored)
    train, validation = (
        {row.tobytes() for row in part.images} for part in (data.train, data.read("validation"))
    )
    assert not train & validation


def halved(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return images[:, ::2] ^ images[:, 1::2]


def test_every_part_is_encoded(stored: Path) -> None:
    data = dataset.load(stored, halved)
    for part in dataset.PARTS:
        images = np.load(stored / f"{part}-images.npy")
        held = data.train if part == "train" else data.read(part)
        np.testing.assert_array_equal(held.images, halved(images))


def test_images_are_encoded_piece_by_piece_and_no_part_but_training_is_held(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    count, side = 8000, 30
    images = generator.integers(0, 256, (count, side, side), np.uint8)
    labels = (np.arange(count) % 2).astype(np.uint8)
    raw = RawDataset(images, labels, images, labels, ("even", "odd"))
    split = DataParams(
        dataset="mnist",
        source="made",
        class_names=None,
        train_images=count // 2,
        validation_images=count // 2,
        split_seed=0,
    )
    store(raw, split, tmp_path / "data")
    half = images.nbytes // 2
    with memory_below(half // 2 + half // 4):
        data = dataset.load(tmp_path / "data", halved)
        assert data.train.images.nbytes == half // 2
    with memory_below(half // 2 + half // 4):
        assert data.read("validation").images.nbytes == half // 2


@pytest.mark.parametrize("part", ["validation", "test"])
@pytest.mark.parametrize("kind", ["images", "labels"])
def test_a_part_that_has_changed_since_is_not_read(
    stored: Path, part: dataset.PartName, kind: str
) -> None:
    data = dataset.load(stored)
    path = stored / f"{part}-{kind}.npy"
    array = np.load(path)
    array.flat[0] ^= 1
    np.save(path, array)
    with pytest.raises(PipelineError, match="data/ was changed while it was in use"):
        data.read(part)


def test_the_same_params_give_the_same_bytes(params: Params, stored: Path) -> None:
    first = {path.name: path.read_bytes() for path in stored.iterdir()}
    store(sources.find(params.data, lambda _: None), params.data)
    assert first == {path.name: path.read_bytes() for path in stored.iterdir()}


def test_a_changed_array_shows_both_checksums(stored: Path) -> None:
    path = stored / "test-labels.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(PipelineError, match=r"test-labels\.npy is not what fetch wrote") as error:
        dataset.load(stored)
    assert str(error.value).count("sha256") == 1
    assert "expected: " in str(error.value)


@pytest.mark.parametrize("part", dataset.PARTS)
@pytest.mark.parametrize("size", [0, 1, 127, 128, 129, -1])
def test_a_file_that_was_cut_short_is_found_when_the_dataset_is_loaded(
    stored: Path, part: str, size: int
) -> None:
    path = stored / f"{part}-images.npy"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(PipelineError, match=rf"{part}-images\.npy is not what fetch wrote"):
        dataset.load(stored)


@pytest.mark.parametrize("name", ["dataset.json", "train-images.npy", "test-labels.npy"])
def test_a_missing_file_is_named(stored: Path, name: str) -> None:
    (stored / name).unlink()
    with pytest.raises(PipelineError, match=name):
        dataset.load(stored)


@pytest.mark.parametrize("content", ["{", "{}", "[]", '{"sha256": {}, "class_names": ["a"]}'])
def test_a_description_of_no_dataset(stored: Path, content: str) -> None:
    (stored / "dataset.json").write_text(content)
    with pytest.raises(PipelineError, match=r"cannot read .*dataset\.json"):
        dataset.load(stored)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("class_names", [], "class_names: List should have at least 1"),
        ("class_names", ["a", 1, "b"], r"class_names\.1: Input should be a valid string"),
        ("image_shape", None, "image_shape: Input should be a valid list"),
        ("image_shape", [36], "image_shape: List should have at least 2"),
        ("image_shape", [6, True], r"image_shape\.1: Input should be a valid integer"),
        ("image_shape", [6, -6], r"image_shape\.1: Input should be greater"),
        ("sha256", {}, "its checksums are not those of a dataset's files"),
    ],
)
def test_a_wrong_description_names_the_key(
    stored: Path, key: str, value: object, message: str
) -> None:
    path = stored / "dataset.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(PipelineError, match=rf"cannot read .*dataset\.json: {message}"):
        dataset.load(stored)


def test_images_have_the_shape_that_the_description_says(stored: Path) -> None:
    path = stored / "dataset.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "image_shape": [6, 7]}))
    for load in (dataset.load, dataset.load_test):
        with pytest.raises(
            PipelineError, match=r"images\.npy has images of 36 pixels, not of 6 x 7"
        ):
            load(stored)
