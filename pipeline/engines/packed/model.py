"""The network that predicts: packed weights, integer thresholds, and the file that holds them.

Batch normalization and sign fold into a comparison of integers: scale s + shift >= 0 is
s >= threshold where the scale is positive; where it is negative, the feature's weights are
negated, which negates s.

The largest of four sums reaches a threshold where any of them does, so that max-pooling is an OR of
bits. Of a feature whose weights were negated the smallest of four counts, and that is an AND.

The file is a safetensors container (a JSON header and arrays, nothing executable). Its metadata
has one entry, named after the format: the version, the widths, the bits of a pixel, the gamma of
the curve before them, the number of passes, and a SHA-256 of all of that. Version 3 also has the
maps that convolutions read, before the widths of the fully connected layers; version 2 has none.

A network trained with stochastic activations may predict by the mean of the logits of several
passes. What training draws at random is then spread evenly. With R passes, (-1, 1) has R equal
parts; each feature adds the middle of each part to its activation in one of the passes, and
neighbours add it in different ones. That is stratified sampling, which varies less than R draws.
The draws are part of the thresholds, so that a prediction is the same every time.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from safetensors.numpy import save

from pipeline.common import tensors_file
from pipeline.common.errors import PipelineError, printable
from pipeline.common.tensors_file import InvalidError, require
from pipeline.config.params import Gamma, Passes
from pipeline.engines.packed.layer import (
    MAX_CHANNELS,
    MAX_PIXEL_CHANNELS,
    TAPS,
    BinaryLayer,
    MapShape,
)
from pipeline.engines.packed.normalization import EPSILON

_T = TypeVar("_T", bound=np.generic)

FORMAT = "packed-network"
# Without and with convolutions.
VERSION, MAP_VERSION = 2, 3
# Sums up to here are exact in float32, in which logits are computed.
_MAX_SUM = 2**24 - 1
# So is every sum of this many pixels of 4 bits.
_MAX_WIDTH = _MAX_SUM // 15
# Half of what float32 holds, which leaves room for what rounding adds.
_MAX_LOGIT = float(np.finfo(np.float32).max) / 2


@dataclass(frozen=True)
class Hidden:
    """bits = x Wb^T >= thresholds of a pass. (N, ceil(K / 8)) uint8; (passes, N) int32."""

    bits: NDArray[np.uint8]
    thresholds: NDArray[np.int32]


@dataclass(frozen=True)
class Convolved(Hidden):
    """The same of a map, of which x is a patch: see `layer.BinaryLayer`.

    Attributes:
        map: that it reads, and whether it pools.
        smallest: bits of features of which the smallest of four sums counts, (N / 8) uint8. None
            without pooling.
    """

    map: MapShape
    smallest: NDArray[np.uint8] | None


@dataclass(frozen=True)
class Logits:
    """logits = scale (x Wb^T) + shift. bits as in Hidden; scale, shift: (classes) float32."""

    bits: NDArray[np.uint8]
    scale: NDArray[np.float32]
    shift: NDArray[np.float32]


@dataclass(frozen=True)
class PackedModel:
    """Layers that predict.

    Attributes:
        widths: of all fully connected layers, what enters the first one first and classes last.
        pixel_bits: how many bits of a pixel the first layer reads, 1 to 4.
        pixel_gamma: of the curve that pixels go through before: see `pipeline.data.gamma`.
        passes: whose mean logits are the prediction.
        hidden: all fully connected layers but the last.
        last: the layer of logits.
        convolutions: the layers before.
    """

    widths: tuple[int, ...]
    pixel_bits: int
    pixel_gamma: int
    passes: int
    hidden: tuple[Hidden, ...]
    last: Logits
    convolutions: tuple[Convolved, ...] = ()

    @property
    def pixels(self) -> int:
        """How many numbers an image has."""
        if not self.convolutions:
            return self.widths[0]
        first = self.convolutions[0].map
        return first.height * first.width * first.channels

    @property
    def layers(self) -> tuple[Hidden | Logits, ...]:
        """All layers, from the pixels to the classes."""
        return *self.convolutions, *self.hidden, self.last

    def save(self, path: Path) -> None:
        """Write the model to `path`."""
        tensors = self._tensors()
        header: dict[str, object] = {
            "version": MAP_VERSION if self.convolutions else VERSION,
            **({"maps": self._maps()} if self.convolutions else {}),
            "widths": self.widths,
            "pixel_bits": self.pixel_bits,
            "pixel_gamma": self.pixel_gamma,
            "passes": self.passes,
        }
        header["sha256"] = _digest(header, tensors)
        # One entry: the order of several would differ from file to file. Serialized in memory
        # first, so that a full disk is an OSError like any other.
        path.write_bytes(save(tensors, {FORMAT: json.dumps(header)}))

    def _tensors(self) -> dict[str, NDArray[np.generic]]:
        tensors: dict[str, NDArray[np.generic]] = {}
        for index, layer in enumerate(self.layers):
            for name, array in vars(layer).items():
                if isinstance(array, np.ndarray):
                    tensors[f"layers.{index}.{name}"] = array
        return tensors

    def _maps(self) -> list[dict[str, int]]:
        return [vars(layer.map) for layer in self.convolutions]


def fold(
    layers: Sequence[BinaryLayer], pixel_bits: int, pixel_gamma: int, passes: int
) -> PackedModel:
    """Return the model that predicts as `layers` do with their running statistics.

    Raises:
        PipelineError: what the layers have learned is no number, or too large for one.
    """
    folded = [_fold_hidden(layer, passes) for layer in layers[:-1]]
    connected = [layer for layer in layers if layer.size.map is None]
    last = layers[-1]
    scale, shift = _normalization(last)
    return PackedModel(
        widths=(connected[0].inputs, *(layer.outputs for layer in connected)),
        pixel_bits=pixel_bits,
        pixel_gamma=pixel_gamma,
        passes=passes,
        hidden=tuple(layer for layer in folded if not isinstance(layer, Convolved)),
        last=Logits(last.weights.signs(), scale.astype(np.float32), shift.astype(np.float32)),
        convolutions=tuple(layer for layer in folded if isinstance(layer, Convolved)),
    )


def _normalization(layer: BinaryLayer) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return scale and shift of the running statistics, (N) float64."""
    gain, bias = (row.ravel()[: layer.outputs] for row in _rows(layer.normalization.parameters))
    mean, variance = (row.ravel()[: layer.outputs] for row in _rows(layer.normalization.running))
    # The message below says what these warnings would.
    with np.errstate(invalid="ignore", over="ignore"):
        scale = gain / np.sqrt(variance + EPSILON)
        shift = bias - mean * scale
    if not _largest_logit(scale, shift) <= _MAX_LOGIT:
        raise PipelineError(
            "the training diverged: batch normalization is no number, or beyond float32. Lower "
            "the method's learning_rate in params.yaml."
        )
    return scale, shift


def _largest_logit(scale: NDArray[np.floating], shift: NDArray[np.floating]) -> float:
    """Return the largest absolute logit that any sum may give; not a number where one is not."""
    return float((np.abs(scale.astype(np.float64)) * _MAX_SUM + np.abs(shift)).max())


def _rows(panels: NDArray[np.float32]) -> NDArray[np.float64]:
    return panels.astype(np.float64).transpose(1, 0, 2)


def _fold_hidden(layer: BinaryLayer, passes: int) -> Hidden:
    scale, shift = _normalization(layer)
    part = (np.arange(passes)[:, None] + np.arange(layer.outputs)) % passes
    # 0 for a single pass: the plain sign.
    shift = shift + ((2 * part + 1) / passes - 1)
    flip = scale < 0
    bits = layer.weights.signs()
    ones = np.packbits(np.ones(layer.inputs, np.uint8), bitorder="little")
    bits[flip] ^= ones
    # Where the scale is 0, the bit is the shift's sign whatever s is.
    with np.errstate(divide="ignore", invalid="ignore"):
        crossing = np.where(scale == 0, np.where(shift >= 0, -np.inf, np.inf), -shift / scale)
    exact = np.ceil(np.where(flip, -crossing, crossing))
    thresholds = np.clip(exact, -_MAX_SUM, _MAX_SUM).astype(np.int32)
    shape = layer.size.map
    if shape is None:
        return Hidden(bits, thresholds)
    smallest = np.packbits(flip, bitorder="little") if shape.pool else None
    return Convolved(bits, thresholds, shape, smallest)


def _digest(header: dict[str, object], tensors: dict[str, NDArray[np.generic]]) -> str:
    """Return the checksum of all arrays, and of the header but for its version and checksum."""
    keys = ("widths", "pixel_bits", "pixel_gamma", "passes")
    covered = [header[key] for key in keys]
    if header.get("maps") is not None:
        covered.append(header["maps"])
    digest = hashlib.sha256(json.dumps(covered).encode())
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].tobytes())
    return digest.hexdigest()


def load(path: Path) -> PackedModel:
    """Load and validate what `PackedModel.save` wrote.

    Whatever the file holds, it takes no more memory than a few times the file's size.

    Raises:
        PipelineError: the file is missing, damaged, of another format or version, or does
            not hold what its header says; the message says which.
    """
    try:
        metadata, tensors = tensors_file.read(path, tensors_file.MAX_BYTES)
        header = tensors_file.read_description(metadata, FORMAT, (VERSION, MAP_VERSION), _Header)
        return _validate(header, tensors)
    except OSError as error:
        raise PipelineError(f"cannot read {path}: {error.strerror}") from error
    except InvalidError as error:
        raise PipelineError(f"{path} is not a valid model: {error}. {error.remedy}") from error


_Side = Annotated[int, Field(ge=1, le=1 << 15)]


class _Map(BaseModel):
    """See `MapShape`."""

    model_config = ConfigDict(strict=True, extra="forbid")

    height: _Side
    width: _Side
    channels: _Side
    stride: Annotated[int, Field(ge=1, le=2)]
    pool: bool


class _Header(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    version: int
    maps: Annotated[list[_Map], Field(min_length=1)] | None = None
    widths: Annotated[list[Annotated[int, Field(ge=1, le=_MAX_WIDTH)]], Field(min_length=2)]
    pixel_bits: Annotated[int, Field(ge=1, le=4)]
    pixel_gamma: Gamma
    passes: Passes
    sha256: str


def _validate(header: _Header, tensors: dict[str, NDArray[np.generic]]) -> PackedModel:
    widths = header.widths
    require((header.version == MAP_VERSION) == (header.maps is not None), "its maps do not fit")
    expected = _digest(header.model_dump(), tensors)
    require(header.sha256 == expected, "its checksum does not fit")
    convolutions = _convolutions(header, tensors)
    hidden = [
        Hidden(
            _bits(tensors, index, fan_in, fan_out),
            _numbers(tensors, f"layers.{index}.thresholds", np.int32, (header.passes, fan_out)),
        )
        for index, (fan_in, fan_out) in enumerate(pairwise(widths[:-1]), start=len(convolutions))
    ]
    for layer in (*convolutions, *hidden):
        # Not by absolute value: int32's least number has none.
        fits = (layer.thresholds >= -_MAX_SUM) & (layer.thresholds <= _MAX_SUM)
        require(bool(fits.all()), "a threshold is too large")
    last = len(convolutions) + len(hidden)
    logits = Logits(
        _bits(tensors, last, widths[-2], widths[-1]),
        _numbers(tensors, f"layers.{last}.scale", np.float32, (widths[-1],)),
        _numbers(tensors, f"layers.{last}.shift", np.float32, (widths[-1],)),
    )
    for numbers in (logits.scale, logits.shift):
        require(bool(np.isfinite(numbers).all()), "a scale or shift is not finite")
    largest = _largest_logit(logits.scale, logits.shift)
    require(largest <= _MAX_LOGIT, "a scale or shift is too large")
    model = PackedModel(
        tuple(widths),
        header.pixel_bits,
        header.pixel_gamma,
        header.passes,
        tuple(hidden),
        logits,
        tuple(convolutions),
    )
    unknown = set(tensors) - set(model._tensors())
    require(not unknown, f"it has unknown arrays: {printable(', '.join(sorted(unknown)))}")
    return model


def _convolutions(header: _Header, tensors: dict[str, NDArray[np.generic]]) -> list[Convolved]:
    """Return the convolutions, each of which fits the next layer."""
    maps = [MapShape(**vars(each)) for each in header.maps or []]
    if maps:
        require(maps[0].channels <= MAX_PIXEL_CHANNELS, "its pixels have too many channels")
    layers = []
    for index, shape in enumerate(maps):
        array = tensors.get(f"layers.{index}.bits")
        require(array is not None and array.ndim == 2, f"layers.{index}.bits is missing")
        assert array is not None
        features = len(array)
        require(features % 8 == 0, f"layers.{index} has features that fill no bytes")
        require(shape.channels <= MAX_CHANNELS, f"layers.{index} has too many channels")
        height, width = shape.out_height, shape.out_width
        require(height * width > 0, f"layers.{index} pools its map away")
        if index + 1 < len(maps):
            after = maps[index + 1]
            fits = (after.height, after.width, after.channels) == (height, width, features)
            require(fits, f"layers.{index + 1} reads another map than layers.{index} makes")
        else:
            fits = header.widths[0] == height * width * features
            require(fits, f"layers.{index + 1} has other inputs than layers.{index} makes")
        thresholds = (header.passes, features)
        layers.append(
            Convolved(
                _bits(tensors, index, TAPS * shape.channels, features),
                _numbers(tensors, f"layers.{index}.thresholds", np.int32, thresholds),
                shape,
                _numbers(tensors, f"layers.{index}.smallest", np.uint8, (features // 8,))
                if shape.pool
                else None,
            )
        )
    return layers


def _bits(
    tensors: dict[str, NDArray[np.generic]], layer: int, inputs: int, outputs: int
) -> NDArray[np.uint8]:
    name = f"layers.{layer}.bits"
    array = tensors.get(name)
    require(array is not None, f"{name} is missing")
    assert array is not None
    expected = (outputs, -(-inputs // 8))
    require(array.dtype == np.uint8 and array.shape == expected, f"{name} has another shape")
    past = (0xFF << (inputs % 8)) & 0xFF if inputs % 8 else 0
    require(not (array[:, -1].astype(np.uint8) & past).any(), f"{name} has bits past its last")
    return np.ascontiguousarray(array, np.uint8)


def _numbers(
    tensors: dict[str, NDArray[np.generic]], name: str, dtype: type[_T], shape: tuple[int, ...]
) -> NDArray[_T]:
    array = tensors.get(name)
    require(array is not None, f"{name} is missing")
    assert array is not None
    require(array.dtype == dtype and array.shape == shape, f"{name} has another shape")
    return np.ascontiguousarray(array, dtype)
