"""A training step of a convolutional network, byte for byte that of tests/reference.py."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import binary_kernels as kernels
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.common.errors import PipelineError
from pipeline.config.architecture import Architecture
from pipeline.engines.packed.encoding import encode
from pipeline.engines.packed.engine import PackedEngine
from pipeline.engines.packed.model import PackedModel, load
from pipeline.engines.packed.predictor import Predictor
from tests.oracle import SETS, from_panels
from tests.prediction import expected_logits, signs
from tests.reference import EPSILON, Convolution, assert_same, reference_of
from tests.unit.engines.trainer_case import EVERY_NOISE, Case, check, train


def convolutional(name: str, image_shape: tuple[int, ...], batch: int, **keywords: Any) -> Case:
    """Return the case of a network of that name, with five classes."""
    architecture = Architecture.parse(name, image_shape, classes=5)
    return Case(architecture, batch, **{"optimizer": "rowprop16", **keywords})


SHAPES = {
    "one convolution": convolutional("vgg-32", (8, 8), 6),
    "pooling": convolutional("vgg-32-m", (8, 8), 6),
    "pooling an odd map, colours": convolutional("vgg-8-m-16-f12", (9, 7, 3), 7),
    "stride 2, of pixels and of bits": convolutional("vgg-16s-40s-f20-f9", (11, 12, 2), 5),
    "stride 2 and pooling": convolutional("vgg-24s-m-64s-m", (19, 21), 4),
    "several panels": convolutional("vgg-40-72-m-64-m-f33", (12, 11), 9),
    "more patches than are gathered at a time": convolutional("vgg-8-8-m", (17, 19), 3),
    "one position": convolutional("vgg-16-m-32-f8", (2, 3), 12),
    "a single row": convolutional("vgg-16-32", (1, 40), 8),
    # Nine times 600 gradients of 4 bits take 32 bits.
    "wide gradients": convolutional("vgg-8-600", (3, 4), 3),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_kind_of_layer(shape: str) -> None:
    # Every layer learns, or there is nothing to compare.
    assert check(SHAPES[shape])


@pytest.mark.parametrize(("optimizer", "noise"), EVERY_NOISE)
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_every_recipe(optimizer: str, noise: str, bits: int) -> None:
    keywords = {"optimizer": optimizer, "noise": noise, "bits": bits}
    assert check(convolutional("vgg-16-m-40-f33", (7, 6), 9, **keywords), (2,), SETS[-1:])


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
    keywords = {"noise": noise, "bits": bits}
    try:
        case = convolutional(f"vgg-{name}{hidden}", (*side, channels), batch, **keywords)
    except PipelineError:
        # It pools these images away.
        return
    check(case, (threads,), (which,))


def test_a_map_with_too_large_gradients_keeps_their_direction() -> None:
    case = convolutional("vgg-16-24-m", (6, 6), 20)
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
        convolutional("vgg-8", (5, 5), 4, bits=32).engine()


def test_a_batch_whose_sums_would_not_fit_is_refused() -> None:
    side = 300
    engine = convolutional("vgg-8-m-f8", (side, side), 4, bits=8).engine()
    most = (2**31 - 1) // (15 * 112) // side**2
    message = f"a batch of {most + 1} images is too large for vgg-8-m-f8: .* hold {most} at most"
    index = np.zeros(most + 1, np.int64)
    with pytest.raises(PipelineError, match=message):
        engine.train_batch(
            np.zeros((1, side * side // 2), np.uint8), index, index.astype(np.uint8), 0.01, 0.0
        )


def test_what_is_restored_goes_on() -> None:
    case = convolutional("vgg-16-m-24-f9", (8, 8), 6, noise="activations")
    expected = case.reference()
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
    case = replace(SHAPES[shape], noise=noise)
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
    case = convolutional("vgg-16-m", (6, 6), 8, changes={"pixel_gamma": 1})
    _, model = trained(case, tmp_path / "model.safetensors")
    images, _ = case.data()
    logits = Predictor(model, 1).logits(images)
    np.testing.assert_array_equal(logits, expected_logits(model, (images >> 4).astype(np.uint8)))


def test_pooling_after_the_threshold_is_pooling_before_it(tmp_path: Path) -> None:
    """As training pools: the largest sum first, then normalization, then its sign."""
    case = convolutional("vgg-40-m", (7, 8, 2), 9)
    engine, model = trained(case, tmp_path / "model.safetensors")
    images = np.random.default_rng(2).integers(0, 16, (70, model.pixels), dtype=np.uint8)
    layer, last = model.convolutions[0], model.last
    weights = signs(layer.bits, 9 * 2)
    normalization = engine.layers[0].normalization
    gain, bias, mean, variance = np.concatenate(
        [from_panels(pairs, 40) for pairs in (normalization.parameters, normalization.running)]
    ).astype(np.float64)
    # Where the gain is negative, the model has the weights negated.
    weights[gain < 0] *= -1
    maps = np.pad(images.reshape(-1, 7, 8, 2).astype(np.int64), ((0, 0), (1, 1), (1, 1), (0, 0)))
    patches = [maps[:, y : y + 7, x : x + 8] for y in range(3) for x in range(3)]
    sums = np.concatenate(patches, -1) @ weights.T
    largest = sums[:, :6].reshape(-1, 3, 2, 4, 2, 40).max(axis=(2, 4))
    x = np.where(gain * (largest - mean) / np.sqrt(variance + EPSILON) + bias >= 0, 1, -1)
    of_last = x.reshape(len(images), -1) @ signs(last.bits, 3 * 4 * 40).T
    expected = of_last.astype(np.float32) * last.scale + last.shift
    assert (gain < 0).sum() > 5
    np.testing.assert_array_equal(expected_logits(model, images), expected)


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
        trainer(convolutional("vgg-8-f8", (4, 4, 8), 4).engine(), [shape])


def test_the_trainer_refuses_layers_that_do_not_fit() -> None:
    engine = convolutional("vgg-8-8-f8", (4, 4, 8), 4).engine()
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
