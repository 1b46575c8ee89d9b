"""The float network that `train` wrote, as plain layers: what every other runtime gets."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.common import tensors_file
from pipeline.common.errors import PipelineError
from pipeline.common.tensors_file import Arrays, InvalidError, require

# This is the default of torch's BatchNorm1d.
_EPSILON = 1e-5
# A layer is a linear module, a batch normalization and an activation.
_MODULES_PER_LAYER = 3
_NORMALIZATION = ("weight", "bias", "running_mean", "running_var")
# They are the product's weights, those of normalization, and how many batches that has seen.
_TENSORS_PER_LAYER = 2 + len(_NORMALIZATION)
# A weight takes 32 times the bytes that it does in bits.
_MAX_BYTES = 32 * tensors_file.MAX_BYTES


@dataclass(frozen=True)
class Linear:
    """y = x weight^T + bias. weight: (N, K) float32; bias: (N) float32."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]


def load_folded(path: Path) -> list[Linear]:
    """Return the layers with batch normalization folded in, ReLU between them.

    That is what a careful user deploys: it halves the operations between the products.

    Raises:
        PipelineError: the file is missing, damaged, or holds another network.
    """
    try:
        _, tensors = tensors_file.read(path, _MAX_BYTES)
        layers = _layer_count(tensors)
        return [_fold(tensors, _MODULES_PER_LAYER * layer) for layer in range(layers)]
    except (OSError, InvalidError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise PipelineError(
            f"{path} is missing or not a float network: {reason}. Run `dvc repro` to train it."
        ) from error


def _layer_count(tensors: Arrays) -> int:
    """Return how many layers the arrays are of.

    Raises:
        InvalidError: they are anything but the layers of a network, one after another.
    """
    layers = len(tensors) // _TENSORS_PER_LAYER
    expected: dict[str, tuple[str, tuple[int, ...]]] = {}
    width = None
    for first in range(0, _MODULES_PER_LAYER * layers, _MODULES_PER_LAYER):
        weight = tensors.get(f"{first}.weight")
        require(weight is not None and weight.ndim == 2, f"it has no {first}.weight")
        assert weight is not None
        outputs, inputs = weight.shape
        require(width in (None, inputs), f"{first}.weight does not fit the layer before it")
        width = outputs
        expected[f"{first}.weight"] = "float32", (outputs, inputs)
        for name in _NORMALIZATION:
            expected[f"{first + 1}.{name}"] = "float32", (outputs,)
        expected[f"{first + 1}.num_batches_tracked"] = "int64", ()
    found = {name: (array.dtype.name, array.shape) for name, array in tensors.items()}
    require(layers > 0 and found == expected, "its arrays are not those of such a network")
    return layers


def _fold(tensors: Arrays, start: int) -> Linear:
    weight = tensors[f"{start}.weight"].astype(np.float64)
    gain, bias, mean, variance = (
        tensors[f"{start + 1}.{name}"].astype(np.float64) for name in _NORMALIZATION
    )
    scale = gain / np.sqrt(variance + _EPSILON)
    return Linear(
        (weight * scale[:, None]).astype(np.float32), (bias - mean * scale).astype(np.float32)
    )
