"""A training step of the kernels, byte for byte that of tests/reference.py."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.config.params import PackedMethod
from pipeline.engines.engine import create_engine
from pipeline.engines.packed.encoding import encode
from pipeline.engines.packed.engine import PackedEngine
from tests import reference
from tests.conftest import OPTIMIZERS, packed_methods, with_optimizer
from tests.networks import mlp
from tests.oracle import SETS
from tests.reference import Reference, assert_same, reference_of

METHODS = packed_methods()
STEPS = 3


@dataclass(frozen=True)
class Case:
    """What is trained.

    Attributes:
        widths: from the pixels to the classes.
        batch: of every step.
        optimizer: one of OPTIMIZERS.
        bits: of the gradients.
        noise: of what: "none", "activations", "both".
        changes: other changes of the recipe.
        seed: of the training, and of what it learns from.
    """

    widths: tuple[int, ...]
    batch: int
    optimizer: str = "rowprop8"
    bits: int = 4
    noise: str = "none"
    changes: dict[str, Any] = field(default_factory=dict)
    seed: int = 1

    @property
    def method(self) -> PackedMethod:
        of_noise = {"none": "deterministic", "activations": "stochastic", "both": "both_stochastic"}
        recipe = with_optimizer(METHODS[of_noise[self.noise]].model_dump(), self.optimizer)
        return PackedMethod.model_validate(recipe | {"gradient_bits": self.bits} | self.changes)

    def engine(self, threads: int = 1) -> PackedEngine:
        engine = create_engine(self.method, mlp(*self.widths), seed=self.seed, threads=threads)
        assert isinstance(engine, PackedEngine)
        return engine

    def reference(self) -> Reference:
        return reference_of(self.engine(), self.seed)

    def data(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return encoded images, more than a batch, of which half the pixels are 0, and labels."""
        generator = np.random.default_rng(self.seed)
        pixels, classes, count = self.widths[0], self.widths[-1], self.batch + 5
        images = generator.integers(0, 256, (count, pixels), dtype=np.uint8)
        images[generator.integers(0, 2, images.shape) == 0] = 0
        return encode(images, 4), generator.integers(0, min(classes, 256), count, dtype=np.uint8)


def train(network: PackedEngine | Reference, case: Case, steps: int = STEPS) -> None:
    """Take steps of batches, rates and noise that differ."""
    images, labels = case.data()
    generator = np.random.default_rng(case.seed)
    for step in range(steps):
        index = generator.permutation(len(images))[: case.batch]
        network.train_batch(images, index, labels[index], 0.02 / (step + 1), step / steps)


def check(case: Case, threads: tuple[int, ...], sets: tuple[str, ...] = tuple(SETS)) -> None:
    expected = case.reference()
    before = {name: array.copy() for name, array in expected.state.items()}
    train(expected, case)
    # Every layer learns, or there is nothing to compare.
    learnt = "m" if case.optimizer == "bop" else "latent"
    for layer in range(len(case.widths) - 1):
        name = f"layers.{layer}.{learnt}"
        assert not np.array_equal(expected.state[name], before[name]), name
    for which in sets:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("BINARY_KERNELS", which)
            for count in threads:
                engine = case.engine(count)
                train(engine, case)
                assert_same(engine, expected)


# Bop has no latent weights to add noise to.
NOISES = {name: ["none", "activations", "both"][: 2 if name == "bop" else 3] for name in OPTIMIZERS}


@pytest.mark.parametrize(
    ("optimizer", "noise"), [(name, noise) for name in NOISES for noise in NOISES[name]]
)
@pytest.mark.parametrize("bits", [2, 4, 8, 32])
def test_every_recipe(optimizer: str, bits: int, noise: str) -> None:
    # Columns that are no multiple of 8 or 32, and several panels.
    check(Case((45, 70, 41, 5), 37, optimizer, bits, noise), (1, 3))


# What takes several pieces of a kind, and how it is divided: see the constants in
# kernels/training.cpp.
DIVIDED = {
    # Ten panels of sums are a block there, of columns a group, and five of gradients a part.
    "blocks": Case((20, 33, 330, 7), 2000, bits=8),
    "blocks of pixels": Case((50, 330, 33, 7), 2000, "rowprop16", bits=4),
    "blocks of exact gradients": Case((20, 330, 33, 7), 2000, bits=32),
    # All classes are one block, of two groups and three parts.
    "groups of classes": Case((40, 40, 230), 3000, bits=4, noise="both"),
    # Tiles of 64 rows, and random numbers in chunks of 32 panels.
    "tiles": Case((1700, 210, 3), 40, noise="both"),
    # For four threads there are too few features to have a tile each.
    "shared tiles": Case((1700, 150, 3), 40),
    "shared tiles of 16 bits": Case((1700, 150, 3), 40, "rowprop16"),
    "shared tiles of Adam": Case((1700, 150, 3), 40, "adam", bits=32),
    "tiles of bits": Case((20, 1100, 290, 3), 40),
    "tiles of Bop": Case((20, 1100, 290, 3), 40, "bop"),
    # Sums of so many pixels, or bits, take 32 bits.
    "wide sums of pixels": Case((2200, 34, 3), 12),
    "wide sums of bits": Case((5, 32_800, 3), 3),
    # So do sums of so many gradients.
    "wide sums of gradients": Case((30, 40, 300, 3), 50, bits=8),
    # The gradient that comes in is in the memory of that of the sums.
    "one layer": Case((36, 3), 200),
    "one layer of several parts": Case((36, 230), 3000, bits=32),
}


@pytest.mark.parametrize("name", DIVIDED)
def test_however_the_work_is_divided(name: str) -> None:
    case = DIVIDED[name]
    check(case, (1, 2, 4), (SETS[-1],))
    check(case, (3,), tuple(SETS[:-1]))


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
    case = Case((pixels, *hidden, classes), batch, optimizer, bits, chosen, changes, seed)
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
    cases = [Case((45, 70, 41, 5), batch, bits=bits) for batch in (3, 90, 40, 2, 91)]
    engine, expected = cases[0].engine(2), cases[0].reference()
    for case in cases:
        for network in (engine, expected):
            train(network, case, steps=1)
        assert_same(engine, expected)


def test_two_networks_at_once_do_not_mix() -> None:
    cases = [Case((45, 70, 5), 30, seed=1), Case((45, 33, 40, 5), 20, "adam", seed=2)]
    engines, references = [case.engine() for case in cases], [case.reference() for case in cases]
    for _ in range(2):
        for engine, expected, case in zip(engines, references, cases, strict=True):
            for network in (engine, expected):
                train(network, case, steps=1)
            assert_same(engine, expected)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_what_is_restored_goes_on(optimizer: str) -> None:
    case = Case((45, 70, 41, 5), 37, optimizer, noise="activations")
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
    case = Case((45, 70, 4, 5), 60, bits=bits)
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
