"""The float network that `train` wrote, as plain layers: what every other runtime gets."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load

from pipeline.errors import PipelineError

# torch's BatchNorm1d.
_EPSILON = 1e-5
# Linear, batch normalization, activation.
_MODULES_A_LAYER = 3


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
        # Not mapped: a file that is cut short meanwhile would end the process.
        tensors = load(path.read_bytes())
        return [_fold(tensors, start) for start in range(0, _modules(tensors), _MODULES_A_LAYER)]
    except (OSError, SafetensorError, KeyError) as error:
        raise PipelineError(
            f"{path} is missing or no float network: {error}. Run `dvc repro` to train it."
        ) from error


def _modules(tensors: dict[str, NDArray[np.float32]]) -> int:
    return 1 + max(int(name.split(".")[0]) for name in tensors)


def _fold(tensors: dict[str, NDArray[np.float32]], start: int) -> Linear:
    weight = tensors[f"{start}.weight"].astype(np.float64)
    gain, bias, mean, variance = (
        tensors[f"{start + 1}.{name}"].astype(np.float64)
        for name in ("weight", "bias", "running_mean", "running_var")
    )
    scale = gain / np.sqrt(variance + _EPSILON)
    return Linear(
        (weight * scale[:, None]).astype(np.float32), (bias - mean * scale).astype(np.float32)
    )
