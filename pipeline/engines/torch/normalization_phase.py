"""Batch normalization's share of torch's forward and backward pass."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from torch import Tensor, nn

from pipeline.engines.phases import Phases


def tell_apart(modules: Iterable[nn.Module], phases: Phases) -> None:
    """Let `phases` be in "normalization" while a batch normalization of `modules` computes.

    Hooks cost some microseconds each, so that a step with them is not measured as a whole.
    """
    for module in modules:
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.register_forward_pre_hook(partial(_before, phases))
            module.register_forward_hook(partial(_after, phases))


def _before(phases: Phases, _module: nn.Module, inputs: tuple[Any, ...]) -> None:
    _enter_when_differentiated(inputs[0], phases, "backward")
    phases.enter("normalization")


def _after(phases: Phases, _module: nn.Module, _inputs: tuple[Any, ...], output: Tensor) -> None:
    phases.enter("forward")
    # The gradient of its output is what its backward pass begins with.
    _enter_when_differentiated(output, phases, "normalization")


def _enter_when_differentiated(tensor: Tensor, phases: Phases, phase: str) -> None:
    if tensor.requires_grad:
        tensor.register_hook(lambda _: phases.enter(phase))  # type: ignore[no-untyped-call]
