"""The packed model's file: what is saved is what predicts, and nothing else is taken."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save

from pipeline.errors import PipelineError
from pipeline.packed_engine.model import FORMAT, _digest, load
from pipeline.packed_engine.predictor import Predictor
from tests.test_packed_engine import ENCODED, PIXELS, WIDTHS, create, every_method, train


@pytest.fixture
def model(tmp_path: Path) -> Path:
    engine = create("deterministic")
    train(engine, 5)
    path = tmp_path / "model.safetensors"
    engine.save(path)
    return path


@every_method
def test_a_loaded_model_predicts_the_same(name: str, tmp_path: Path) -> None:
    engine = create(name)
    train(engine, 5)
    path = tmp_path / "model.safetensors"
    engine.save(path)
    loaded = load(path)
    assert loaded.widths == WIDTHS
    np.testing.assert_array_equal(
        Predictor(loaded, 1).encoded_scores(ENCODED), engine.scores(ENCODED)
    )
    loaded.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_a_model_is_bits_and_thresholds(model: Path) -> None:
    weights = sum(n * -(-k // 8) for k, n in pairwise(WIDTHS))
    numbers = 4 * (sum(WIDTHS[1:-1]) + 2 * WIDTHS[-1])
    assert sum(array.nbytes for array in load_file(model).values()) == weights + numbers


def test_a_missing_model(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"cannot read .*nothing"):
        load(tmp_path / "nothing")


def test_a_truncated_model(model: Path) -> None:
    whole = model.read_bytes()
    for size in (0, 7, 100, len(whole) - 1):
        model.write_bytes(whole[:size])
        with pytest.raises(PipelineError, match=r"model\.safetensors"):
            load(model)


def test_every_flipped_bit_is_noticed(model: Path) -> None:
    """Or harmless: a flip in the header's white space, say, changes nothing that is read."""
    whole = model.read_bytes()
    expected = load(model)
    generator = np.random.default_rng(0)
    noticed = 0
    for position in generator.integers(0, len(whole), 300):
        changed = bytearray(whole)
        changed[position] ^= 1 << int(generator.integers(0, 8))
        model.write_bytes(bytes(changed))
        try:
            loaded = load(model)
        except PipelineError:
            noticed += 1
        else:
            scores = Predictor(loaded, 1).encoded_scores(ENCODED)
            np.testing.assert_array_equal(scores, Predictor(expected, 1).encoded_scores(ENCODED))
    assert noticed > 250


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("version", 2, "version: Input should be 1"),
        ("sha256", "0" * 64, "its checksum does not fit"),
        ("pixel_bits", 5, "pixel_bits: Input should be"),
        ("pixel_bits", True, "pixel_bits: Input should be"),
        ("widths", [PIXELS], "widths: List should have at least 2"),
        ("widths", [PIXELS, -1], "widths.1: Input should be"),
        ("widths", [PIXELS, 10**9, 2], "widths.1: Input should be"),
        ("widths", [PIXELS, 41, 12, 3], "layers.0.bits has another shape"),
        ("widths", [PIXELS, 40, 12, 5, 3], "layers.2.bits has another shape"),
        ("widths", [PIXELS, 40, 12], "layers.1.bits|layers.1.scale is missing"),
    ],
)
def test_a_wrong_header_is_refused(model: Path, key: str, value: object, message: str) -> None:
    tensors = load_file(model)
    widths = list(WIDTHS)
    header = {"version": 1, "widths": widths, "pixel_bits": 4, "sha256": _digest(tensors)}
    model.write_bytes(save(tensors, {FORMAT: json.dumps(header | {key: value})}))
    with pytest.raises(PipelineError, match=message):
        load(model)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("layers.0.bits", lambda x: x | 255, "bits past its last"),
        ("layers.0.thresholds", lambda x: x + 2**25, "a threshold is too large"),
        ("layers.0.thresholds", lambda x: x.astype(np.float32), "thresholds has another shape"),
        ("layers.2.scale", lambda x: x * np.nan, "not finite"),
        ("layers.3.bits", lambda _: np.zeros((1, 1), np.uint8), "unknown arrays: layers.3.bits"),
    ],
)
def test_wrong_arrays_are_refused(model: Path, name: str, change, message: str) -> None:  # type: ignore[no-untyped-def]
    tensors = load_file(model)
    tensors[name] = change(tensors.get(name))
    header = {"version": 1, "widths": WIDTHS, "pixel_bits": 4, "sha256": _digest(tensors)}
    model.write_bytes(save(tensors, {FORMAT: json.dumps(header)}))
    with pytest.raises(PipelineError, match=message):
        load(model)


def test_a_model_of_torch_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "float.safetensors"
    path.write_bytes(save({"0.weight": np.zeros((2, 2), np.float32)}))
    with pytest.raises(PipelineError, match="it is not a packed network"):
        load(path)
