"""The layers: linear (float32 or binary), batch normalization, activation."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.config.architecture import Architecture
from pipeline.config.params import TorchMethod
from pipeline.engines.torch.binarize import binarize_activations, binarize_weights


class BinaryLinear(nn.Module):
    """s = x Wb^T with Wb = Binarize(W), W the latent weights (out_features, in_features).

    There is no bias, because the batch normalization that follows would subtract it.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        latent_range: float,
        stochastic: bool,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        latent = torch.empty(out_features, in_features)
        latent.uniform_(-latent_range, latent_range, generator=generator)
        self.weight = nn.Parameter(latent)
        self.noise = 1.0
        self._generator = generator if stochastic else None

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, in_features) to (batch, out_features), both float32."""
        generator = self._generator if self.training else None
        return functional.linear(x, binarize_weights(self.weight, generator, self.noise))

    @torch.no_grad()
    def clip(self) -> None:
        """Clip the latent weights to [-1, 1], where the straight-through estimator holds."""
        self.weight.clamp_(-1, 1)


class BinaryActivation(nn.Module):
    """Binarize(a), deterministic in prediction, and in training unless it is to be stochastic."""

    def __init__(self, *, stochastic: bool, generator: torch.Generator) -> None:
        super().__init__()
        self._generator = generator if stochastic else None

    def forward(self, x: Tensor) -> Tensor:
        """Map float32 of any shape to +1 and -1 in float32."""
        return binarize_activations(x, self._generator if self.training else None)


def build_network(
    method: TorchMethod, architecture: Architecture, generator: torch.Generator
) -> nn.Sequential:
    """Stack linear, batch normalization and activation for all but the last layer.

    The last layer is linear and batch normalization: its outputs are the logits.

    Args:
        method: which numbers weights and activations are, and the initialization.
        architecture: the layers.
        generator: of the initialization and of stochastic binarization.
    """
    layers: list[nn.Module] = []
    widths = architecture.widths
    for index, (fan_in, fan_out) in enumerate(pairwise(widths)):
        layers += [_linear(method, fan_in, fan_out, generator), nn.BatchNorm1d(fan_out)]
        if index < len(widths) - 2:
            layers.append(_activation(method, generator))
    return nn.Sequential(*layers)


def _linear(
    method: TorchMethod, fan_in: int, fan_out: int, generator: torch.Generator
) -> nn.Module:
    if method.latent_range is None:
        linear = nn.Linear(fan_in, fan_out, bias=False)
        nn.init.kaiming_uniform_(linear.weight, nonlinearity="relu", generator=generator)
        return linear
    return BinaryLinear(
        fan_in,
        fan_out,
        latent_range=method.latent_range,
        stochastic=method.weights == "stochastic",
        generator=generator,
    )


def _activation(method: TorchMethod, generator: torch.Generator) -> nn.Module:
    if method.activations == "float32":
        return nn.ReLU()
    return BinaryActivation(stochastic=method.activations == "stochastic", generator=generator)
