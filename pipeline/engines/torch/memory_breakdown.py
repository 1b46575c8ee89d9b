"""The bytes of one training step by kind, read off the tensors themselves."""

from collections.abc import Callable
from itertools import accumulate

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile


def measure_memory(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch: Tensor,
    loss: Callable[[], Tensor],
) -> dict[str, int]:
    """Run one forward and backward pass and count the bytes that it holds, by kind.

    Args:
        network: in training mode.
        optimizer: of its parameters; its state is empty before its first step.
        batch: an input batch as the network reads it, (batch, pixels) float32.
        loss: runs the forward pass and returns the scalar loss.

    Returns:
        Bytes by kind, as `Engine.memory_breakdown` has them. The weights include batch
        normalization's parameters and statistics. The saved activations are what autograd keeps for
        the backward pass: binarized copies of weights are among it, the input and the weights
        themselves are not. The temporaries are what else is there when the two passes hold the
        most.
    """
    weights = [*network.parameters(), *network.buffers()]
    saved: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    optimizer.zero_grad(set_to_none=True)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            value = loss()
        value.backward()  # type: ignore[no-untyped-call]
    # A convolution that pads the batch keeps the copy, and not the batch itself.
    for tensor in (*weights, batch):
        saved.pop(tensor.untyped_storage().data_ptr(), None)
    saved_bytes = sum(saved.values())
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
        "saved_activations": saved_bytes,
        "input": _bytes([batch]),
        # At the peak some gradients may not be there yet; the sum then errs upwards.
        "temporaries": max(0, _peak(profiler) - saved_bytes - _bytes(gradients)),
    }


def _peak(profiler: profile) -> int:
    """Return the most bytes that torch had allocated at a time since the profile began."""
    assert profiler.profiler is not None
    results = profiler.profiler.kineto_results
    assert results is not None
    memory = [event for event in results.events() if event.name() == "[memory]"]
    changes = [
        event.nbytes()  # type: ignore[attr-defined]
        for event in sorted(memory, key=lambda event: event.start_ns())
    ]
    held = accumulate(changes)
    return max(held, default=0)


def _bytes(tensors: list[Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
