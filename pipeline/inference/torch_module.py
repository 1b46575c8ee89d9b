"""The float network as a module of torch."""

from typing import cast

import torch
from torch import Tensor, nn

from pipeline.inference.float_network import Conv, FloatNetwork, Linear


class _Signed(nn.Module):
    """Maps, each times 1 or -1."""

    def __init__(self, sign: Tensor) -> None:
        super().__init__()
        self.register_buffer("sign", sign.view(1, -1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels, height, width) to the same shape."""
        return x * cast(Tensor, self.sign)


def build(network: FloatNetwork) -> nn.Sequential:
    """Return the network, which reads what `FloatNetwork.inputs` returns."""
    modules: list[nn.Module] = []
    for convolution in network.convolutions:
        modules += [*_convolution(convolution), nn.ReLU()]
    if network.convolutions:
        modules.append(nn.Flatten())
    for linear in network.linear:
        modules += [_linear(linear), nn.ReLU()]
    return nn.Sequential(*modules[:-1]).eval()


def _convolution(layer: Conv) -> list[nn.Module]:
    outputs, inputs, size, _ = layer.weight.shape
    module = nn.Conv2d(inputs, outputs, size, stride=layer.stride, padding=1)
    module.weight = nn.Parameter(torch.from_numpy(layer.weight))
    module.bias = nn.Parameter(torch.from_numpy(layer.bias))
    modules: list[nn.Module] = [module]
    if layer.pool:
        modules.append(nn.MaxPool2d(2))
    if layer.sign is not None:
        modules.append(_Signed(torch.from_numpy(layer.sign)))
    return modules


def _linear(layer: Linear) -> nn.Module:
    module = nn.Linear(*reversed(layer.weight.shape))
    module.weight = nn.Parameter(torch.from_numpy(layer.weight))
    module.bias = nn.Parameter(torch.from_numpy(layer.bias))
    return module
