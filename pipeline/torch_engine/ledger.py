"""A byte ledger of one training step, read off the tensors themselves."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def measure_ledger(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch: Tensor,
    loss: Callable[[], Tensor],
) -> dict[str, int]:
    """Run one forward and backward pass and count the bytes that it holds, by kind.

    Args:
        network: in training mode.
        optimizer: of its parameters, after at least one step (or its state is empty).
        batch: an input batch as the network reads it, (batch, pixels) float32.
        loss: runs the forward pass and returns the scalar loss.

    Returns:
        Bytes of weights (with batch normalization's parameters and statistics), gradients,
        optimizer_state, saved_activations (what autograd keeps for the backward pass, binarized
        copies of weights among it, the input and the weights themselves not) and input.
    """
    weights = [*network.parameters(), *network.buffers()]
    saved: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        value = loss()
    for tensor in weights:
        saved.pop(tensor.untyped_storage().data_ptr(), None)
    optimizer.zero_grad(set_to_none=True)
    value.backward()  # type: ignore[no-untyped-call]
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    state = [
        value
        for entry in optimizer.state.values()
        for value in entry.values()
        if isinstance(value, Tensor)
    ]
    return {
        "weights": _bytes(weights),
        "gradients": _bytes(gradients),
        "optimizer_state": _bytes(state),
        "saved_activations": max(0, sum(saved.values()) - _bytes([batch])),
        "input": _bytes([batch]),
    }


def _bytes(tensors: list[Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
