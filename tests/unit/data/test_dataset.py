import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.common.errors import PipelineError
from pipeline.config.params import Params
from pipeline.config.paths import DATA
from pipeline.data import dataset
from pipeline.fetch import sources
from pipeline.fetch.store import store


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
    assert [len(part) for part in (data.train, data.validation, data.test)] == [60, 30, 30]
    assert data.train.images.dtype == data.train.labels.dtype == np.uint8
    np.testing.assert_array_equal(np.bincount(data.validation.labels), [10, 10, 10])


def test_no_image_is_in_two_parts(stored: Path) -> None:
    data = dataset.load(stored)
    train, validation = (
        {row.tobytes() for row in part.images} for part in (data.train, data.validation)
    )
    assert not train & validation


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


@pytest.mark.parametrize("name", ["dataset.json", "train-images.npy"])
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
