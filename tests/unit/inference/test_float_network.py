"""The float network's file: folded as torch computes it, and refused where it is another."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save

from pipeline.common.errors import PipelineError
from pipeline.common.units import MIB
from pipeline.config.architecture import Architecture
from pipeline.config.params import load_params
from pipeline.engines.torch.engine import TorchEngine
from pipeline.inference.float_network import load_folded
from pipeline.inference.onnx_files import write_float32
from pipeline.inference.runtimes import FLOAT32_ONNX, RUNTIMES, Files
from tests.conftest import ROOT, memory_below
from tests.networks import mlp
from tests.unit.engines.test_packed_engine import WIDTHS, create

Tensors = dict[str, np.ndarray]


CONNECTED = mlp(*WIDTHS)
# An odd side, so that max-pooling drops a row, and more than one channel.
CONVOLUTIONAL = Architecture.parse("vgg-8-m-16s-8-m-f12", (9, 11, 2), 5)
both = pytest.mark.parametrize(
    "architecture", [CONNECTED, CONVOLUTIONAL], ids=lambda each: each.name
)


def train(architecture: Architecture, path: Path) -> TorchEngine:
    """Write a float network of random statistics, and of gains of either sign."""
    method = load_params(ROOT / "params.yaml").groups.torch["float"]
    engine = TorchEngine(method, architecture, seed=1, threads=1)
    generator = np.random.default_rng(1)
    for _ in range(3):
        images = some_images(architecture, 8)
        labels = generator.integers(0, architecture.classes, 8, dtype=np.uint8)
        engine.train_batch(images, np.arange(8), labels, 0.01, 0.0)
    state = {name: array.copy() for name, array in engine.state().items()}
    for name, array in state.items():
        if array.ndim == 1 and name.endswith(".weight") and not name.startswith("optimizer"):
            np.negative(array[::3], out=array[::3])
    engine.restore(state)
    engine.save(path)
    return engine


def some_images(architecture: Architecture, count: int) -> np.ndarray:
    pixels = math.prod(architecture.image_shape)
    return np.random.default_rng(count).integers(0, 256, (count, pixels), dtype=np.uint8)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "float.safetensors"
    train(CONNECTED, path)
    return path


@both
def test_every_runtime_predicts_as_the_network(architecture: Architecture, tmp_path: Path) -> None:
    path = tmp_path / "float.safetensors"
    engine = train(architecture, path)
    files = Files(architecture, path, path, path, tmp_path)
    network = load_folded(path, architecture)
    write_float32(network, tmp_path / FLOAT32_ONNX)
    images = some_images(architecture, 5)
    expected = engine.logits(images)
    assert any(each.sign is not None for each in network.convolutions) == bool(network.convolutions)
    for name in ("torch", "ONNX Runtime"):
        runtime = RUNTIMES[name].build(files, 1)
        scores = np.asarray(runtime.scores(runtime.prepare(images)))
        np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-4)


def test_the_folded_layers_are_plain_products(model: Path) -> None:
    images = some_images(CONNECTED, 5)
    network = load_folded(model, CONNECTED)
    x = network.inputs(images)
    shapes = [layer.weight.shape for layer in network.linear]
    assert shapes == list(zip(WIDTHS[1:], WIDTHS[:-1], strict=True))
    for number, layer in enumerate(network.linear):
        x = (np.maximum(x, 0) if number else x) @ layer.weight.T + layer.bias
    files = Files(CONNECTED, model, model, model, model.parent)
    runtime = RUNTIMES["torch"].build(files, 1)
    np.testing.assert_allclose(x, runtime.scores(runtime.prepare(images)), rtol=1e-4, atol=1e-4)


def test_another_networks_layers_are_refused(model: Path) -> None:
    with pytest.raises(PipelineError, match="does not fit the layers of its name"):
        load_folded(model, CONVOLUTIONAL)
    other = mlp(*WIDTHS[:-1], WIDTHS[-1] + 1)
    with pytest.raises(PipelineError, match="does not fit the layers of its name"):
        load_folded(model, other)


def changed(change: Callable[[Tensors], object]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        tensors = load(path.read_bytes())
        change(tensors)
        path.write_bytes(save(tensors))

    return write


def with_more(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x")


@pytest.mark.parametrize(
    "damage",
    [
        Path.unlink,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(save({})),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        with_more,
        lambda path: create("deterministic").save(path),
        changed(lambda tensors: tensors.pop("1.running_var")),
        changed(lambda tensors: tensors.update({"1.bias": np.zeros(3, np.float32)})),
        changed(lambda tensors: tensors.update({"3.weight": np.zeros((12, 41), np.float32)})),
        changed(lambda tensors: tensors.update({"0.weight": tensors["0.weight"].ravel()})),
        changed(lambda tensors: tensors.update({"0.weight": tensors["0.weight"].astype(int)})),
        changed(lambda tensors: tensors.update({"more": np.zeros(1, np.float32)})),
    ],
)
def test_another_file_is_one_message(model: Path, damage: Callable[[Path], object]) -> None:
    damage(model)
    with pytest.raises(
        PipelineError, match=r"is missing or not a float network: .*Run `dvc repro`"
    ):
        load_folded(model, CONNECTED)


@pytest.mark.parametrize("begun", [False, True])
def test_no_more_is_read_than_the_file_should_hold(model: Path, begun: bool) -> None:
    with model.open("r+b" if begun else "wb") as file:
        # Sparse: it takes no room on the disk.
        file.truncate(1 << 30)
    with memory_below(MIB), pytest.raises(PipelineError, match="not a float network"):
        load_folded(model, CONNECTED)
