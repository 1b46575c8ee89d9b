"""Binarization to +1/-1 and its straight-through gradients, on float32 tensors.

Source: Courbariaux, Hubara, Soudry, El-Yaniv, Bengio, "Binarized Neural Networks: Training
Deep Neural Networks with Weights and Activations Constrained to +1 or -1", 2016,
arXiv 1602.02830, equations 1 to 4.
"""

from typing import Any, cast

import torch
from torch import Tensor

__all__ = [
    "binarize_activations",
    "binarize_weights",
    "sign",
    "stochastic_sign",
    "straight_through",
]


def sign(x: Tensor) -> Tensor:
    """Binarize deterministically (equation 1): +1 where x >= 0, else -1.

    The sign of 0 is +1; NaN has no sign and gives -1.
    """
    return torch.where(x >= 0, 1.0, -1.0)


def stochastic_sign(x: Tensor, generator: torch.Generator, noise: float = 1.0) -> Tensor:
    """Binarize stochastically: the sign of x plus uniform noise of amplitude `noise`.

    With noise 1 this is equation 2: +1 with probability clip((x + 1) / 2, 0, 1), else -1,
    for u uniform in [-1, 1) has P(x + u >= 0) = clip((x + 1) / 2, 0, 1). With noise 0 it is
    `sign`, so the noise of latent weights can be annealed into the network that predicts.
    """
    u = torch.empty_like(x).uniform_(-noise, noise, generator=generator)
    return sign(u.add_(x))


def straight_through(x: Tensor, gradient: Tensor) -> Tensor:
    """Return the straight-through gradient (equation 4): g where abs(x) <= 1, else 0."""
    return gradient * (x.abs() <= 1)


def binarize_activations(x: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Binarize x, with the straight-through estimator as its gradient.

    Args:
        x: float32, any shape: batch-normalized activations.
        generator: of stochastic binarization; None for deterministic.

    Returns:
        +1 and -1 in float32, of x's shape.
    """
    return cast(Tensor, _BinarizeActivations.apply(x, generator))


def binarize_weights(
    latent: Tensor, generator: torch.Generator | None = None, noise: float = 1.0
) -> Tensor:
    """Binarize latent weights; the gradient passes through unchanged.

    The straight-through estimator's mask is left out: latent weights are clipped to
    [-1, 1], where it is 1 everywhere.

    Args:
        latent: float32, any shape, in [-1, 1].
        generator: of stochastic binarization; None for deterministic.
        noise: amplitude of stochastic binarization, in [0, 1].

    Returns:
        +1 and -1 in float32, of latent's shape.
    """
    return cast(
        Tensor,
        _BinarizeWeights.apply(latent, generator, noise),
    )


class _BinarizeActivations(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, generator: torch.Generator | None) -> Tensor:
        ctx.save_for_backward(x)
        return sign(x) if generator is None else stochastic_sign(x, generator)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return straight_through(x, gradients[0]), None


class _BinarizeWeights(torch.autograd.Function):
    @staticmethod
    def forward(_: Any, latent: Tensor, generator: torch.Generator | None, noise: float) -> Tensor:
        return sign(latent) if generator is None else stochastic_sign(latent, generator, noise)

    @staticmethod
    def backward(_: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return gradients[0], None, None
