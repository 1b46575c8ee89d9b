"""The packed network: against the simulated one, itself on other threads, and what it promises."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.config.params import PackedMethod, load_params
from pipeline.engines.engine import create_engine
from pipeline.engines.packed.encoding import encode, padded
from pipeline.engines.packed.engine import PackedEngine
from pipeline.engines.packed.layer import BinaryLayer
from pipeline.engines.phases import PHASES
from pipeline.engines.torch.engine import TorchEngine
from pipeline.engines.torch.network import BinaryLinear
from tests.conftest import (
    CLASSES,
    OPTIMIZERS,
    ROOT,
    SIDE,
    heavy_imports,
    make_images,
    packed_methods,
)
from tests.networks import mlp
from tests.oracle import SETS, from_panels, pack
from tests.oracle import noise as drawn_noise
from tests.reference import Reference, assert_same, reference_of

PARAMS = load_params(ROOT / "params.yaml")
METHODS = packed_methods()
PIXELS = SIDE * SIDE
LABELS = (np.arange(24) % CLASSES).astype(np.uint8)
IMAGES = make_images(LABELS, 3).reshape(len(LABELS), PIXELS)
ENCODED = encode(IMAGES, 4)
INDEX = np.arange(len(LABELS))
WIDTHS = (PIXELS, 40, 12, CLASSES)

# Latent weights to which NumPy can add noise as they are.
FLOAT_LATENT: dict[str, Any] = {"optimizer": "adam", "latent_bits": None}

every_method = pytest.mark.parametrize("name", METHODS)


def create(
    name: str, seed: int = 1, threads: int = 1, widths: tuple[int, ...] = WIDTHS, **changes: object
) -> PackedEngine:
    method = PackedMethod.model_validate(METHODS[name].model_dump() | changes)
    engine = create_engine(method, mlp(*widths), seed=seed, threads=threads)
    assert isinstance(engine, PackedEngine)
    return engine


def train(engine: PackedEngine, steps: int) -> None:
    for step in range(steps):
        engine.train_batch(ENCODED, INDEX, LABELS, 0.01, step / steps)


def one_step(engine: PackedEngine, progress: float = 0.0) -> Reference:
    """Take a step, and return the same step of the reference, which shows what it computed."""
    expected = reference_of(engine, 1)
    for network in (engine, expected):
        network.train_batch(ENCODED, INDEX, LABELS, 0.01, progress)
    assert_same(engine, expected)
    return expected


@every_method
def test_a_network_overfits_a_handful_of_images(name: str) -> None:
    engine = create(name)
    train(engine, 300)
    assert (engine.logits(ENCODED).argmax(axis=1) == LABELS).all()


@pytest.mark.parametrize(
    "widths", [(PIXELS, CLASSES), (PIXELS, 33, CLASSES), (7, 5, 3, 2, CLASSES)]
)
@pytest.mark.parametrize("bits", [2, 4, 8, 32])
def test_any_depth_and_gradient_bits(widths: tuple[int, ...], bits: int) -> None:
    engine = create("deterministic", widths=widths, gradient_bits=bits)
    images = encode(IMAGES[:, : widths[0]], 4)
    before = engine.logits(images)
    for _ in range(5):
        engine.train_batch(images, INDEX, LABELS, 0.05, 0.0)
    after = engine.logits(images)
    assert np.isfinite(after).all()
    assert not np.array_equal(before, after)


@pytest.mark.parametrize("bits", [4, 32])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_deep_narrow_network_stays_finite(name: str, bits: int) -> None:
    """Its gradients grow from layer to layer, beyond float32 if nothing holds them."""
    engine = create(name, widths=(PIXELS, *(8,) * 64, CLASSES), gradient_bits=bits)
    train(engine, 40)
    assert np.isfinite(engine.logits(ENCODED)).all()
    for name, array in engine.state().items():
        assert array.dtype.kind != "f" or np.isfinite(array).all(), name


@every_method
def test_the_same_bytes_with_any_threads_and_instruction_set(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = set()
    # Two panels of features each, so that there is something to divide.
    widths = (PIXELS, 70, 40, CLASSES)
    for which in SETS:
        monkeypatch.setenv("BINARY_KERNELS", which)
        for threads in (1, 2, 4):
            engine = create(name, threads=threads, widths=widths)
            train(engine, 4)
            engine.save(tmp_path / "model")
            files.add((tmp_path / "model").read_bytes())
    assert len(files) == 1
    other = create(name, seed=2, widths=widths)
    train(other, 4)
    other.save(tmp_path / "model")
    assert (tmp_path / "model").read_bytes() not in files


@pytest.mark.parametrize("gradient_bits", [2, 4, 8, 32])
@pytest.mark.parametrize("batch", [2, 7, 40])
def test_the_same_bytes_with_any_gradient_bits_and_batch(
    gradient_bits: int, batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = np.arange(batch) % len(LABELS)
    files = set()
    for which in SETS:
        monkeypatch.setenv("BINARY_KERNELS", which)
        for threads in (1, 3):
            widths = (PIXELS, 70, 40, CLASSES)
            engine = create("both_stochastic", 1, threads, widths, gradient_bits=gradient_bits)
            for step in range(3):
                engine.train_batch(ENCODED, index, LABELS[index], 0.01, step / 3)
            engine.save(tmp_path / "model")
            files.add((tmp_path / "model").read_bytes())
    assert len(files) == 1


def twins(gradient_bits: int, widths: tuple[int, ...]) -> tuple[TorchEngine, PackedEngine]:
    """A simulated and a packed network with the same latent weights, in float32."""
    method = PARAMS.groups.torch["simulated"]
    simulated = create_engine(method, mlp(*widths), seed=1, threads=1)
    assert isinstance(simulated, TorchEngine)
    ours = create(
        "adam",
        widths=widths,
        gradient_bits=gradient_bits,
        label_smoothing=method.label_smoothing,
    )
    linear = [layer for layer in simulated._network if isinstance(layer, BinaryLinear)]
    for theirs, layer in zip(linear, ours.layers, strict=True):
        latent_of(layer)[:] = theirs.weight.detach().numpy()
    return simulated, ours


def latent_of(layer: BinaryLayer) -> np.ndarray:
    latent: np.ndarray = layer.weights.arrays()["latent"][:, : layer.inputs]
    return latent


def normalizations(simulated: TorchEngine) -> list[nn.BatchNorm1d]:
    return [layer for layer in simulated._network if isinstance(layer, nn.BatchNorm1d)]


def columns(layer: BinaryLayer, array: np.ndarray, row: int) -> np.ndarray:
    row_of_all: np.ndarray = from_panels(array[:, row : row + 1], layer.outputs)[0]
    return row_of_all


def test_one_step_is_that_of_the_simulated_network() -> None:
    """Equal integers and bits forward; gradients to float rounding; the same update."""
    simulated, ours = twins(32, WIDTHS)
    outputs: dict[str, torch.Tensor] = {}
    for number, module in enumerate(simulated._network):
        module.register_forward_hook(
            lambda _module, _inputs, output, number=number: outputs.update({str(number): output})
        )
    simulated.train_batch(IMAGES, INDEX, LABELS, 0.01, 0.0)
    expected = one_step(ours)

    for number, of_layer in enumerate(expected.layers):
        s = outputs[str(3 * number)].detach().numpy()
        np.testing.assert_array_equal(s, from_panels(of_layer.sums, of_layer.outputs))
        mean, variance = (
            from_panels(of_layer.batch[:, i : i + 1], of_layer.outputs)[0] for i in (0, 1)
        )
        np.testing.assert_allclose(mean, s.mean(axis=0), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(variance, s.var(axis=0), rtol=1e-5, atol=1e-5)
        if of_layer is not expected.layers[-1]:
            bits = outputs[str(3 * number + 2)].detach().numpy()
            np.testing.assert_array_equal(of_layer.bits, pack(bits > 0))
    linear = [layer for layer in simulated._network if isinstance(layer, BinaryLinear)]
    for theirs, of_layer in zip(linear, expected.layers, strict=True):
        assert theirs.weight.grad is not None
        exact = theirs.weight.grad.numpy()
        g = of_layer.gradient[:, : of_layer.inputs]
        np.testing.assert_allclose(g, exact, rtol=1e-4, atol=1e-5 * np.abs(exact).max())
    for theirs_norm, layer in zip(normalizations(simulated), ours.layers, strict=True):
        assert theirs_norm.running_mean is not None
        assert theirs_norm.running_var is not None
        running = layer.normalization.running
        np.testing.assert_allclose(
            columns(layer, running, 0), theirs_norm.running_mean.numpy(), rtol=1e-5, atol=1e-5
        )
        np.testing.assert_allclose(
            columns(layer, running, 1), theirs_norm.running_var.numpy(), rtol=1e-5, atol=1e-5
        )
        parameters = layer.normalization.parameters
        for row, theirs_p in enumerate((theirs_norm.weight, theirs_norm.bias)):
            np.testing.assert_allclose(
                columns(layer, parameters, row), theirs_p.detach().numpy(), atol=1e-4
            )


def test_a_short_training_follows_the_simulated_network() -> None:
    """Not bit by bit: a sign that rounding decides otherwise is enough to part the two."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, CLASSES, 600).astype(np.uint8)
    # Noise in which the band nearly drowns, or both would make no error from the first step on.
    noise = generator.integers(0, 255, (len(labels), SIDE, SIDE))
    noisy = np.minimum(make_images(labels, 5) // 3 + noise, 255).astype(np.uint8)
    images = noisy.reshape(len(labels), PIXELS)
    encoded = encode(images, 4)
    simulated, ours = twins(32, (PIXELS, 64, CLASSES))
    errors = []
    for step in range(60):
        index = generator.permutation(len(labels))[:50]
        simulated.train_batch(images, index, labels[index], 0.01, step / 60)
        ours.train_batch(encoded, index, labels[index], 0.01, step / 60)
        if step % 10 == 9:
            theirs = (simulated.logits(images).argmax(axis=1) != labels).mean()
            errors.append((theirs, (ours.logits(encoded).argmax(axis=1) != labels).mean()))
    curve = np.array(errors)
    assert (curve[0] > 0.2).all()
    assert (curve[-1] < 0.15).all()
    np.testing.assert_allclose(curve[:, 1], curve[:, 0], atol=0.05)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_rounded_gradients_are_right_on_average(bits: int) -> None:
    """The mean over many seeds of the first layer's gradient approaches the exact one."""

    def mean(bits: int, seeds: range) -> np.ndarray:
        # The same network, other random numbers.
        engine = create("deterministic", gradient_bits=bits)
        total = np.zeros((WIDTHS[1], padded(PIXELS)))
        for seed in seeds:
            network = reference_of(engine, seed)
            network.train_batch(ENCODED, INDEX, LABELS, 0.01, 0.0)
            first = network.layers[0]
            factors = 1 if first.factors is None else first.factors[: first.outputs, None]
            total += first.gradient * np.float64(factors)
        return total / len(seeds)

    exact = mean(32, range(1))
    approximate = mean(bits, range(200))
    error = np.linalg.norm(approximate - exact) / np.linalg.norm(exact)
    assert error < {2: 0.3, 4: 0.06, 8: 0.01}[bits]


def test_stochastic_binarization_draws_weights_and_activations() -> None:
    engine = create("both_stochastic", weight_noise="constant", **FLOAT_LATENT)
    latent = latent_of(engine.layers[0]).copy()
    layer = one_step(engine, progress=0.5).layers[0]
    # Purposes: 1 for weights of layer 0, 0 for its activations; both of step 0.
    weights = np.where(latent + drawn_noise(40, PIXELS, (1, 1, 0)) >= 0, 1, -1)
    s = (IMAGES >> 4).astype(np.int64) @ weights.T
    scale, shift = (from_panels(layer.batch[:, i : i + 1], 40)[0] for i in (3, 4))
    a = s.astype(np.float32) * scale + shift
    np.testing.assert_array_equal(
        layer.bits, pack(a + drawn_noise(len(LABELS), 40, (1, 0, 0)) >= 0)
    )


def test_noise_of_stochastic_weights_is_annealed() -> None:
    engine = create("both_stochastic")
    assert engine._weight_noise(0.0) == 1
    assert 0 < engine._weight_noise(0.9) < 0.02
    assert create("both_stochastic", weight_noise="constant")._weight_noise(0.9) == 1
    assert create("deterministic")._weight_noise(0.0) == 0


@every_method
def test_prediction_is_that_of_running_statistics(name: str) -> None:
    """Thresholds on integers decide as batch normalization in float64 does."""
    engine = create(name, prediction_passes=1)
    train(engine, 20)
    # A negative and a vanishing gain, which training rarely makes.
    engine.layers[0].normalization.parameters[0, 0, :2] = (-0.7, 0)
    engine._predictor = None
    a = (IMAGES >> 4).astype(np.float64)
    for layer in engine.layers:
        bits = np.unpackbits(layer.weights.signs(), axis=1, bitorder="little")
        s = a @ (2.0 * bits[:, : layer.inputs] - 1).T
        gain, bias = (columns(layer, layer.normalization.parameters, i) for i in range(2))
        mean, variance = (columns(layer, layer.normalization.running, i) for i in range(2))
        scale = gain / np.sqrt(variance.astype(np.float64) + 1e-5)
        normalized = s * scale + (bias - mean * scale)
        a = np.where(normalized >= 0, 1.0, -1.0)
    np.testing.assert_allclose(engine.logits(ENCODED), normalized, rtol=1e-4, atol=1e-4)


def test_prediction_is_by_image() -> None:
    engine = create("stochastic")
    train(engine, 5)
    logits = engine.logits(ENCODED)
    np.testing.assert_array_equal(logits, engine.logits(ENCODED))
    one_by_one = np.concatenate([engine.logits(image[None]) for image in ENCODED])
    np.testing.assert_array_equal(one_by_one, logits)


@pytest.mark.parametrize(
    ("name", "largest"), [("rowprop8", 127), ("rowprop16", 32767), ("adam", 1)]
)
def test_latent_weights_stay_clipped(name: str, largest: int) -> None:
    engine = create(name)
    for _ in range(20):
        engine.train_batch(ENCODED, INDEX, LABELS, 1.0, 0.0)
    for layer in engine.layers:
        assert np.abs(latent_of(layer).astype(np.float64)).max() == largest


def test_what_optimizers_keep_of_a_weight() -> None:
    weights = 40 * padded(PIXELS)
    bytes_of = {
        "rowprop8": (weights, 40 * 4),
        "rowprop16": (2 * weights, 40 * 4),
        "adam": (4 * weights, 8 * weights),
        "bop": (40 * -(-PIXELS // 8), 4 * weights),
    }
    for name in OPTIMIZERS:
        first = create(name).layers[0].weights
        assert (first.weight_bytes(), first.state_bytes()) == bytes_of[name]


@every_method
def test_the_memory_breakdown_counts_what_is_held(name: str) -> None:
    engine = create(name, widths=(PIXELS, 64, CLASSES))
    train(engine, 1)
    breakdown = engine.memory_breakdown(ENCODED, INDEX, LABELS)
    weights = 64 * padded(PIXELS) + CLASSES * padded(64)
    normalization = 2 * (96 * 2) * 4
    state = {
        "rowprop": 4 * (64 + CLASSES),
        "adam": 8 * weights,
        "bop": 4 * weights,
    }[METHODS[name].optimizer]
    assert breakdown["optimizer_state"] == state + normalization
    # Bits, statistics, and the sums, which are small here and kept.
    batch = len(LABELS)
    bits, sums = batch * (64 // 8 + 1), batch * (64 + 32) * 2
    # The last layer's activations are not binarized.
    assert breakdown["saved_activations"] == bits - batch + 96 * 5 * 4 + sums
    assert all(size > 0 for size in breakdown.values())
    assert engine.parameter_count() == 64 * PIXELS + 64 * CLASSES + 2 * (64 + CLASSES)


def test_phases_account_for_the_time_of_a_step() -> None:
    """The kernels' clock is the system's monotonic one: no time is counted twice."""
    engine = create("deterministic", widths=(PIXELS, 200, 100, CLASSES), threads=2)
    assert set(engine.phase_seconds().values()) == {0.0}
    shares = []
    for _ in range(20):
        before, started = engine.phase_seconds(), time.monotonic()
        train(engine, 3)
        elapsed, after = time.monotonic() - started, engine.phase_seconds()
        passed = {phase: after[phase] - before[phase] for phase in PHASES}
        assert after.keys() == set(PHASES)
        assert passed.pop("data") == 0
        assert all(seconds > 0 for seconds in passed.values())
        shares.append(sum(passed.values()) / elapsed)
    assert max(shares) < 1.001
    # What is left is Python's. A busy machine may pause some of the steps outside of the kernels.
    assert max(shares) > 0.5


def test_packed_training_never_imports_torch(project: Path) -> None:
    fetch = [sys.executable, "-m", "pipeline", "fetch"]
    subprocess.run(fetch, check=True, capture_output=True)
    arguments = ["--architecture", "mlp-8", "--method", "stochastic", "--seed", "1"]
    assert heavy_imports(["train", *arguments]) == []


def test_images_are_packed_two_pixels_per_byte() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2500, 37), dtype=np.uint8)
    for bits in (1, 2, 3, 4):
        encoded = encode(images, bits)
        assert encoded.shape == (2500, 32)
        pixels = np.stack([encoded & 15, encoded >> 4], axis=-1).reshape(2500, 64)
        np.testing.assert_array_equal(pixels[:, :37], images >> (8 - bits))
        assert not pixels[:, 37:].any()
