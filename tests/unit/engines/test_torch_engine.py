import ctypes
import itertools
import resource
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from pipeline.config.architecture import Architecture
from pipeline.config.params import load_params
from pipeline.engines.engine import create_engine
from pipeline.engines.torch.engine import TorchEngine
from pipeline.engines.torch.network import BinaryLinear
from tests.conftest import CLASSES, ROOT, SIDE, make_images
from tests.networks import mlp

METHODS = dict(load_params(ROOT / "params.yaml").groups.torch)
# Not on the default path: simulated, with everything stochastic.
METHODS["stochastic"] = METHODS["simulated"].model_copy(
    update={
        "weights": "stochastic",
        "activations": "stochastic",
        "latent_range": 1.0,
        "learning_rate": 0.02,
        "weight_noise": "annealed",
    }
)
PIXELS = SIDE * SIDE
LABELS = (np.arange(24) % CLASSES).astype(np.uint8)
IMAGES = make_images(LABELS, 3).reshape(len(LABELS), PIXELS)
INDEX = np.arange(len(LABELS))

every_method = pytest.mark.parametrize("name", METHODS)


MLP = mlp(PIXELS, 16, 12, CLASSES)
every_architecture = pytest.mark.parametrize(
    "architecture",
    [MLP, Architecture.parse("vgg-16-m-f16", (SIDE, SIDE), CLASSES)],
    ids=lambda architecture: architecture.name,
)


def create(name: str, seed: int = 1, architecture: Architecture = MLP) -> TorchEngine:
    engine = create_engine(METHODS[name], architecture, seed=seed, threads=1)
    assert isinstance(engine, TorchEngine)
    return engine


def train(engine: TorchEngine, steps: int) -> None:
    for step in range(steps):
        engine.train_batch(IMAGES, INDEX, LABELS, 0.01, step / steps)


@every_method
@every_architecture
def test_a_network_overfits_a_handful_of_images(name: str, architecture: Architecture) -> None:
    engine = create(name, architecture=architecture)
    train(engine, 150)
    assert (engine.logits(IMAGES).argmax(axis=1) == LABELS).all()


@every_method
@every_architecture
def test_the_same_seed_gives_the_same_file(
    name: str, architecture: Architecture, tmp_path: Path
) -> None:
    for path, seed in (("first", 1), ("again", 1), ("other", 2)):
        engine = create(name, seed, architecture)
        train(engine, 5)
        engine.save(tmp_path / path)
    first, again, other = ((tmp_path / n).read_bytes() for n in ("first", "again", "other"))
    assert first == again
    assert first != other


@every_method
def test_prediction_is_deterministic_and_by_image(name: str) -> None:
    engine = create(name)
    train(engine, 5)
    logits = engine.logits(IMAGES)
    np.testing.assert_array_equal(logits, engine.logits(IMAGES))
    one_by_one = np.concatenate([engine.logits(image[None]) for image in IMAGES])
    np.testing.assert_allclose(one_by_one, logits, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", [n for n, m in METHODS.items() if m.weights != "float32"])
class TestBinary:
    def test_latent_weights_stay_clipped(self, name: str) -> None:
        engine = create(name)
        for _ in range(20):
            engine.train_batch(IMAGES, INDEX, LABELS, 1.0, 0.0)
        layers = [m for m in engine._network if isinstance(m, BinaryLinear)]
        assert len(layers) == 3
        for layer in layers:
            assert float(layer.weight.detach().abs().max()) == 1.0

    def test_every_sum_is_one_of_bits(self, name: str) -> None:
        """With bits on both sides a sum over K is an integer of K's parity within +-K."""
        engine = create(name)
        sums: list[torch.Tensor] = []
        last = [m for m in engine._network if isinstance(m, BinaryLinear)][-1]
        last.register_forward_hook(lambda *args: sums.append(args[2]))
        engine.train_batch(IMAGES, INDEX, LABELS, 0.01, 0.0)
        engine.logits(IMAGES)
        for s in sums:
            assert torch.equal(s, s.round())
            assert (s.abs() <= 12).all()
            assert (s.remainder(2) == 0).all()

    def test_prediction_matches_a_plain_numpy_network(self, name: str, tmp_path: Path) -> None:
        engine = create(name)
        train(engine, 10)
        path = tmp_path / "model"
        engine.save(path)
        tensors = load_file(path)
        a = (IMAGES >> 4).astype(np.float64)
        for index in (0, 3, 6):
            s = a @ np.where(tensors[f"{index}.weight"] >= 0, 1.0, -1.0).T
            mean, variance, gain, bias = (
                tensors[f"{index + 1}.{key}"].astype(np.float64)
                for key in ("running_mean", "running_var", "weight", "bias")
            )
            normalized = (s - mean) / np.sqrt(variance + 1e-5) * gain + bias
            a = np.where(normalized >= 0, 1.0, -1.0)
        np.testing.assert_allclose(engine.logits(IMAGES), normalized, rtol=1e-3, atol=1e-3)


def test_noise_of_stochastic_weights_is_annealed() -> None:
    engine = create("stochastic")
    layer = next(m for m in engine._network if isinstance(m, BinaryLinear))
    engine.train_batch(IMAGES, INDEX, LABELS, 0.01, 0.0)
    assert layer.noise == 1
    engine.train_batch(IMAGES, INDEX, LABELS, 0.01, 0.9)
    assert 0 < layer.noise < 0.02
    constant = METHODS["stochastic"].model_copy(update={"weight_noise": "constant"})
    plain = TorchEngine(constant, mlp(PIXELS, 4, CLASSES), seed=1, threads=1)
    plain.train_batch(IMAGES, INDEX, LABELS, 0.01, 0.9)
    assert next(m for m in plain._network if isinstance(m, BinaryLinear)).noise == 1


@pytest.mark.parametrize("optimizer", ["adam", "momentum", "sgd"])
def test_every_optimizer_learns(optimizer: str) -> None:
    method = METHODS["float"].model_copy(update={"optimizer": optimizer})
    engine = TorchEngine(method, mlp(PIXELS, 8, CLASSES), seed=1, threads=1)
    before = (engine.logits(IMAGES).argmax(axis=1) == LABELS).mean()
    for _ in range(60):
        engine.train_batch(IMAGES, INDEX, LABELS, 0.05, 0.0)
    assert (engine.logits(IMAGES).argmax(axis=1) == LABELS).mean() > before


@every_method
def test_the_memory_breakdown_counts_known_tensors(name: str) -> None:
    engine = create(name, architecture=mlp(PIXELS, 16, CLASSES))
    train(engine, 1)
    breakdown = engine.memory_breakdown(IMAGES, INDEX, LABELS)
    parameters = PIXELS * 16 + 16 * CLASSES + 2 * (16 + CLASSES)
    assert engine.parameter_count() == parameters
    assert breakdown["gradients"] == 4 * parameters
    # Adam: two moments per parameter, and a step count for each of the six tensors.
    assert breakdown["optimizer_state"] == 4 * (2 * parameters + 6)
    # Running mean and variance, and an int64 count for each of the two normalizations.
    assert breakdown["weights"] == 4 * (parameters + 2 * (16 + CLASSES)) + 2 * 8
    assert breakdown["input"] == 4 * IMAGES.size
    # At the least, the hidden layer's sums and activations are kept.
    assert breakdown["saved_activations"] >= 4 * 2 * 16 * len(IMAGES)


@pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library cannot be told"
)
def test_a_step_takes_no_memory_anew() -> None:
    engine = create("float", architecture=mlp(PIXELS, 4096, CLASSES))
    labels = np.resize(LABELS, 5000)
    images = np.resize(IMAGES, (5000, PIXELS))

    def faults() -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        engine.train_batch(images, np.arange(5000), labels, 0.01, 0.0)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    # First steps take what they need, and threads theirs. The sums alone are 80 MB.
    assert min(faults() for _ in range(8)) * resource.getpagesize() < 8e6


@every_method
def test_normalization_is_told_apart(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that moves on by 1 whenever it is read, and what is read in which phase."""
    engine = create(name)
    readings = itertools.count()
    monkeypatch.setattr("pipeline.engines.phases.time.perf_counter", lambda: float(next(readings)))
    train(engine, 1)
    whole = dict(engine.phase_seconds())
    assert whole.pop("normalization") == 0
    # The optimizer's phase is entered before and after the others.
    assert whole == {"data": 1, "forward": 1, "backward": 1, "optimizer": 2}
    engine.tell_normalization_apart()
    train(engine, 1)
    apart = {phase: later - whole.get(phase, 0) for phase, later in engine.phase_seconds().items()}
    # Three normalizations, forward and backward, each between two stretches of another phase. The
    # backward pass begins with the last one's output, in a phase that is then left at once.
    assert apart == {
        "data": 1,
        "forward": 4,
        "normalization": 6,
        "backward": 4,
        "optimizer": 2,
    }
