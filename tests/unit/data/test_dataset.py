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
    assert data.pixels == 36
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
