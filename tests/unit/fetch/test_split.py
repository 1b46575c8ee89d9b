import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.common.errors import PipelineError
from pipeline.fetch.split import stratified_split


@given(st.lists(st.integers(0, 4), min_size=2, max_size=200), st.data(), st.integers(0, 2**31 - 1))
def test_the_split_is_disjoint_stratified_and_repeatable(
    values: list[int], data: st.DataObject, seed: int
) -> None:
    labels = np.array(values, np.uint8)
    train = data.draw(st.integers(1, len(values) - 1))
    validation = data.draw(st.integers(1, len(values) - train))
    chosen = stratified_split(labels, train, validation, seed)
    assert [len(part) for part in chosen] == [train, validation]
    assert len(np.union1d(*chosen)) == train + validation
    again = stratified_split(labels, train, validation, seed)
    for part, same in zip(chosen, again, strict=True):
        np.testing.assert_array_equal(part, same)
        assert (np.diff(part) > 0).all()
        expected = np.bincount(labels, minlength=5) * len(part) / len(labels)
        # A cut through the common scale misses a class's share by less than one image.
        assert (np.abs(np.bincount(labels[part], minlength=5) - expected) < 2).all()


def test_seeds_differ() -> None:
    labels = np.repeat(np.arange(2, dtype=np.uint8), 500)
    first, second = (stratified_split(labels, 500, 100, seed)[0] for seed in (0, 1))
    assert (first != second).any()


def test_too_few_images() -> None:
    with pytest.raises(PipelineError, match=r"needs 8 \+ 3 images, the dataset has 10"):
        stratified_split(np.zeros(10, np.uint8), 8, 3, 0)
