"""Convolutional networks in torch, against plain NumPy and the packed engine's step."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file
from torch import nn

from pipeline.config.architecture import Architecture
from pipeline.config.params import PackedMethod
from pipeline.engines.engine import create_engine
from pipeline.engines.packed.encoding import encode
from pipeline.engines.torch.engine import TorchEngine
from pipeline.engines.torch.network import BinaryConv2d, BinaryLayer
from tests.conftest import CLASSES, SIDE, packed_methods
from tests.oracle import from_panels
from tests.reference import Convolution, reference_of
from tests.unit.engines.test_torch_engine import (
    IMAGES,
    INDEX,
    LABELS,
    METHODS,
    every_method,
    train,
)
from tests.unit.engines.test_torch_engine import create as of_method


def create(name: str, architecture: str = "vgg-8-m-16s-f12", seed: int = 1) -> TorchEngine:
    return of_method(name, seed, Architecture.parse(architecture, (SIDE, SIDE), CLASSES))


@every_method
def test_what_is_restored_goes_on(name: str) -> None:
    engine, other = create(name), create(name, seed=2)
    train(engine, 3)
    state = {key: array.copy() for key, array in engine.state().items()}
    assert all(array.ndim <= 2 for array in state.values())
    other.restore(state)
    train(engine, 2)
    train(other, 2)
    after = other.state()
    for key, array in engine.state().items():
        np.testing.assert_array_equal(array, after[key], err_msg=key)


def test_latent_weights_stay_clipped() -> None:
    engine = create("simulated")
    for _ in range(20):
        engine.train_batch(IMAGES, INDEX, LABELS, 1.0, 0.0)
    layers = [m for m in engine._network if isinstance(m, BinaryLayer)]
    assert len(layers) == 4
    for layer in layers:
        assert float(layer.weight.detach().abs().max()) == 1.0


def patches(maps: NDArray[np.float64], edge: float) -> NDArray[np.float64]:
    """Return (batch, height, width, taps, channels) of (batch, height, width, channels)."""
    height, width = maps.shape[1:3]
    padded = np.pad(maps, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=edge)
    return np.stack(
        [padded[:, y : y + height, x : x + width] for y in range(3) for x in range(3)], axis=3
    )


def test_of_equal_sums_the_first_is_the_largest() -> None:
    """As the packed engine has it: sums of bits are often equal."""
    x = torch.zeros(1, 2, 4, 6, requires_grad=True)
    nn.MaxPool2d(2)(x).sum().backward()
    assert x.grad is not None
    expected = torch.zeros(4, 6)
    expected[::2, ::2] = 1
    assert torch.equal(x.grad, expected.expand(1, 2, 4, 6))


COLOURS = (3, 4, 3)


@pytest.mark.parametrize("name", ["float", "simulated"])
@pytest.mark.parametrize("image_shape", [(SIDE, SIDE), COLOURS])
@pytest.mark.parametrize("architecture", ["vgg-8-m-16s-f12", "vgg-8-16-m", "vgg-16s-m-8"])
def test_prediction_matches_a_plain_numpy_network(
    name: str, image_shape: tuple[int, ...], architecture: str, tmp_path: Path
) -> None:
    parsed = Architecture.parse(architecture, image_shape, CLASSES)
    assert (
        parsed.feature_maps[0][0] * parsed.feature_maps[0][1] * parsed.feature_maps[0][2]
        == (IMAGES.shape[1])
    )
    engine = create_engine(METHODS[name], parsed, seed=1, threads=1)
    assert isinstance(engine, TorchEngine)
    train(engine, 10)
    engine.save(tmp_path / "model")
    tensors = load_file(tmp_path / "model")
    binary = name == "simulated"

    def layer(number: int, s: NDArray[np.float64]) -> NDArray[np.float64]:
        mean, variance, gain, bias = (
            tensors[f"{number}.{key}"].astype(np.float64)
            for key in ("running_mean", "running_var", "weight", "bias")
        )
        return (s - mean) / np.sqrt(variance + 1e-5) * gain + bias

    def weights(number: int) -> NDArray[np.float64]:
        w = tensors[f"{number}.weight"].astype(np.float64)
        return np.where(w >= 0, 1.0, -1.0) if binary else w

    def activate(a: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(a >= 0, 1.0, -1.0) if binary else np.maximum(a, 0)

    pixels = (IMAGES >> 4).astype(np.float64) if binary else IMAGES / 255
    maps = pixels.reshape(-1, *parsed.feature_maps[0])
    number = 1
    for index, convolution in enumerate(parsed.convolutions):
        edge = -1.0 if binary and index else 0.0
        w = weights(number).reshape(convolution.channels, maps.shape[-1], 9)
        stride = convolution.stride
        s = np.einsum("byxtc,nct->byxn", patches(maps, edge)[:, ::stride, ::stride], w)
        if convolution.pool:
            height, width = s.shape[1] // 2, s.shape[2] // 2
            four = s[:, : 2 * height, : 2 * width]
            s = four.reshape(len(s), height, 2, width, 2, -1).max(axis=(2, 4))
        number += 2 if convolution.pool else 1
        maps = activate(layer(number, s))
        number += 2
    a = maps.reshape(len(maps), -1)
    number += 1
    for last in (*[False] * len(parsed.hidden), True):
        a = layer(number + 1, a @ weights(number).T)
        a = a if last else activate(a)
        number += 3
    np.testing.assert_allclose(engine.logits(IMAGES), a, rtol=1e-3, atol=1e-3)


def test_one_step_is_that_of_the_packed_network() -> None:
    """Equal integers and bits forward; gradients that differ by their rounding to 8 bits."""
    architecture = Architecture.parse("vgg-16-m-24-f12", (SIDE, SIDE), CLASSES)
    simulated = create("simulated", architecture.name)
    method = METHODS["simulated"]
    recipe = packed_methods()["deterministic"].model_dump()
    recipe |= {"label_smoothing": method.label_smoothing, "gradient_bits": 8}
    recipe |= {"optimizer": "adam", "latent_bits": None}
    packed = create_engine(PackedMethod.model_validate(recipe), architecture, seed=1, threads=1)
    theirs = [m for m in simulated._network if isinstance(m, BinaryLayer)]
    for module, layer in zip(theirs, packed.layers, strict=True):  # type: ignore[attr-defined]
        latent = layer.weights.arrays()["latent"]
        latent[:, : layer.inputs] = by_taps(module, module.weight)
    expected = reference_of(packed, 1)  # type: ignore[arg-type]
    outputs: list[torch.Tensor] = []
    norms = nn.BatchNorm1d | nn.BatchNorm2d
    for each in simulated._network:
        if isinstance(each, norms):
            each.register_forward_hook(lambda _module, inputs, _output: outputs.append(inputs[0]))
    simulated.train_batch(IMAGES, INDEX, LABELS, 0.01, 0.0)
    expected.train_batch(encode(IMAGES, 4), INDEX, LABELS, 0.01, 0.0)
    for s, module, layer in zip(outputs, theirs, expected.layers, strict=True):
        sums = from_panels(layer.sums, layer.outputs)
        if isinstance(layer, Convolution):
            s = s.permute(0, 2, 3, 1).flatten(0, 2)
        np.testing.assert_array_equal(s.detach().numpy(), sums)
        assert module.weight.grad is not None
        exact = by_taps(module, module.weight.grad)
        assert layer.factors is not None
        rounded = layer.gradient[:, : layer.inputs] * layer.factors[: layer.outputs, None]
        error = np.linalg.norm(rounded - exact) / np.linalg.norm(exact)
        assert error < 0.05
        assert np.linalg.norm(exact) > 0


def by_taps(module: BinaryLayer, tensor: torch.Tensor) -> NDArray[np.float32]:
    """Return weights as the packed engine has them: (features, taps x channels)."""
    values = tensor.detach()
    if isinstance(module, BinaryConv2d):
        values = values.permute(0, 2, 3, 1).flatten(1)
    array: NDArray[np.float32] = values.numpy()
    return array


@every_method
def test_the_memory_breakdown_counts_known_tensors(name: str) -> None:
    engine = create(name, "vgg-8-m")
    train(engine, 1)
    breakdown = engine.memory_breakdown(IMAGES, INDEX, LABELS)
    inputs = (SIDE // 2) ** 2 * 8
    parameters = 9 * 8 + inputs * CLASSES + 2 * (8 + CLASSES)
    assert engine.parameter_count() == parameters
    assert breakdown["gradients"] == 4 * parameters
    # At the least, the first map's sums are kept.
    assert breakdown["saved_activations"] >= 4 * 8 * SIDE * SIDE * len(IMAGES)
