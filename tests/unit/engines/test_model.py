"""The packed model's file: what is saved is what predicts, and nothing else is taken."""

import json
import os
import tracemalloc
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save

from pipeline.common.errors import PipelineError
from pipeline.common.tensors_file import MAX_BYTES
from pipeline.data.gamma import brighten
from pipeline.engines.packed.encoding import encode
from pipeline.engines.packed.model import (
    FORMAT,
    Hidden,
    Logits,
    PackedModel,
    _digest,
    _normalization,
    load,
)
from pipeline.engines.packed.predictor import Predictor
from tests.oracle import signs
from tests.unit.engines.test_packed_engine import (
    ENCODED,
    IMAGES,
    INDEX,
    LABELS,
    PIXELS,
    WIDTHS,
    create,
    every_method,
    train,
)

HEADER: dict[str, object] = {
    "version": 2,
    "widths": list(WIDTHS),
    "pixel_bits": 4,
    "pixel_gamma": 1,
    "passes": 1,
}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    engine = create("deterministic")
    train(engine, 5)
    path = tmp_path / "model.safetensors"
    engine.save(path)
    return path


def test_a_model_applies_its_gamma_to_images_as_they_are(tmp_path: Path) -> None:
    engine = create("deterministic", pixel_gamma=3)
    encoded = encode(brighten(IMAGES, 3), 4)
    for _ in range(5):
        engine.train_batch(encoded, INDEX, LABELS, 0.01, 0.0)
    engine.save(tmp_path / "model")
    logits = Predictor(load(tmp_path / "model"), 1).logits(IMAGES)
    np.testing.assert_array_equal(logits, engine.logits(encoded))


@pytest.mark.parametrize("passes", [1, 3, 8])
def test_passes_add_the_middles_of_equal_parts_to_activations(passes: int) -> None:
    """Against the layers' own statistics, in float64."""
    engine = create("stochastic", prediction_passes=passes)
    train(engine, 20)
    logits = []
    for number in range(passes):
        x = IMAGES.astype(np.int64) >> 4
        for layer in engine.layers:
            bits = np.unpackbits(layer.weights.signs(), 1, layer.inputs, "little")
            scale, shift = _normalization(layer)
            a = (x @ signs(bits).T) * scale + shift
            part = (number + np.arange(layer.outputs)) % passes
            x = signs(a + (2 * part + 1) / passes - 1 >= 0)
        logits.append(a)
    expected = np.mean(logits, axis=0)
    np.testing.assert_allclose(engine.logits(ENCODED), expected, rtol=1e-4, atol=1e-4)


@every_method
def test_a_loaded_model_predicts_the_same(name: str, tmp_path: Path) -> None:
    engine = create(name)
    train(engine, 5)
    path = tmp_path / "model.safetensors"
    engine.save(path)
    loaded = load(path)
    assert loaded.widths == WIDTHS
    np.testing.assert_array_equal(
        Predictor(loaded, 1).encoded_logits(ENCODED), engine.logits(ENCODED)
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
            logits = Predictor(loaded, 1).encoded_logits(ENCODED)
            np.testing.assert_array_equal(logits, Predictor(expected, 1).encoded_logits(ENCODED))
    assert noticed > 250


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "version",
            1,
            "it is of version 1, and this program reads version 2 and 3. Use",
        ),
        ("version", 10**60, r"it is of version 10{39}\.\.\., and this program reads version 2"),
        ("version", "1", "version: Input should be a valid integer"),
        ("version", 1.0, "version: Input should be a valid integer"),
        ("version", True, "version: Input should be a valid integer"),
        ("pixel_bits", 4.0, "pixel_bits: Input should be a valid integer"),
        ("pixel_bits", float("nan"), "pixel_bits: Input should be a valid integer"),
        ("\u202e" * 99, 1, r"in its description, (\\u202e){6}\\u20\.\.\.: Extra inputs"),
        ("sha256", "0" * 64, "its checksum does not fit"),
        ("pixel_bits", 5, "pixel_bits: Input should be"),
        ("pixel_bits", True, "pixel_bits: Input should be"),
        ("pixel_gamma", 0, "pixel_gamma: Input should be"),
        ("pixel_gamma", 9, "pixel_gamma: Input should be"),
        ("passes", 0, "passes: Input should be"),
        ("passes", 17, "passes: Input should be"),
        ("passes", 2, "layers.0.thresholds has another shape"),
        ("widths", [PIXELS], "widths: List should have at least 2"),
        ("widths", [PIXELS, -1], "widths.1: Input should be"),
        ("widths", [PIXELS, 10**9, 2], "widths.1: Input should be"),
        ("widths", [2**24 // 15 + 1, 2], "widths.0: Input should be"),
        ("widths", [PIXELS, 41, 12, 3], "layers.0.bits has another shape"),
        ("widths", [PIXELS, 40, 12, 5, 3], "layers.2.bits has another shape"),
        ("widths", [PIXELS, 40, 12], "layers.1.bits|layers.1.scale is missing"),
    ],
)
def test_a_wrong_header_is_refused(model: Path, key: str, value: object, message: str) -> None:
    tensors = load_file(model)
    said: dict[str, object] = {**HEADER, key: value}
    # The checksum fits, unless it is what is wrong.
    fits = {"sha256": _digest(said, tensors)}
    model.write_bytes(save(tensors, {FORMAT: json.dumps(fits | said)}))
    refuses(model, message)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("layers.0.bits", lambda x: x | 255, "bits past its last"),
        ("layers.0.thresholds", lambda x: x + 2**25, "a threshold is too large"),
        ("layers.0.thresholds", lambda x: x * 0 + np.int32(-(2**31)), "a threshold is too large"),
        ("layers.0.thresholds", lambda x: x.astype(np.float32), "thresholds has another shape"),
        ("layers.2.scale", lambda x: x * np.nan, "not finite"),
        ("layers.2.scale", lambda x: x * 0 + np.float32(1e38), "a scale or shift is too large"),
        ("layers.2.shift", lambda x: x - np.float32(np.inf), "not finite"),
        # A NaN that signals: NumPy warns where it is converted.
        ("layers.2.shift", lambda x: (x.view("i4") * 0 + 0x7F800001).view("f4"), "not finite"),
        ("layers.3.bits", lambda _: np.zeros((1, 1), np.uint8), "unknown arrays: layers.3.bits"),
        ("\u00e4\n" * 30, lambda _: np.zeros(1, np.uint8), r"unknown arrays: (\\xe4\\n){6}"),
    ],
)
def test_wrong_arrays_are_refused(model: Path, name: str, change, message: str) -> None:  # type: ignore[no-untyped-def]
    tensors = load_file(model)
    tensors[name] = change(tensors.get(name))
    header = {**HEADER, "sha256": _digest(HEADER, tensors)}
    model.write_bytes(save(tensors, {FORMAT: json.dumps(header)}))
    refuses(model, message)


@pytest.mark.parametrize(
    ("key", "value"),
    [("pixel_bits", 3), ("pixel_gamma", 2), ("passes", 2), ("widths", [PIXELS - 1, *WIDTHS[1:]])],
)
def test_the_checksum_covers_the_header(model: Path, key: str, value: object) -> None:
    """Also where the arrays would fit as well."""
    tensors = load_file(model)
    for name in [name for name in tensors if name.startswith("layers.0.bits")]:
        tensors[name][:, -1] = 0
    fits = {"sha256": _digest(HEADER, tensors)}
    model.write_bytes(save(tensors, {FORMAT: json.dumps(fits | HEADER)}))
    load(model)
    model.write_bytes(save(tensors, {FORMAT: json.dumps(fits | HEADER | {key: value})}))
    refuses(model, "its checksum does not fit")


def test_a_model_of_torch_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "float.safetensors"
    path.write_bytes(save({"0.weight": np.zeros((2, 2), np.float32)}))
    with pytest.raises(PipelineError, match="it is not a packed network"):
        load(path)


def refuses(path: Path, message: str) -> None:
    with pytest.raises(PipelineError, match=message) as error:
        load(path)
    text = str(error.value)
    assert text.startswith(f"{path} is not a valid model: ")
    assert text.endswith(", or train the model again")
    assert text.isascii()
    assert text.isprintable()
    assert len(text) < len(str(path)) + 300


def write(path: Path, header: str, arrays: bytes) -> None:
    """Write a container whose length fits its header, whatever that is."""
    content = header.encode()
    path.write_bytes(len(content).to_bytes(8, "little") + content + arrays)


def split(path: Path) -> tuple[str, bytes]:
    whole = path.read_bytes()
    end = 8 + int.from_bytes(whole[:8], "little")
    return whole[8:end].decode(), whole[end:]


SHIFT = '"layers.2.shift":{"dtype":"F32","shape":[3],"data_offsets":[12,24]}'
METADATA = '{"__metadata__":{'


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (SHIFT, f"{SHIFT},{SHIFT}", "its header is not plain JSON: it has a key twice"),
        (
            '"shape":[3]',
            '"shape":[3],"shape":[3]',
            "its header is not plain JSON: it has a key twice",
        ),
        (METADATA, f'{METADATA}"{FORMAT}":"",', "its header is not plain JSON: it has a key twice"),
        (
            r"\"version\": 2",
            r"\"version\": 1, \"version\": 2",
            "its description is not plain JSON: it has a key twice",
        ),
        ("[12,24]", "[0,12]", "safetensors refuses it: .*invalid offset for tensor"),
        ("[12,24]", "[16,28]", "invalid offset for tensor `layers.2.shift`"),
        ("[12,24]", "[24,12]", "invalid offset for tensor `layers.2.shift`"),
        ("[12,24]", "[12,25]", "invalid shape, data type, or offset for tensor"),
        ("[12,24]", "[12]", "invalid JSON in header: invalid length 1"),
        ("[12,24]", "[-12,24]", "invalid JSON in header: invalid value"),
        (f",{SHIFT}", "", "invalid offset for tensor"),
        ("[3]", f"[{2**64 - 1}]", "overflow computing buffer size"),
        ("[3]", f"[{'9' * 4000}]", "number out of range"),
        ("[3]", f"[{'9' * 5000}]", "its header is not plain JSON: Exceeds the limit"),
        ("[3]", f"[{2**30},{2**30}]", "overflow computing buffer size"),
        ("[3]", f"[0,{2**63 - 1}]", r"shape\.0: Input should be greater"),
        ("[3]", "[1,1,1,1,3]", "shape: List should have at most 4"),
        ("[3]", "[]", "invalid shape, data type, or offset for tensor"),
        ("[3]", "[3.0]", "shape.0: Input should be a valid integer"),
        ("[0,12]", "[-0,12]", "invalid JSON in header: invalid type: floating point"),
        ("[3]", "[NaN]", "shape.0: Input should be a valid integer"),
        ("[3]", "[true]", "shape.0: Input should be a valid integer"),
        ("[3]", "3", "shape: Input should be a valid list"),
        ('"F32"', '"F8_E5M2"', "layers.2.scale.dtype: Input should be 'U8', 'I8',"),
        ('"F32"', '"Z32"', "layers.2.scale.dtype: Input should be 'U8', 'I8',"),
        ('"F32"', '"F32","more":1', "layers.2.scale.more: Extra inputs"),
        ('"F32"', "null", "layers.2.scale.dtype: Input should be"),
        ("layers.2.scale", "l\u00e4yers.2.scale", "its checksum does not fit"),
        ("layers.2.scale", "layers.2.Scale", "its checksum does not fit"),
        (SHIFT, r'"\u001b[31m":[]', r"in its header, \\x1b\[31m: Input should be a valid dict"),
        ("layers.2.scale", r"\ud800", "invalid JSON in header: unexpected end of hex"),
        ("layers.2.scale", r"\u00e4", "its checksum does not fit"),
        (SHIFT, f'"{"x" * 999}":[]', r"in its header, x{40}\.\.\.: Input should be a valid dict"),
        (
            SHIFT,
            f'"x":{"[" * 20000}{"]" * 20000}',
            "its header is not plain JSON: it is nested too deeply",
        ),
        (SHIFT, '"x":[]', "in its header, x: Input should be a valid dict"),
        (METADATA, f'{METADATA}"other":"",', "it is not a packed network"),
        (METADATA, '{"__metadata__":[],"x":{', r"in its header, x\.dtype: Field required"),
        (METADATA, f" {METADATA}", "it does not begin with a header"),
        (METADATA, "[", "it does not begin with a header"),
        (METADATA, "{", "its header is not plain JSON"),
    ],
)
def test_what_the_library_takes_or_trips_over(
    model: Path, old: str, new: str, message: str
) -> None:
    header, arrays = split(model)
    assert old in header
    write(model, header.replace(old, new, 1), arrays)
    refuses(model, message)


def test_arrays_in_another_order_are_the_same_model(model: Path) -> None:
    expected = load(model)
    header, arrays = split(model)
    changed = header.replace("[12,24]", "[0,12]", 1).replace("[0,12]", "[12,24]", 1)
    assert changed != header
    write(model, changed, arrays[12:24] + arrays[:12] + arrays[24:])
    np.testing.assert_array_equal(load(model).last.shift, expected.last.shift)


@pytest.mark.parametrize(
    ("length", "message"),
    [
        (0, "it does not begin with a header"),
        (2**18, "it is cut short"),
        (2**18 + 1, "its header would have 262145 bytes, and may have 262144 at most"),
        (2**64 - 1, "its header would have 18446744073709551615 bytes, and may have"),
    ],
)
def test_the_length_of_the_header(model: Path, length: int, message: str) -> None:
    model.write_bytes(length.to_bytes(8, "little") + model.read_bytes()[8:])
    refuses(model, message)


def test_sizes_are_bounded_before_memory_is_taken(model: Path) -> None:
    """A file with a hole takes no space, and would take memory if it were read."""
    header, arrays = split(model)
    tracemalloc.start()
    try:
        for size in (MAX_BYTES, MAX_BYTES + 1, 2**40):
            os.truncate(model, size)
            refuses(model, "file not fully covered|bytes, and may have 1073741824")
            write(model, header.replace("[3]", f"[{2**30}]", 1), arrays)
            refuses(model, "invalid shape, data type, or offset|and may have")
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_what_is_not_a_file(tmp_path: Path) -> None:
    """A pipe that nobody writes into is not waited for."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(PipelineError, match=r"cannot read .*: it is not a file"):
            load(path)


def test_the_deepest_model_has_a_header_that_is_read(tmp_path: Path) -> None:
    """As deep as the length of a file's name allows."""
    one = np.ones((1, 1), np.uint8)
    number = np.ones(1, np.float32)
    hidden = Hidden(one, number.astype(np.int32)[None])
    path = tmp_path / "model"
    PackedModel((1,) * 126, 4, 1, 1, (hidden,) * 124, Logits(one, number, number)).save(path)
    assert len(load(path).hidden) == 124
