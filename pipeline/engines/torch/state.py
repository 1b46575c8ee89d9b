"""What training goes on from, as NumPy arrays: the network, the optimizer, the generator."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

_GENERATOR = "generator"
_OPTIMIZER = "optimizer:"


def state_of(
    network: nn.Module, optimizer: torch.optim.Optimizer, generator: torch.Generator | None
) -> dict[str, NDArray[np.generic]]:
    """Return all that a step leaves to the next, by name, of one or two dimensions each.

    Args:
        network: its parameters and buffers are returned without a copy.
        optimizer: of its parameters; before the first step its state is zeros.
        generator: of what is random in training, or None.
    """
    arrays = {
        name: _in_two_dimensions(tensor.detach().numpy())
        for name, tensor in (
            *network.state_dict().items(),
            *_optimizer_state(network, optimizer).items(),
        )
    }
    if generator is not None:
        arrays[_GENERATOR] = generator.get_state().numpy()
    return arrays


def restore(
    state: Mapping[str, NDArray[np.generic]],
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator | None,
) -> None:
    """Take over what `state_of` returned for a network and an optimizer built alike.

    Raises:
        ValueError: the generator's state is impossible. Nothing has changed then.
    """
    if generator is not None:
        try:
            generator.set_state(torch.from_numpy(state[_GENERATOR].copy()))
        except RuntimeError as error:
            raise ValueError("its random generator is not one of torch's") from error
    for name, tensor in network.state_dict().items():
        _fill(tensor, state[name])
    # torch makes these tensors, so that they are aligned as its own are.
    for name, tensor in _optimizer_state(network, optimizer).items():
        _fill(tensor, state[name])
        parameter, key = name.removeprefix(_OPTIMIZER).rsplit(":", 1)
        optimizer.state[network.get_parameter(parameter)][key] = tensor


def _optimizer_state(network: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the optimizer's tensors by name; before its first step, zeros that it does not hold.

    A name is optimizer:PARAMETER:KEY.
    """
    tensors = {}
    for name, parameter in network.named_parameters():
        held = optimizer.state.get(parameter, {})
        for key, shape in _shapes(optimizer, parameter).items():
            tensors[f"{_OPTIMIZER}{name}:{key}"] = held[key] if held else torch.zeros(shape)
    return tensors


def _shapes(optimizer: torch.optim.Optimizer, parameter: Tensor) -> dict[str, torch.Size]:
    """Return the float32 tensors that torch's optimizers hold for a parameter."""
    if isinstance(optimizer, torch.optim.AdamW):
        moment = parameter.shape
        return {"step": torch.Size(), "exp_avg": moment, "exp_avg_sq": moment}
    if optimizer.param_groups[0]["momentum"]:
        return {"momentum_buffer": parameter.shape}
    return {}


def _in_two_dimensions(array: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return an array with a convolution's dimensions but the first joined, as files have them."""
    return array.reshape(len(array), -1) if array.ndim > 2 else np.atleast_1d(array)


def _fill(tensor: Tensor, array: NDArray[np.generic]) -> None:
    # Not torch.from_numpy: it warns of arrays that are read-only, as those from a file are.
    tensor.detach().numpy().reshape(array.shape)[...] = array
