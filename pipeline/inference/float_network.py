"""The float network that `train` wrote, as plain layers: what every other runtime gets."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.common import tensors_file
from pipeline.common.errors import PipelineError
from pipeline.common.tensors_file import Arrays, InvalidError, require
from pipeline.config.architecture import Architecture

# This is the default of torch's batch normalization.
_EPSILON = 1e-5
_KERNEL_SIZE = 3
_STATISTICS = ("weight", "bias", "running_mean", "running_var")
# A weight takes 32 times the bytes that it does in bits.
_MAX_BYTES = 32 * tensors_file.MAX_BYTES


@dataclass(frozen=True)
class Linear:
    """y = x weight^T + bias. weight: (N, K) float32; bias: (N) float32."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]


@dataclass(frozen=True)
class Conv:
    """A convolution with padding 1, then 2x2 max-pooling if there is any, then times `sign`.

    Attributes:
        weight: (N, C, 3, 3) float32.
        bias: (N) float32.
        stride: 1 or 2.
        pool: whether max-pooling follows.
        sign: (N) float32, 1 or -1 per feature; None where all are 1. Batch normalization follows
            max-pooling, and a negative gain turns the largest number into the smallest.
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    stride: int
    pool: bool
    sign: NDArray[np.float32] | None


@dataclass(frozen=True)
class FloatNetwork:
    """Layers with ReLU between them.

    Attributes:
        image_shape: (height, width, channels) of an image.
        convolutions: they read (channels, height, width), and come first.
        linear: the first one reads all of a map, channels first.
    """

    image_shape: tuple[int, int, int]
    convolutions: tuple[Conv, ...]
    linear: tuple[Linear, ...]

    def inputs(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return what the network reads: pixels in [0, 1], as maps if it has convolutions.

        Args:
            images: (count, pixels) uint8, channels last.
        """
        pixels = images.astype(np.float32) / np.float32(255)
        if not self.convolutions:
            return pixels
        maps = pixels.reshape(-1, *self.image_shape).transpose(0, 3, 1, 2)
        return np.ascontiguousarray(maps)


@dataclass(frozen=True)
class _Layer:
    """Where a layer lies among torch's modules, and its weight's shape in the file."""

    product: int
    normalization: int
    shape: tuple[int, ...]


def load_folded(path: Path, architecture: Architecture) -> FloatNetwork:
    """Return the layers with batch normalization folded in.

    That is what a careful user deploys: it halves the operations between the products.

    Raises:
        PipelineError: the file is missing, damaged, or holds another network.
    """
    try:
        _, tensors = tensors_file.read(path, _MAX_BYTES)
        layers = _layers(architecture)
        _check(tensors, layers)
    except (OSError, InvalidError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise PipelineError(
            f"{path} is missing or not a float network: {reason}. Run `dvc repro` to train it."
        ) from error
    of_maps, maps = len(architecture.convolutions), architecture.feature_maps
    convolutions = []
    for each, layer in zip(architecture.convolutions, layers, strict=False):
        weight, bias, sign = _fold(tensors, layer, keep_sign=each.pool)
        convolutions.append(Conv(weight, bias, each.stride, each.pool, sign))
    linear = [Linear(*_fold(tensors, layer)[:2]) for layer in layers[of_maps:]]
    if convolutions:
        linear[0] = Linear(_channels_first(linear[0].weight, maps[-1]), linear[0].bias)
    return FloatNetwork(maps[0], tuple(convolutions), tuple(linear))


def _layers(architecture: Architecture) -> list[_Layer]:
    """Return the layers in order, as `pipeline.engines.torch.network` stacks their modules."""
    layers = []
    maps = architecture.feature_maps
    # Modules that turn rows into maps and back have no tensors.
    module = 1 if architecture.convolutions else 0
    for each, (_, _, channels) in zip(architecture.convolutions, maps, strict=False):
        shape = each.channels, channels, _KERNEL_SIZE, _KERNEL_SIZE
        normalization = module + 1 + each.pool
        layers.append(_Layer(module, normalization, shape))
        module = normalization + 2
    module += 1 if architecture.convolutions else 0
    for inputs, outputs in pairwise(architecture.widths):
        layers.append(_Layer(module, module + 1, (outputs, inputs)))
        module += 3
    return layers


def _check(tensors: Arrays, layers: list[_Layer]) -> None:
    """Raise InvalidError if the arrays are anything but those of the layers."""
    expected: dict[str, tuple[str, tuple[int, ...]]] = {}
    for layer in layers:
        weight = f"{layer.product}.weight"
        require(weight in tensors, f"it has no {weight}")
        require(
            tensors[weight].shape == layer.shape, f"{weight} does not fit the layers of its name"
        )
        expected[weight] = "float32", layer.shape
        for name in _STATISTICS:
            expected[f"{layer.normalization}.{name}"] = "float32", layer.shape[:1]
        expected[f"{layer.normalization}.num_batches_tracked"] = "int64", ()
    found = {name: (array.dtype.name, array.shape) for name, array in tensors.items()}
    require(found == expected, "its arrays are not those of such a network")


def _fold(
    tensors: Arrays, layer: _Layer, *, keep_sign: bool = False
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32] | None]:
    """Return a layer's weight and bias, and the signs of its gains that are left to do."""
    weight = tensors[f"{layer.product}.weight"].astype(np.float64)
    gain, bias, mean, variance = (
        tensors[f"{layer.normalization}.{name}"].astype(np.float64) for name in _STATISTICS
    )
    scale = gain / np.sqrt(variance + _EPSILON)
    shift = bias - mean * scale
    sign = None
    if keep_sign and (scale < 0).any():
        sign = np.where(scale < 0, -1.0, 1.0)
        scale, shift, sign = scale * sign, shift * sign, sign.astype(np.float32)
    return (
        (weight * scale.reshape(-1, *[1] * (weight.ndim - 1))).astype(np.float32),
        shift.astype(np.float32),
        sign,
    )


def _channels_first(
    weight: NDArray[np.float32], shape: tuple[int, int, int]
) -> NDArray[np.float32]:
    """Return a weight that reads a map channels first from one that reads it channels last."""
    maps = weight.reshape(-1, *shape).transpose(0, 3, 1, 2)
    return np.ascontiguousarray(maps.reshape(len(weight), -1))
