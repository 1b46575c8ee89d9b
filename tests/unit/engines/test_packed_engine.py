"""The packed network: against the simulated one, itself on other threads, and what it promises."""

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.config.params import PackedMethod, load_params
from pipeline.engines.engine import create_engine
from pipeline.engines.packed.encoding import encode, padded
from pipeline.engines.packed.engine import PackedEngine
from pipeline.engines.packed.layer import MAX_SUM_GRADIENT, BinaryLayer, Panels
from pipeline.engines.packed.weights import BopWeights, LatentWeights
from pipeline.engines.torch.engine import TorchEngine
from pipeline.engines.torch.network import BinaryLinear
from tests.conftest import CLASSES, ROOT, SIDE, heavy_imports, make_images, packed_methods
from tests.networks import mlp
from tests.oracle import SETS, from_panels, pack
from tests.oracle import noise as drawn_noise

PARAMS = load_params(ROOT / "params.yaml")
METHODS = packed_methods()
PIXELS = SIDE * SIDE
LABELS = (np.arange(24) % CLASSES).astype(np.uint8)
IMAGES = make_images(LABELS, 3).reshape(len(LABELS), PIXELS)
ENCODED = encode(IMAGES, 4)
INDEX = np.arange(len(LABELS))
WIDTHS = (PIXELS, 40, 12, CLASSES)

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
@pytest.mark.parametrize("name", ["deterministic", "bop"])
def test_a_deep_narrow_network_stays_finite(name: str, bits: int) -> None:
    """Its gradients grow from layer to layer, beyond float32 if nothing holds them."""
    engine = create(name, widths=(PIXELS, *(8,) * 64, CLASSES), gradient_bits=bits)
    train(engine, 40)
    assert np.isfinite(engine.logits(ENCODED)).all()
    for name, array in engine.state().items():
        assert array.dtype.kind != "f" or np.isfinite(array).all(), name


@pytest.mark.parametrize("bits", [4, 32])
def test_an_image_with_too_large_gradients_keeps_their_direction(bits: int) -> None:
    engine = create("deterministic", gradient_bits=bits)
    train(engine, 1)
    layer, context = engine.layers[1], engine.context
    generator = np.random.default_rng(0)
    gradient = generator.normal(size=(1, len(LABELS), 32)).astype(np.float32)
    gradient[:, :, layer.outputs :] = 0
    gradient /= np.abs(gradient).max(axis=2, keepdims=True)
    # One image at the limit, those before it below, those after it above.
    powers = np.float32(2.0) ** (np.arange(len(LABELS), dtype=np.float32) - 12)
    gradient *= np.float32(MAX_SUM_GRADIENT) * powers[:, None]

    def handed_back() -> np.ndarray:
        values, factors = layer._input_gradient(gradient, context)(Panels(0, 1))
        scale = 1 if factors is None else factors[:, None]
        result: np.ndarray = values.astype(np.float64) * scale
        return result

    ours = handed_back()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.engines.packed.layer.MAX_SUM_GRADIENT", 2.0**100)
        unlimited = handed_back()
    np.testing.assert_array_equal(ours[:, :13], unlimited[:, :13])
    np.testing.assert_allclose(ours[:, 13:] * powers[13:, None], unlimited[:, 13:], rtol=1e-6)
    assert np.abs(ours[:, 13:]).max() > MAX_SUM_GRADIENT


@pytest.mark.parametrize("bits", [8, 16, 32])
@every_method
def test_the_same_bytes_with_any_threads_and_instruction_set(
    name: str, bits: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "bop" and bits != 32:
        pytest.skip("bop has no state_bits")
    changes = {} if name == "bop" else {"state_bits": bits}
    files = set()
    # Two panels of features each, so that there is something to divide.
    widths = (PIXELS, 70, 40, CLASSES)
    for which in SETS:
        monkeypatch.setenv("BINARY_KERNELS", which)
        for threads in (1, 2, 4):
            engine = create(name, threads=threads, widths=widths, **changes)
            train(engine, 4)
            engine.save(tmp_path / "model")
            files.add((tmp_path / "model").read_bytes())
    assert len(files) == 1
    other = create(name, seed=2, widths=widths, **changes)
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


def test_the_same_bytes_however_the_work_is_divided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small blocks are computed twice and part by part, and give the same network."""
    files = set()
    for limit in (None, 1):
        if limit is not None:
            for name in ("SUMS_BYTES", "GRADIENT_BYTES", "COLUMNS_BYTES", "WEIGHT_GRADIENT_BYTES"):
                monkeypatch.setattr(f"pipeline.engines.packed.layer.{name}", limit)
        engine = create("both_stochastic", widths=(PIXELS, 200, 170, CLASSES))
        train(engine, 4)
        engine.save(tmp_path / "model")
        files.add((tmp_path / "model").read_bytes())
    assert len(files) == 1


def twins(gradient_bits: int, widths: tuple[int, ...]) -> tuple[TorchEngine, PackedEngine]:
    """A simulated and a packed network with the same latent weights, in float32."""
    method = PARAMS.groups.torch["simulated"]
    simulated = create_engine(method, mlp(*widths), seed=1, threads=1)
    assert isinstance(simulated, TorchEngine)
    ours = create(
        "deterministic",
        widths=widths,
        gradient_bits=gradient_bits,
        state_bits=32,
        label_smoothing=method.label_smoothing,
    )
    linear = [layer for layer in simulated._network if isinstance(layer, BinaryLinear)]
    for theirs, layer in zip(linear, ours.layers, strict=True):
        assert isinstance(layer.weights, LatentWeights)
        layer.weights._latent[:, : layer.inputs] = theirs.weight.detach().numpy()
    return simulated, ours


def normalizations(simulated: TorchEngine) -> list[nn.BatchNorm1d]:
    return [layer for layer in simulated._network if isinstance(layer, nn.BatchNorm1d)]


def columns(layer: BinaryLayer, array: np.ndarray, row: int) -> np.ndarray:
    row_of_all: np.ndarray = from_panels(array[:, row : row + 1], layer.outputs)[0]
    return row_of_all


def test_one_step_is_that_of_the_simulated_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal integers and bits forward; gradients to float rounding; the same update."""
    simulated, ours = twins(32, WIDTHS)
    outputs: dict[str, torch.Tensor] = {}
    for number, module in enumerate(simulated._network):
        module.register_forward_hook(
            lambda _module, _inputs, output, number=number: outputs.update({str(number): output})
        )
    gradients: list[np.ndarray] = []
    update = LatentWeights.update

    def keep(self, first, gradient, factors, context):  # type: ignore[no-untyped-def]
        gradients.append(gradient[:, : self._columns].copy())
        update(self, first, gradient, factors, context)

    monkeypatch.setattr(LatentWeights, "update", keep)
    simulated.train_batch(IMAGES, INDEX, LABELS, 0.01, 0.0)
    ours.train_batch(ENCODED, INDEX, LABELS, 0.01, 0.0)

    layers = ours.layers
    for number, layer in enumerate(layers):
        s = outputs[str(3 * number)].detach().numpy()
        np.testing.assert_array_equal(s, s.round())
        mean, variance = columns(layer, layer.normalization.batch, 0), s.var(axis=0)
        np.testing.assert_allclose(mean, s.mean(axis=0), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(
            columns(layer, layer.normalization.batch, 1), variance, rtol=1e-5, atol=1e-5
        )
        if layer is not layers[-1]:
            bits = outputs[str(3 * number + 2)].detach().numpy()
            np.testing.assert_array_equal(layer.bits, pack(bits > 0))
    linear = [layer for layer in simulated._network if isinstance(layer, BinaryLinear)]
    for theirs, g in zip(reversed(linear), gradients, strict=True):
        assert theirs.weight.grad is not None
        expected = theirs.weight.grad.numpy()
        np.testing.assert_allclose(g, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
    for theirs_norm, layer in zip(normalizations(simulated), layers, strict=True):
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
def test_rounded_gradients_are_right_on_average(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mean over many seeds of the first layer's gradient approaches the exact one."""
    collected: list[np.ndarray] = []

    def keep(self, first, gradient, factors, context):  # type: ignore[no-untyped-def]
        scale = 1 if factors is None else factors[: len(gradient), None].astype(np.float64)
        collected.append(gradient * scale)

    monkeypatch.setattr(LatentWeights, "update", keep)

    def mean(bits: int, seeds: range) -> np.ndarray:
        collected.clear()
        for seed in seeds:
            engine = create("deterministic", gradient_bits=bits, state_bits=32)
            # The same network, other random numbers.
            engine.context.random.seed = seed
            engine.train_batch(ENCODED, INDEX, LABELS, 0.01, 0.0)
        result: np.ndarray = np.mean(collected[len(WIDTHS) - 2 :: len(WIDTHS) - 1], axis=0)
        return result

    exact = mean(32, range(1))
    approximate = mean(bits, range(200))
    error = np.linalg.norm(approximate - exact) / np.linalg.norm(exact)
    assert error < {2: 0.3, 4: 0.06, 8: 0.01}[bits]


def test_stochastic_binarization_draws_weights_and_activations() -> None:
    engine = create("both_stochastic", weight_noise="constant", state_bits=32)
    layer = engine.layers[0]
    assert isinstance(layer.weights, LatentWeights)
    latent = layer.weights._latent[:, :PIXELS].copy()
    engine.train_batch(ENCODED, INDEX, LABELS, 0.01, 0.5)
    # Purposes: 1 for weights of layer 0, 0 for its activations; both of step 0.
    weights = np.where(latent + drawn_noise(40, PIXELS, (1, 1, 0)) >= 0, 1, -1)
    s = (IMAGES >> 4).astype(np.int64) @ weights.T
    batch = layer.normalization.batch
    a = s.astype(np.float32) * columns(layer, batch, 3) + columns(layer, batch, 4)
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


def test_latent_weights_stay_clipped() -> None:
    for bits in (8, 16, 32):
        engine = create("deterministic", state_bits=bits)
        for _ in range(20):
            engine.train_batch(ENCODED, INDEX, LABELS, 1.0, 0.0)
        for layer in engine.layers:
            assert isinstance(layer.weights, LatentWeights)
            largest = np.abs(layer.weights._latent.astype(np.float64)).max()
            assert largest == (1 if bits == 32 else 32767)


def test_bop_keeps_no_latent_weights() -> None:
    engine = create("bop")
    train(engine, 1)
    layer = engine.layers[0]
    assert isinstance(layer.weights, BopWeights)
    assert layer.weights.weight_bytes() == 40 * -(-PIXELS // 8)


@every_method
def test_the_memory_breakdown_counts_what_is_held(name: str) -> None:
    engine = create(name, widths=(PIXELS, 64, CLASSES))
    train(engine, 1)
    breakdown = engine.memory_breakdown(ENCODED, INDEX, LABELS)
    weights = 64 * padded(PIXELS) + CLASSES * padded(64)
    normalization = 2 * (96 * 2) * 4
    state = {8: 2, 16: 4, 32: 8}
    per_weight = 4 if name == "bop" else state[METHODS[name].state_bits or 32]
    assert breakdown["optimizer_state"] == per_weight * weights + normalization
    # Bits, statistics, and the sums, which are small here and kept.
    batch = len(LABELS)
    bits, sums = batch * (64 // 8 + 1), batch * (64 + 32) * 2
    # The last layer's activations are not binarized.
    assert breakdown["saved_activations"] == bits - batch + 96 * 5 * 4 + sums
    assert all(size > 0 for size in breakdown.values())
    assert engine.parameter_count() == 64 * PIXELS + 64 * CLASSES + 2 * (64 + CLASSES)


def test_phases_account_for_the_time_of_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that moves on by 1 whenever it is read: no time of a step is in no phase."""
    engine = create("deterministic")
    readings = itertools.count()
    monkeypatch.setattr("pipeline.engines.phases.time.perf_counter", lambda: float(next(readings)))
    train(engine, 3)
    read = next(readings)
    seconds = engine.phase_seconds()
    # From each step's first reading to its last.
    assert sum(seconds.values()) == read - 3
    assert seconds["data"] == 0
    phases = ("forward", "backward", "normalization", "optimizer")
    assert all(seconds[phase] >= 3 for phase in phases)


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
