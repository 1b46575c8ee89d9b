"""Update rules for binary weights, as their papers have them: what RowProp is compared with.

A rule moves the weights of one layer of the simulated network, (outputs, inputs), of which the
network reads the signs alone. Rules with latent weights clip them to [-1, 1] after every step
(Courbariaux et al. 2016, arXiv 1602.02830, algorithm 1). The others hold signs and nothing else.
In the formulas g is the gradient, w a latent weight, and t counts the steps from 1.
"""

from abc import ABC, abstractmethod
from typing import Protocol

import torch
from torch import Tensor

__all__ = [
    "SM3",
    "Adam",
    "Bop",
    "LatentWeights",
    "Lion",
    "RankOne",
    "RowProp",
    "Rule",
    "SecondOrderBop",
    "SignWeights",
]

FLOAT_BITS = 32
# From so many bits on a change is cut to whole units, as the engine does with 16: the unit is then
# far smaller than a change. With fewer it is rounded.
_CUT_FROM_BITS = 16


class Weights(Protocol):
    """The weights of a layer.

    Attributes:
        tensor: (outputs, inputs) float32, whose signs are the binary weights.
        bits: that each takes up.
    """

    tensor: Tensor
    bits: int


class LatentWeights:
    """Latent weights in [-1, 1]: float32, or integers of `bits` bits in units of 1 / units.

    `tensor` holds them in these units, so that integers are exact in float32. A change is cut to
    whole units with 16 bits, as the engine does it. With fewer, it is rounded stochastically: up or
    down, so that it is right on average.
    """

    def __init__(self, tensor: Tensor, bits: int, generator: torch.Generator) -> None:
        """Round the initial latent weights in `tensor`, in [-1, 1], in place, and keep them there.

        Args:
            tensor: (outputs, inputs) float32.
            bits: 2 to 16, or 32 for float32.
            generator: of the stochastic rounding.
        """
        self.tensor, self.bits = tensor, bits
        self._units = 1 if bits == FLOAT_BITS else 2 ** (bits - 1) - 1
        self._generator = generator
        if bits < FLOAT_BITS:
            tensor.mul_(self._units).round_()

    def subtract(self, change: Tensor) -> None:
        """Take `change`, as a part of [-1, 1], from the weights; it is overwritten."""
        change.mul_(self._units)
        if _CUT_FROM_BITS <= self.bits < FLOAT_BITS:
            change.trunc_()
        self.tensor.sub_(change)
        if self.bits < _CUT_FROM_BITS:
            noise = torch.empty_like(change).uniform_(generator=self._generator)
            self.tensor.add_(noise).floor_()
        self.tensor.clamp_(-self._units, self._units)


class SignWeights:
    """Weights that are signs, in one bit each."""

    bits = 1

    def __init__(self, tensor: Tensor) -> None:
        """Take the signs of `tensor`, (outputs, inputs), in place; that of 0 is +1."""
        self.tensor = tensor.copy_(torch.where(tensor >= 0, 1.0, -1.0))

    def flip(self, mean: Tensor, threshold: float) -> None:
        """Flip a weight where `mean` has its sign and is above the threshold in size."""
        flips = (mean.abs() > threshold) & (mean.sign() == self.tensor)
        self.tensor.copy_(torch.where(flips, -self.tensor, self.tensor))


class Rule(ABC):
    """How the weights of a layer learn.

    Attributes:
        weights: which it moves in place.
    """

    def __init__(self, weights: Weights) -> None:
        self.weights = weights

    @abstractmethod
    def step(self, gradient: Tensor, rate: float) -> None:
        """Move the weights once.

        Args:
            gradient: (outputs, inputs) of the loss by the binary weights; it may be overwritten.
            rate: of this step, already scheduled.
        """

    @abstractmethod
    def moments(self) -> tuple[Tensor, ...]:
        """Return what it keeps from step to step beside the weights, float32."""

    def state_bytes(self) -> float:
        """Return the bytes of the weights and of the moments."""
        numbers = sum(moment.numel() for moment in self.moments())
        return self.weights.tensor.numel() * self.weights.bits / 8 + 4 * numbers


class RowProp(Rule):
    """RowProp, this project's: RMSProp with one mean square per row. See docs/engine.md.

    w <- w - rate g / sqrt(v / (1 - decay^(t - 1)))
    v <- decay v + (1 - decay) mean(g^2), the mean over the row

    v is that of the steps before, so that the first step only measures.

    With momentum it keeps a mean m of its steps, one number per weight:

    m <- momentum m + (1 - momentum) g / sqrt(v / (1 - decay^(t - 1)))
    w <- w - rate m
    """

    def __init__(
        self, weights: LatentWeights, *, decay: float = 0.999, momentum: float = 0.0
    ) -> None:
        super().__init__(weights)
        self._latent, self._decay, self._momentum = weights, decay, momentum
        self._v = torch.zeros(weights.tensor.shape[0], 1)
        self._m = torch.zeros_like(weights.tensor) if momentum else None
        self._power = 1.0

    def step(self, gradient: Tensor, rate: float) -> None:
        """See the class."""
        mean_square = gradient.square().mean(dim=1, keepdim=True)
        if self._power < 1:
            # A row whose gradients have all been 0 stays where it is.
            factor = torch.where(self._v > 0, ((1 - self._power) / self._v).sqrt(), 0.0)
            step = gradient.mul_(factor)
            if self._m is not None:
                step = self._m.lerp_(step, 1 - self._momentum).clone()
            self._latent.subtract(step.mul_(rate))
        self._v.lerp_(mean_square, 1 - self._decay)
        self._power *= self._decay

    def restart(self) -> None:
        """Forget what it keeps from step to step: the gradients become others."""
        for moment in self.moments():
            moment.zero_()
        self._power = 1.0

    def moments(self) -> tuple[Tensor, ...]:
        """See `Rule`."""
        return (self._v,) if self._m is None else (self._v, self._m)


class RankOne(Rule):
    """RowProp with a factor per column as well: the second moment of Adafactor.

    r <- decay r + (1 - decay) mean(g^2) over the row, c likewise over the column
    u = g / sqrt(r c / mean(r) / (1 - decay^t))
    w <- w - rate u / max(1, rms(u))

    Source: Shazeer & Stern 2018, arXiv 1804.04235, algorithm 4, without first moment. The clipping
    is that of section 6 with d = 1. The decay is constant, as in RowProp; unlike there, r and c
    include this step's g: a column that was 0 so far would else divide by 0.
    """

    _EPSILON = 1e-30  # epsilon 1 of the paper

    def __init__(self, weights: LatentWeights, *, decay: float = 0.999) -> None:
        super().__init__(weights)
        self._latent, self._decay = weights, decay
        rows, columns = weights.tensor.shape
        self._r, self._c = torch.zeros(rows, 1), torch.zeros(1, columns)
        self._power = 1.0

    def step(self, gradient: Tensor, rate: float) -> None:
        """See the class."""
        square = gradient.square().add_(self._EPSILON)
        self._r.lerp_(square.mean(dim=1, keepdim=True), 1 - self._decay)
        self._c.lerp_(square.mean(dim=0, keepdim=True), 1 - self._decay)
        self._power *= self._decay
        # Root by root: the product of both may be too small for float32.
        rows = (self._r / self._r.mean() / (1 - self._power)).sqrt()
        step = gradient.div_(rows).div_(self._c.sqrt())
        rms = float(step.square().mean().sqrt())
        self._latent.subtract(step.mul_(rate / max(1.0, rms)))

    def moments(self) -> tuple[Tensor, ...]:
        """See `Rule`."""
        return self._r, self._c


class Adam(Rule):
    """Adam: two moments per weight, corrected for their bias.

    m <- beta1 m + (1 - beta1) g
    v <- beta2 v + (1 - beta2) g^2
    w <- w - rate m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon)

    Source: Kingma & Ba 2015, arXiv 1412.6980, algorithm 1.
    """

    _EPSILON = 1e-8

    def __init__(self, weights: LatentWeights, *, beta1: float = 0.9, beta2: float = 0.999) -> None:
        super().__init__(weights)
        self._latent, self._beta1, self._beta2 = weights, beta1, beta2
        self._m, self._v = torch.zeros_like(weights.tensor), torch.zeros_like(weights.tensor)
        self._power1 = self._power2 = 1.0

    def step(self, gradient: Tensor, rate: float) -> None:
        """See the class."""
        self._power1 *= self._beta1
        self._power2 *= self._beta2
        self._m.lerp_(gradient, 1 - self._beta1)
        self._v.mul_(self._beta2).addcmul_(gradient, gradient, value=1 - self._beta2)
        size = (self._v / (1 - self._power2)).sqrt_().add_(self._EPSILON)
        self._latent.subtract((self._m / size).mul_(rate / (1 - self._power1)))

    def moments(self) -> tuple[Tensor, ...]:
        """See `Rule`."""
        return self._m, self._v


class Lion(Rule):
    """Lion: every weight moves by the rate, towards the sign of a mean gradient.

    w <- w - rate sign(beta1 m + (1 - beta1) g)
    m <- beta2 m + (1 - beta2) g

    Source: Chen et al. 2023, arXiv 2302.06675, algorithm 2, without weight decay, which would pull
    latent weights to 0, where their signs are noise.
    """

    def __init__(self, weights: LatentWeights, *, beta1: float = 0.9, beta2: float = 0.99) -> None:
        super().__init__(weights)
        self._latent, self._beta1, self._beta2 = weights, beta1, beta2
        self._m = torch.zeros_like(weights.tensor)

    def step(self, gradient: Tensor, rate: float) -> None:
        """See the class."""
        direction = self._m.lerp(gradient, 1 - self._beta1).sign_()
        self._latent.subtract(direction.mul_(rate))
        self._m.lerp_(gradient, 1 - self._beta2)

    def moments(self) -> tuple[Tensor, ...]:
        """See `Rule`."""
        return (self._m,)


class SM3(Rule):
    """SM3-II: Adagrad whose sums of squares are bounded by one number per row and per column.

    v = min(r, c) + g^2, r of the weight's row and c of its column
    w <- w - rate g / sqrt(v), with 0 / 0 = 0
    r <- max(v) over the row, c <- max(v) over the column

    Source: Anil et al. 2019, arXiv 1901.11150, algorithm SM3-II, without momentum.
    """

    def __init__(self, weights: LatentWeights) -> None:
        super().__init__(weights)
        self._latent = weights
        rows, columns = weights.tensor.shape
        self._r, self._c = torch.zeros(rows, 1), torch.zeros(1, columns)

    def step(self, gradient: Tensor, rate: float) -> None:
        """See the class."""
        v = torch.minimum(self._r, self._c).addcmul_(gradient, gradient)
        self._r, self._c = v.amax(dim=1, keepdim=True), v.amax(dim=0, keepdim=True)
        # Where v is 0, so is the gradient.
        size = v.sqrt_().clamp_(min=torch.finfo(v.dtype).tiny)
        self._latent.subtract(gradient.div_(size).mul_(rate))

    def moments(self) -> tuple[Tensor, ...]:
        """See `Rule`."""
        return self._r, self._c


class Bop(Rule):
    """Bop: no latent weights. A weight flips where the mean gradient is against it.

    m <- (1 - rate) m + rate g
    a weight flips where |m| > threshold and m has its sign

    The rate is the paper's adaptivity gamma, which it lets decay as well.

    Source: Helwegen et al. 2019, arXiv 1906.02107, algorithm 1.
    """

    def __init__(self, weights: SignWeights, *, threshold: float) -> None:
        super().__init__(weights)
        self._signs, self._threshold = weights, threshold
        self._m = torch.zeros_like(weights.tensor)

    def step(self, gradient: Tensor, rate: float) -> None:
        """See the class."""
        self._m.lerp_(gradient, rate)
        self._signs.flip(self._m, self._threshold)

    def moments(self) -> tuple[Tensor, ...]:
        """See `Rule`."""
        return (self._m,)


class SecondOrderBop(Rule):
    """Second-order Bop: the mean gradient is measured by its root mean square.

    m <- (1 - rate) m + rate g
    v <- (1 - sigma) v + sigma g^2
    a weight flips where |m| > threshold (sqrt(v) + epsilon) and m has its sign

    Source: Suarez-Ramirez et al. 2021, arXiv 2104.05124, the biased version.
    """

    _EPSILON = 1e-10

    def __init__(self, weights: SignWeights, *, threshold: float, sigma: float = 0.001) -> None:
        super().__init__(weights)
        self._signs, self._threshold, self._sigma = weights, threshold, sigma
        self._m, self._v = torch.zeros_like(weights.tensor), torch.zeros_like(weights.tensor)

    def step(self, gradient: Tensor, rate: float) -> None:
        """See the class."""
        self._m.lerp_(gradient, rate)
        self._v.mul_(1 - self._sigma).addcmul_(gradient, gradient, value=self._sigma)
        self._signs.flip(self._m / self._v.sqrt().add_(self._EPSILON), self._threshold)

    def moments(self) -> tuple[Tensor, ...]:
        """See `Rule`."""
        return self._m, self._v
