"""The network that predicts: packed weights, integer thresholds, and the file that holds them.

Batch normalization and sign fold into a comparison of integers: scale s + shift >= 0 is
s >= threshold where the scale is positive; where it is negative, the feature's weights are
negated, which negates s.

The file is a safetensors container (a JSON header and arrays, nothing executable). Its metadata
has one entry, named after the format: the version, the widths, the bits of a pixel, and a SHA-256
of the arrays.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from pipeline.errors import PipelineError
from pipeline.packed_engine.layer import BinaryLayer
from pipeline.packed_engine.normalization import EPSILON

_T = TypeVar("_T", bound=np.generic)

FORMAT = "packed-network"
VERSION = 1
# Sums up to here are exact in float32, in which scores are computed.
_MOST_SUM = 2**24 - 1
_MOST_WIDTH = 10**8


@dataclass(frozen=True)
class Hidden:
    """bits = x Wb^T >= thresholds. bits: (N, ceil(K / 8)) uint8; thresholds: (N) int32."""

    bits: NDArray[np.uint8]
    thresholds: NDArray[np.int32]


@dataclass(frozen=True)
class Scores:
    """scores = scale (x Wb^T) + shift. bits as in Hidden; scale, shift: (classes) float32."""

    bits: NDArray[np.uint8]
    scale: NDArray[np.float32]
    shift: NDArray[np.float32]


@dataclass(frozen=True)
class PackedModel:
    """Layers that predict.

    Attributes:
        widths: of all layers, pixels first and classes last.
        pixel_bits: how many bits of a pixel the first layer reads, 1 to 4.
        hidden: all layers but the last.
        last: the layer of class scores.
    """

    widths: tuple[int, ...]
    pixel_bits: int
    hidden: tuple[Hidden, ...]
    last: Scores

    def save(self, path: Path) -> None:
        """Write the model to `path`."""
        tensors = self._tensors()
        header = {
            "version": VERSION,
            "widths": self.widths,
            "pixel_bits": self.pixel_bits,
            "sha256": _digest(tensors),
        }
        # One entry: the order of several would differ from file to file. Serialized in memory
        # first, so that a full disk is an OSError like any other.
        path.write_bytes(save(tensors, {FORMAT: json.dumps(header)}))

    def _tensors(self) -> dict[str, NDArray[np.generic]]:
        tensors: dict[str, NDArray[np.generic]] = {}
        for index, layer in enumerate((*self.hidden, self.last)):
            for name, array in vars(layer).items():
                tensors[f"layers.{index}.{name}"] = array
        return tensors


def fold(layers: Sequence[BinaryLayer], pixel_bits: int) -> PackedModel:
    """Return the model that predicts as `layers` do with their running statistics."""
    folded = [_fold_hidden(layer) for layer in layers[:-1]]
    last = layers[-1]
    scale, shift = _normalization(last)
    return PackedModel(
        widths=(layers[0].inputs, *(layer.outputs for layer in layers)),
        pixel_bits=pixel_bits,
        hidden=tuple(folded),
        last=Scores(last.weights.pack(0.0), scale.astype(np.float32), shift.astype(np.float32)),
    )


def _normalization(layer: BinaryLayer) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return scale and shift of the running statistics, (N) float64."""
    gain, bias = (row.ravel()[: layer.outputs] for row in _rows(layer.normalization.parameters))
    mean, variance = (row.ravel()[: layer.outputs] for row in _rows(layer.normalization.running))
    scale = gain / np.sqrt(variance + EPSILON)
    return scale, bias - mean * scale


def _rows(panels: NDArray[np.float32]) -> NDArray[np.float64]:
    return panels.astype(np.float64).transpose(1, 0, 2)


def _fold_hidden(layer: BinaryLayer) -> Hidden:
    scale, shift = _normalization(layer)
    flip = scale < 0
    bits = layer.weights.pack(0.0)
    ones = np.packbits(np.ones(layer.inputs, np.uint8), bitorder="little")
    bits[flip] ^= ones
    # Where the scale is 0, the bit is the shift's sign whatever s is.
    with np.errstate(divide="ignore"):
        crossing = np.where(scale == 0, np.where(shift >= 0, -np.inf, np.inf), -shift / scale)
    exact = np.ceil(np.where(flip, -crossing, crossing))
    thresholds = np.clip(exact, -_MOST_SUM, _MOST_SUM).astype(np.int32)
    return Hidden(bits, thresholds)


def _digest(tensors: dict[str, NDArray[np.generic]]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].tobytes())
    return digest.hexdigest()


def load(path: Path) -> PackedModel:
    """Load and validate what `PackedModel.save` wrote.

    Raises:
        PipelineError: the file is missing, damaged, of another format or version, or does
            not hold what its header says; the message says which.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except OSError as error:
        raise PipelineError(f"cannot read {path}: {error}") from error
    except (SafetensorError, ValueError, TypeError) as error:
        raise PipelineError(f"{path} is not a model file, or is damaged: {error}") from error
    try:
        return _validate(metadata, tensors)
    except _InvalidError as error:
        raise PipelineError(f"{path} is not a valid model: {error}") from error


class _Header(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    version: Literal[1]
    widths: Annotated[list[Annotated[int, Field(ge=1, le=_MOST_WIDTH)]], Field(min_length=2)]
    pixel_bits: Annotated[int, Field(ge=1, le=4)]
    sha256: str


class _InvalidError(Exception):
    pass


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise _InvalidError(message)


def _validate(metadata: dict[str, str], tensors: dict[str, NDArray[np.generic]]) -> PackedModel:
    header = _header(metadata)
    _require(header.sha256 == _digest(tensors), "its checksum does not fit")
    widths = header.widths
    hidden = [
        Hidden(
            _bits(tensors, index, fan_in, fan_out),
            _numbers(tensors, f"layers.{index}.thresholds", np.int32, fan_out),
        )
        for index, (fan_in, fan_out) in enumerate(pairwise(widths[:-1]))
    ]
    for layer in hidden:
        _require(bool((np.abs(layer.thresholds) <= _MOST_SUM).all()), "a threshold is too large")
    last = len(hidden)
    scores = Scores(
        _bits(tensors, last, widths[-2], widths[-1]),
        _numbers(tensors, f"layers.{last}.scale", np.float32, widths[-1]),
        _numbers(tensors, f"layers.{last}.shift", np.float32, widths[-1]),
    )
    for numbers in (scores.scale, scores.shift):
        _require(bool(np.isfinite(numbers).all()), "a scale or shift is not finite")
    model = PackedModel(tuple(widths), header.pixel_bits, tuple(hidden), scores)
    unknown = set(tensors) - set(model._tensors())
    _require(not unknown, f"it has unknown arrays: {', '.join(sorted(unknown))}")
    return model


def _header(metadata: dict[str, str]) -> _Header:
    _require(set(metadata) == {FORMAT}, "it is not a packed network")
    try:
        return _Header.model_validate_json(metadata[FORMAT])
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise _InvalidError(f"in its header, {where}: {first['msg']}") from None


def _bits(
    tensors: dict[str, NDArray[np.generic]], layer: int, inputs: int, outputs: int
) -> NDArray[np.uint8]:
    name = f"layers.{layer}.bits"
    array = tensors.get(name)
    _require(array is not None, f"{name} is missing")
    assert array is not None
    expected = (outputs, -(-inputs // 8))
    _require(array.dtype == np.uint8 and array.shape == expected, f"{name} has another shape")
    past = (0xFF << (inputs % 8)) & 0xFF if inputs % 8 else 0
    _require(not (array[:, -1].astype(np.uint8) & past).any(), f"{name} has bits past its last")
    return np.ascontiguousarray(array, np.uint8)


def _numbers(
    tensors: dict[str, NDArray[np.generic]], name: str, dtype: type[_T], count: int
) -> NDArray[_T]:
    array = tensors.get(name)
    _require(array is not None, f"{name} is missing")
    assert array is not None
    _require(array.dtype == dtype and array.shape == (count,), f"{name} has another shape")
    return np.ascontiguousarray(array, dtype)
