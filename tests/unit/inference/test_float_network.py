"""The float network's file: folded as torch computes it, and refused where it is another."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save

from pipeline.common.errors import PipelineError
from pipeline.common.units import MIB
from pipeline.config.params import load_params
from pipeline.engines.torch.engine import TorchEngine
from pipeline.inference import float_network
from pipeline.inference.float_network import load_folded
from tests.conftest import ROOT, memory_below
from tests.networks import mlp
from tests.unit.engines.test_packed_engine import PIXELS, WIDTHS, create

Tensors = dict[str, np.ndarray]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A float network of random statistics."""
    method = load_params(ROOT / "params.yaml").groups.torch["float"]
    engine = TorchEngine(method, mlp(*WIDTHS), seed=1, threads=1)
    generator = np.random.default_rng(1)
    for _ in range(3):
        images = generator.integers(0, 256, (8, PIXELS), dtype=np.uint8)
        labels = generator.integers(0, WIDTHS[-1], 8, dtype=np.uint8)
        engine.train_batch(images, np.arange(8), labels, 0.01, 0.0)
    path = tmp_path / "float.safetensors"
    engine.save(path)
    images = generator.integers(0, 256, (5, PIXELS), dtype=np.uint8)
    np.save(tmp_path / "images.npy", images)
    np.save(tmp_path / "scores.npy", engine.logits(images))
    return path


def test_the_folded_layers_predict_as_the_network(model: Path) -> None:
    images, scores = (
        np.load(model.with_name(f"{name}.npy"), allow_pickle=False) for name in ("images", "scores")
    )
    x = images / np.float32(255)
    layers = load_folded(model)
    assert [layer.weight.shape for layer in layers] == list(
        zip(WIDTHS[1:], WIDTHS[:-1], strict=True)
    )
    for number, layer in enumerate(layers):
        x = (np.maximum(x, 0) if number else x) @ layer.weight.T + layer.bias
    np.testing.assert_allclose(x, scores, rtol=1e-4, atol=1e-4)


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
        load_folded(model)


@pytest.mark.parametrize("begun", [False, True])
def test_no_more_is_read_than_the_file_should_hold(model: Path, begun: bool) -> None:
    with model.open("r+b" if begun else "wb") as file:
        # Sparse: it takes no room on the disk.
        file.truncate(1 << 30)
    with memory_below(MIB), pytest.raises(PipelineError, match="not a float network"):
        float_network.load_folded(model)
