"""The float network that `train` wrote, as plain layers: what every other runtime gets."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load

from pipeline.common.errors import PipelineError
from pipeline.common.tensors_file import (
    MAX_BYTES,
    MAX_HEADER,
    InvalidError,
    Kind,
    first_error,
    read_header,
    require,
)

# torch's BatchNorm1d.
_EPSILON = 1e-5
# Linear, batch normalization, activation.
_MODULES_A_LAYER = 3
_NORMALIZATION = ("weight", "bias", "running_mean", "running_var")
# The product's weights, those of normalization, and how many batches that has seen.
_TENSORS_A_LAYER = 2 + len(_NORMALIZATION)
_BYTES = {"F32": 4, "I64": 8}
# Of a layer, as an architecture's name or an image's size may have it.
_MAX_WIDTH = 1 << 24
# A weight takes 32 times the bytes that it does in bits, and the header has the names of more
# arrays.
_KIND = Kind("float network", 32 * MAX_BYTES, 4 * MAX_HEADER, {})


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
        with path.open("rb") as file:
            layers, most = _announced(read_header(file, _KIND))
            start = file.tell()
            file.seek(0)
            # Not mapped: a file that is cut short meanwhile would end the process. A byte more
            # than there should be is none of the network's, which the library then says.
            tensors = load(file.read(start + most + 1))
        return [_fold(tensors, _MODULES_A_LAYER * layer) for layer in range(layers)]
    except (OSError, SafetensorError, InvalidError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise PipelineError(
            f"{path} is missing or no float network: {reason}. Run `dvc repro` to train it."
        ) from error


class _Entry(BaseModel):
    dtype: str
    shape: tuple[Annotated[int, Field(ge=1, le=_MAX_WIDTH)], ...]


def _announced(header: dict[str, object]) -> tuple[int, int]:
    """Return how many layers a header announces, and the bytes of their arrays.

    Raises:
        InvalidError: it announces anything but the layers of a network, one after another.
    """
    try:
        entries = {name: _Entry.model_validate(entry) for name, entry in header.items()}
    except ValidationError as error:
        raise InvalidError(f"in its header, {first_error(error)}") from None
    layers = len(entries) // _TENSORS_A_LAYER
    expected: dict[str, tuple[str, tuple[int, ...]]] = {}
    width = None
    for first in range(0, _MODULES_A_LAYER * layers, _MODULES_A_LAYER):
        weight = entries.get(f"{first}.weight")
        require(weight is not None and len(weight.shape) == 2, f"it has no {first}.weight")
        assert weight is not None
        outputs, inputs = weight.shape
        require(width in (None, inputs), f"{first}.weight does not fit the layer before it")
        width = outputs
        expected[f"{first}.weight"] = "F32", (outputs, inputs)
        for name in _NORMALIZATION:
            expected[f"{first + 1}.{name}"] = "F32", (outputs,)
        expected[f"{first + 1}.num_batches_tracked"] = "I64", ()
    found = {name: (entry.dtype, entry.shape) for name, entry in entries.items()}
    require(layers > 0 and found == expected, "its arrays are not those of such a network")
    return layers, sum(_BYTES[dtype] * math.prod(shape) for dtype, shape in expected.values())


def _fold(tensors: dict[str, NDArray[np.float32]], start: int) -> Linear:
    weight = tensors[f"{start}.weight"].astype(np.float64)
    gain, bias, mean, variance = (
        tensors[f"{start + 1}.{name}"].astype(np.float64) for name in _NORMALIZATION
    )
    scale = gain / np.sqrt(variance + _EPSILON)
    return Linear(
        (weight * scale[:, None]).astype(np.float32), (bias - mean * scale).astype(np.float32)
    )
