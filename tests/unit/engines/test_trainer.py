"""A training step of the kernels, byte for byte that of tests/reference.py."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.engines.packed.engine import PackedEngine
from tests import reference
from tests.conftest import OPTIMIZERS
from tests.networks import mlp
from tests.oracle import SETS
from tests.reference import Reference, assert_same, reference_of
from tests.unit.engines.trainer_case import (
    EVERY_NOISE,
    NOISES,
    STEPS,
    Case,
    check,
    train,
)


def connected(widths: tuple[int, ...], batch: int, *arguments: Any, **keywords: Any) -> Case:
    """Return the case of a network of these widths, from the pixels to the classes."""
    return Case(mlp(*widths), batch, *arguments, **keywords)


@pytest.mark.parametrize(("optimizer", "noise"), EVERY_NOISE)
@pytest.mark.parametrize("bits", [2, 4, 8, 32])
def test_every_recipe(optimizer: str, bits: int, noise: str) -> None:
    # Columns that are no multiple of 8 or 32, and several panels.
    # Every layer learns, or there is nothing to compare.
    assert check(connected((45, 70, 41, 5), 37, optimizer, bits, noise))


# What takes several pieces of a kind, and how it is divided: see the constants in
# kernels/training.cpp.
DIVIDED = {
    # Ten panels of sums are a block there, of columns a group, and five of gradients a part.
    "blocks": connected((20, 33, 330, 7), 2000, bits=8),
    "blocks of pixels": connected((50, 330, 33, 7), 2000, "rowprop16", bits=4),
    "blocks of exact gradients": connected((20, 330, 33, 7), 2000, bits=32),
    # All classes are one block, of two groups and three parts.
    "groups of classes": connected((40, 40, 230), 3000, bits=4, noise="both"),
    # Tiles of 64 rows, and random numbers in chunks of 32 panels.
    "tiles": connected((1700, 210, 3), 40, noise="both"),
    # For four threads there are too few features to have a tile each.
    "shared tiles": connected((1700, 150, 3), 40),
    "shared tiles of 16 bits": connected((1700, 150, 3), 40, "rowprop16"),
    "shared tiles of Adam": connected((1700, 150, 3), 40, "adam", bits=32),
    "tiles of bits": connected((20, 1100, 290, 3), 40),
    "tiles of Bop": connected((20, 1100, 290, 3), 40, "bop"),
    # Sums of so many pixels, or bits, take 32 bits.
    "wide sums of pixels": connected((2200, 34, 3), 12),
    "wide sums of bits": connected((5, 32_800, 3), 3),
    # So do sums of so many gradients.
    "wide sums of gradients": connected((30, 40, 300, 3), 50, bits=8),
    # The gradient that comes in is in the memory of that of the sums.
    "one layer": connected((36, 3), 200),
    "one layer of several parts": connected((36, 230), 3000, bits=32),
}


@pytest.mark.parametrize("name", DIVIDED)
def test_however_the_work_is_divided(name: str) -> None:
    case = DIVIDED[name]
    assert check(case, (1, 2, 4), SETS[-1:])
    assert check(case, (3,), SETS[:-1])


WIDTHS = st.sampled_from([1, 2, 7, 8, 9, 31, 32, 33, 40, 63, 64, 65, 100])


@given(
    pixels=st.sampled_from([1, 2, 9, 31, 32, 33, 36, 63, 65, 130]),
    hidden=st.lists(WIDTHS, max_size=3),
    classes=st.sampled_from([2, 3, 10, 32, 33, 47]),
    batch=st.sampled_from([2, 3, 4, 5, 8, 31, 32, 33, 63, 64, 65, 130]),
    optimizer=st.sampled_from(list(OPTIMIZERS)),
    bits=st.sampled_from([2, 4, 8, 32]),
    noise=st.integers(0, 5),
    constant=st.booleans(),
    smoothing=st.sampled_from([0.0, 0.1]),
    seed=st.integers(0, 2**32 - 1),
    threads=st.integers(1, 4),
    which=st.sampled_from(SETS),
)
@settings(max_examples=150)
def test_any_network(
    pixels: int,
    hidden: list[int],
    classes: int,
    batch: int,
    optimizer: str,
    bits: int,
    noise: int,
    constant: bool,
    smoothing: float,
    seed: int,
    threads: int,
    which: str,
) -> None:
    chosen = NOISES[optimizer][noise % len(NOISES[optimizer])]
    changes: dict[str, Any] = {"label_smoothing": smoothing}
    if chosen == "both" and constant:
        changes["weight_noise"] = "constant"
    case = connected((pixels, *hidden, classes), batch, optimizer, bits, chosen, changes, seed)
    expected = case.reference()
    train(expected, case)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BINARY_KERNELS", which)
        engine = case.engine(threads)
        train(engine, case)
    assert_same(engine, expected)


@pytest.mark.parametrize("bits", [4, 32])
def test_batches_of_any_order(bits: int) -> None:
    """Memory that a larger batch has left changes nothing, nor does memory that must grow."""
    cases = [connected((45, 70, 41, 5), batch, bits=bits) for batch in (3, 90, 40, 2, 91)]
    engine, expected = cases[0].engine(2), cases[0].reference()
    for case in cases:
        for network in (engine, expected):
            train(network, case, steps=1)
        assert_same(engine, expected)


def test_two_networks_at_once_do_not_mix() -> None:
    cases = [connected((45, 70, 5), 30, seed=1), connected((45, 33, 40, 5), 20, "adam", seed=2)]
    engines, references = [case.engine() for case in cases], [case.reference() for case in cases]
    for _ in range(2):
        for engine, expected, case in zip(engines, references, cases, strict=True):
            for network in (engine, expected):
                train(network, case, steps=1)
            assert_same(engine, expected)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_what_is_restored_goes_on(optimizer: str) -> None:
    case = connected((45, 70, 41, 5), 37, optimizer, noise="activations")
    expected = case.reference()
    train(expected, case)
    engine = case.engine()
    # Another network's memory is there.
    train(engine, case, steps=1)
    engine.restore(expected.state)
    for network in (engine, expected):
        train(network, case, steps=2)
    assert_same(engine, expected)
    assert expected.state["steps"] == STEPS + 2


def with_large_gain(case: Case) -> tuple[PackedEngine, Reference]:
    """Return a network whose last layer hands back too large gradients of some images."""
    engine = case.engine(2)
    engine.layers[-1].normalization.parameters[:, 0] *= 2e5
    return engine, reference_of(engine, case.seed)


@pytest.mark.parametrize("bits", [2, 4, 8, 32])
def test_an_image_with_too_large_gradients_keeps_their_direction(
    bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = connected((45, 70, 4, 5), 60, bits=bits)
    engine, limited = with_large_gain(case)
    for network in (engine, limited):
        train(network, case, steps=1)
    assert_same(engine, limited)
    _, unlimited = with_large_gain(case)
    monkeypatch.setattr(reference, "MAX_SUM_GRADIENT", 2.0**100)
    train(unlimited, case, steps=1)

    def handed_back(network: Reference) -> NDArray[np.float64]:
        last = network.layers[-1]
        factors = 1 if last.row_factors is None else last.row_factors[:, None]
        result: NDArray[np.float64] = last.handed_back.astype(np.float64) * factors
        return result

    ours, theirs = handed_back(limited), handed_back(unlimited)
    changed = (ours != theirs).any(axis=1)
    assert 0 < changed.sum() < case.batch
    # Each of the five sums has a gradient of at most the limit, or almost.
    assert np.abs(ours).max() <= 5.001 * 1024
    scale = np.abs(theirs).max(axis=1) / np.abs(ours).max(axis=1)
    assert (scale[changed] > 1).all()
    np.testing.assert_allclose(ours[changed] * scale[changed, None], theirs[changed], rtol=1e-5)
