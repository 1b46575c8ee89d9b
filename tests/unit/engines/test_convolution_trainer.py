"""A training step of a convolutional network, byte for byte that of tests/reference.py."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import binary_kernels as kernels
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.common.errors import PipelineError
from pipeline.config.architecture import Architecture
from pipeline.config.params import PackedMethod
from pipeline.engines.engine import create_engine
from pipeline.engines.packed.encoding import encode
from pipeline.engines.packed.engine import PackedEngine
from pipeline.engines.packed.model import PackedModel, load
from pipeline.engines.packed.predictor import Predictor
from tests.conftest import OPTIMIZERS, packed_methods, with_optimizer
from tests.oracle import SETS
from tests.prediction import expected_logits
from tests.reference import Convolution, Reference, assert_same, reference_of

METHODS = packed_methods()
STEPS = 3


@dataclass(frozen=True)
class Case:
    """What is trained: see test_trainer.py."""

    name: str
    image_shape: tuple[int, ...]
    batch: int
    noise: str = "none"
    optimizer: str = "rowprop16"
    bits: int = 4
    classes: int = 5
    changes: dict[str, Any] = field(default_factory=dict)
    seed: int = 1

    @property
    def method(self) -> PackedMethod:
        of_noise = {"none": "deterministic", "activations": "stochastic", "both": "both_stochastic"}
        recipe = with_optimizer(METHODS[of_noise[self.noise]].model_dump(), self.optimizer)
        return PackedMethod.model_validate(recipe | {"gradient_bits": self.bits} | self.changes)

    @property
    def architecture(self) -> Architecture:
        return Architecture.parse(self.name, self.image_shape, self.classes)

    def engine(self, threads: int = 1) -> PackedEngine:
        engine = create_engine(self.method, self.architecture, seed=self.seed, threads=threads)
        assert isinstance(engine, PackedEngine)
        return engine

    def images(self) -> NDArray[np.uint8]:
        """Return images, a few more than a batch, of which half the pixels are 0."""
        generator = np.random.default_rng(self.seed)
        pixels = int(np.prod(self.image_shape))
        images = generator.integers(0, 256, (self.batch + 5, pixels), dtype=np.uint8)
        images[generator.integers(0, 2, images.shape) == 0] = 0
        return images


def train(network: PackedEngine | Reference, case: Case, steps: int = STEPS) -> None:
    images = encode(case.images(), 4)
    generator = np.random.default_rng(case.seed)
    labels = generator.integers(0, case.classes, len(images), dtype=np.uint8)
    for step in range(steps):
        index = generator.permutation(len(images))[: case.batch]
        network.train_batch(images, index, labels[index], 0.02 / (step + 1), step / steps)


def check(
    case: Case, threads: tuple[int, ...] = (1, 3), sets: tuple[str, ...] = tuple(SETS)
) -> dict[str, bool]:
    """Compare with the reference; return which layers' weights have changed, by name."""
    expected = reference_of(case.engine(), case.seed)
    before = {name: array.copy() for name, array in expected.state.items()}
    train(expected, case)
    learnt = "m" if case.optimizer == "bop" else "latent"
    names = [f"layers.{layer.index}.{learnt}" for layer in expected.layers]
    for which in sets:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("BINARY_KERNELS", which)
            for count in threads:
                engine = case.engine(count)
                train(engine, case)
                assert_same(engine, expected)
    return {name: not np.array_equal(expected.state[name], before[name]) for name in names}


SHAPES = {
    "one convolution": Case("vgg-32", (8, 8), 6),
    "pooling": Case("vgg-32-m", (8, 8), 6),
    "pooling an odd map, colours": Case("vgg-8-m-16-f12", (9, 7, 3), 7),
    "stride 2, of pixels and of bits": Case("vgg-16s-40s-f20-f9", (11, 12, 2), 5),
    "stride 2 and pooling": Case("vgg-24s-m-64s-m", (19, 21), 4),
    "several panels": Case("vgg-40-72-m-64-m-f33", (12, 11), 9),
    "more patches than are gathered at a time": Case("vgg-8-8-m", (17, 19), 3),
    "one position": Case("vgg-16-m-32-f8", (2, 3), 12),
    "a single row": Case("vgg-16-32", (1, 40), 8),
    # Nine times 600 gradients of 4 bits take 32 bits.
    "wide gradients": Case("vgg-8-600", (3, 4), 3),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_kind_of_layer(shape: str) -> None:
    # Every layer learns, or there is nothing to compare.
    assert all(check(SHAPES[shape]).values())


NOISES = {name: ["none", "activations", "both"][: 2 if name == "bop" else 3] for name in OPTIMIZERS}


@pytest.mark.parametrize(
    ("optimizer", "noise"), [(name, noise) for name in NOISES for noise in NOISES[name]]
)
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_every_recipe(optimizer: str, noise: str, bits: int) -> None:
    case = Case("vgg-16-m-40-f33", (7, 6), 9, noise, optimizer, bits)
    assert all(check(case, (2,), (SETS[-1],)).values())


layers = st.builds(
    lambda channels, stride, pool: f"{8 * channels}{stride}{pool}",
    st.integers(1, 9),
    st.sampled_from(["", "", "s"]),
    st.sampled_from(["", "-m"]),
)


@settings(max_examples=30, deadline=None)
@given(
    name=st.lists(layers, min_size=1, max_size=3).map("-".join),
    hidden=st.sampled_from(["", "-f7", "-f40"]),
    side=st.tuples(st.integers(1, 13), st.integers(1, 13)),
    channels=st.integers(1, 4),
    batch=st.integers(2, 9),
    bits=st.sampled_from([2, 4, 8]),
    noise=st.sampled_from(["none", "activations", "both"]),
    threads=st.integers(1, 4),
    which=st.sampled_from(SETS),
)
def test_random_networks(
    name: str,
    hidden: str,
    side: tuple[int, int],
    channels: int,
    batch: int,
    bits: int,
    noise: str,
    threads: int,
    which: str,
) -> None:
    case = Case(f"vgg-{name}{hidden}", (*side, channels), batch, noise, bits=bits)
    try:
        architecture = case.architecture
    except PipelineError:
        # It pools these images away.
        return
    # A batch's variance needs two rows.
    assert batch * architecture.widths[0] > 1
    check(case, (threads,), (which,))


def test_a_map_with_too_large_gradients_keeps_their_direction() -> None:
    case = Case("vgg-16-24-m", (6, 6), 20)
    engine = case.engine(2)
    engine.layers[-1].normalization.parameters[:, 0] *= 2e5
    engine.layers[1].normalization.parameters[:, 0] *= 20
    expected = reference_of(engine, case.seed)
    for network in (engine, expected):
        train(network, case, steps=1)
    assert_same(engine, expected)
    of_map = expected.layers[1]
    assert isinstance(of_map, Convolution)
    assert of_map.row_factors is not None
    limited = of_map.row_factors == np.float32(1024 / 7)
    assert 0 < limited.sum() < len(limited)


def test_exact_gradients_are_refused() -> None:
    message = "vgg-8: convolutions train with gradients of 2, 4 or 8 bits, and gradient_bits is 32"
    with pytest.raises(PipelineError, match=message):
        Case("vgg-8", (5, 5), 4, bits=32).engine()


def test_a_batch_whose_sums_would_not_fit_is_refused() -> None:
    side = 300
    engine = Case("vgg-8-m-f8", (side, side), 4, bits=8).engine()
    most = (2**31 - 1) // (15 * 112) // side**2
    message = f"a batch of {most + 1} images is too large for vgg-8-m-f8: .* hold {most} at most"
    index = np.zeros(most + 1, np.int64)
    with pytest.raises(PipelineError, match=message):
        engine.train_batch(
            np.zeros((1, side * side // 2), np.uint8), index, index.astype(np.uint8), 0.01, 0.0
        )


def test_what_is_restored_goes_on() -> None:
    case = Case("vgg-16-m-24-f9", (8, 8), 6, noise="activations")
    expected = reference_of(case.engine(), case.seed)
    train(expected, case)
    engine = case.engine()
    train(engine, case, steps=1)
    engine.restore(expected.state)
    for network in (engine, expected):
        train(network, case, steps=2)
    assert_same(engine, expected)


# ---- prediction ----------------------------------------------------------------------------


def trained(case: Case, path: Path) -> tuple[PackedEngine, PackedModel]:
    """Return a network of which some features have a negative gain, and its model."""
    engine = case.engine()
    train(engine, case)
    generator = np.random.default_rng(case.seed)
    for layer in engine.layers:
        gain = layer.normalization.parameters[:, 0]
        gain *= generator.choice([-1.0, 1.0, 0.0], gain.shape, p=[0.45, 0.5, 0.05])
    engine.save(path)
    return engine, load(path)


@pytest.mark.parametrize("noise", ["none", "activations"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_model_predicts_as_numpy_does(shape: str, noise: str, tmp_path: Path) -> None:
    case = Case(SHAPES[shape].name, SHAPES[shape].image_shape, SHAPES[shape].batch, noise)
    engine, model = trained(case, tmp_path / "model.safetensors")
    images = np.random.default_rng(2).integers(0, 16, (70, model.pixels), dtype=np.uint8)
    expected = expected_logits(model, images)
    encoded = encode((images << 4).astype(np.uint8), 4)
    for which in SETS:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("BINARY_KERNELS", which)
            for threads in (1, 3):
                logits = Predictor(model, threads).encoded_logits(encoded)
                np.testing.assert_array_equal(logits, expected)
    np.testing.assert_array_equal(engine.logits(encoded), expected)


def test_images_as_they_are_go_through_the_curve(tmp_path: Path) -> None:
    case = Case("vgg-16-m", (6, 6), 8, changes={"pixel_gamma": 1})
    _, model = trained(case, tmp_path / "model.safetensors")
    images = case.images()
    logits = Predictor(model, 1).logits(images)
    np.testing.assert_array_equal(logits, expected_logits(model, (images >> 4).astype(np.uint8)))


def test_the_largest_sum_and_the_threshold_change_places() -> None:
    """Max-pooling after the comparison gives the bit of max-pooling before it."""
    generator = np.random.default_rng(0)
    sums = generator.integers(-20, 21, (1000, 4, 16))
    scale, shift = generator.normal(size=16), generator.normal(size=16) * 10
    before = scale * sums.max(axis=1) + shift >= 0
    each = scale * sums + shift >= 0
    after = np.where(scale < 0, each.all(axis=1), each.any(axis=1))
    np.testing.assert_array_equal(before, after)


# ---- arguments -----------------------------------------------------------------------------

SHAPE = (4, 4, 8, 1, False)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((0, 4, 8, 1, False), "a convolution's map is empty or too large"),
        ((4, 4, 0, 1, False), "a convolution's map is empty or too large"),
        ((4, 40_000, 8, 1, False), "a convolution's map is empty or too large"),
        ((4, 4, 4000, 1, False), "a convolution's map is empty or too large"),
        ((4, 4, 8, 3, False), "a convolution's stride must be 1 or 2"),
        ((1, 4, 8, 1, True), "a convolution pools its map away"),
        ((4, 4, 3, 1, False), "a convolution's columns must be 9 times its channels"),
    ],
)
def test_the_trainer_refuses_shapes(shape: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        trainer(Case("vgg-8-f8", (4, 4, 8), 4).engine(), [shape])


def test_the_trainer_refuses_layers_that_do_not_fit() -> None:
    engine = Case("vgg-8-8-f8", (4, 4, 8), 4).engine()
    with pytest.raises(ValueError, match="a convolution's map must be that of the one before"):
        trainer(engine, [SHAPE, (3, 4, 8, 1, False)])
    with pytest.raises(ValueError, match="a layer's columns must be the rows of the layer before"):
        trainer(engine, [SHAPE, (4, 4, 8, 2, False)])
    with pytest.raises(ValueError, match="learners and running must have an entry for each layer"):
        trainer(engine, [SHAPE] * 4)
    with pytest.raises(ValueError, match="max_gradient must be an integer for convolutions"):
        trainer(engine, [SHAPE, SHAPE], max_gradient=None)


def trainer(
    engine: PackedEngine, shapes: list[tuple[Any, ...]], max_gradient: int | None = 7
) -> kernels.Trainer:
    """Build a trainer of an engine's arrays for other shapes."""
    normalization = engine._normalization
    return kernels.Trainer(
        [layer.weights.learner() for layer in engine.layers],
        [layer.normalization.running for layer in engine.layers],
        normalization.parameters,
        *normalization.moments,
        max_gradient=max_gradient,
        stochastic=False,
        label_smoothing=0.0,
        epsilon=1e-5,
        momentum=0.1,
        beta1=0.9,
        beta2=0.999,
        adam_epsilon=1e-8,
        seed=1,
        threads=1,
        convolutions=shapes,
    )
