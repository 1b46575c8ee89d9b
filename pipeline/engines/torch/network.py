"""The layers: linear or convolution (float32 or binary), batch normalization, activation."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.config.architecture import Architecture, Convolution
from pipeline.config.params import TorchMethod
from pipeline.engines.torch.binarize import binarize_activations, binarize_weights

# A convolution needs a number around its map: 0 is no bit.
PADDING = -1.0
KERNEL_SIZE = 3


class BinaryLayer(nn.Module):
    """Weights Wb = Binarize(W), W the latent weights.

    There is no bias, because the batch normalization that follows would subtract it.

    Attributes:
        weight: W.
        noise: the amplitude of stochastic binarization, in [0, 1].
    """

    def __init__(
        self,
        *shape: int,
        latent_range: float,
        stochastic: bool,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        latent = torch.empty(shape)
        latent.uniform_(-latent_range, latent_range, generator=generator)
        self.weight = nn.Parameter(latent)
        self.noise = 1.0
        self._generator = generator if stochastic else None

    def binary_weights(self) -> Tensor:
        """Return Wb, of W's shape."""
        generator = self._generator if self.training else None
        return binarize_weights(self.weight, generator, self.noise)

    @torch.no_grad()
    def clip(self) -> None:
        """Clip the latent weights to [-1, 1], where the straight-through estimator holds."""
        self.weight.clamp_(-1, 1)


class BinaryLinear(BinaryLayer):
    """s = x Wb^T, with W of shape (out_features, in_features)."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, in_features) to (batch, out_features), both float32."""
        return functional.linear(x, self.binary_weights())


class BinaryConv2d(BinaryLayer):
    """A convolution of x by Wb, with W of shape (out_channels, in_channels, 3, 3) and padding 1."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stride: int,
        padding_value: float,
        latent_range: float,
        stochastic: bool,
        generator: torch.Generator,
    ) -> None:
        """Draw the latent weights; `padding_value` surrounds the map."""
        super().__init__(
            *(out_channels, in_channels, KERNEL_SIZE, KERNEL_SIZE),
            latent_range=latent_range,
            stochastic=stochastic,
            generator=generator,
        )
        self._stride, self._padding_value = stride, padding_value

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, in_channels, height, width) to out_channels, both float32."""
        padded = functional.pad(x, (1, 1, 1, 1), value=self._padding_value)
        return functional.conv2d(padded, self.binary_weights(), stride=self._stride)


class ToMaps(nn.Module):
    """Rows of pixels, channels last, to maps."""

    def __init__(self, height: int, width: int, channels: int) -> None:
        super().__init__()
        self._shape = height, width, channels

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, height * width * channels) to (batch, channels, height, width)."""
        return x.view(-1, *self._shape).permute(0, 3, 1, 2).contiguous()


class FromMaps(nn.Module):
    """Maps to rows of features, channels last, as packed networks have them."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels, height, width) to (batch, height * width * channels)."""
        return x.permute(0, 2, 3, 1).flatten(1)


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

    The last layer is linear and batch normalization: its outputs are the logits. Convolutions come
    first. Max-pooling stands before batch normalization, which then has a quarter of the numbers.

    Args:
        method: which numbers weights and activations are, and the initialization.
        architecture: the layers.
        generator: of the initialization and of stochastic binarization.
    """
    layers: list[nn.Module] = []
    maps = architecture.feature_maps
    if architecture.convolutions:
        layers.append(ToMaps(*maps[0]))
    for index, convolution in enumerate(architecture.convolutions):
        channels = maps[index][-1]
        # Black surrounds an image.
        padding = PADDING if index else 0.0
        layers.append(_convolution(method, channels, convolution, padding, generator))
        if convolution.pool:
            layers.append(nn.MaxPool2d(2))
        layers += [nn.BatchNorm2d(convolution.channels), _activation(method, generator)]
    if architecture.convolutions:
        layers.append(FromMaps())
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
        fan_out,
        fan_in,
        latent_range=method.latent_range,
        stochastic=method.weights == "stochastic",
        generator=generator,
    )


def _convolution(
    method: TorchMethod,
    channels: int,
    convolution: Convolution,
    padding: float,
    generator: torch.Generator,
) -> nn.Module:
    if method.latent_range is None:
        layer = nn.Conv2d(
            channels,
            convolution.channels,
            KERNEL_SIZE,
            stride=convolution.stride,
            padding=1,
            bias=False,
        )
        nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu", generator=generator)
        return layer
    return BinaryConv2d(
        channels,
        convolution.channels,
        stride=convolution.stride,
        padding_value=padding,
        latent_range=method.latent_range,
        stochastic=method.weights == "stochastic",
        generator=generator,
    )


def _activation(method: TorchMethod, generator: torch.Generator) -> nn.Module:
    if method.activations == "float32":
        return nn.ReLU()
    return BinaryActivation(stochastic=method.activations == "stochastic", generator=generator)
