"""Ways to train a binary network, as their papers have them, tried beside training as it is.

They act on the simulated network whose weights RowProp moves: see `optimizer_trials`. What paid
would become a key of params.yaml; what did not is a row of the trials, and stays here.
"""

from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.config.architecture import Architecture
from pipeline.config.params import TorchMethod
from pipeline.data.dataset import Part
from pipeline.engines.torch.binarize import sign
from pipeline.engines.torch.network import BinaryActivation, BinaryLinear, build_network
from pipeline.training.train import epoch_batches, schedule_factor

Index = NDArray[np.int64]


class Technique:
    """Training as it is. A subclass changes one part of it.

    Args:
        method: the recipe.
        architecture: of the network.
        images: the training images.
        batch_size: of a step, at first.
        epochs: of the whole training.
        seed: of the order of the images, and of what a technique draws.
    """

    def __init__(
        self,
        method: TorchMethod,
        architecture: Architecture,
        images: Part,
        batch_size: int,
        epochs: int,
        seed: int,
    ) -> None:
        self._method, self._architecture, self._images = method, architecture, images
        self._batch_size, self._epochs, self._seed = batch_size, epochs, seed

    def build(self, generator: torch.Generator) -> nn.Sequential:
        """Return the network, freshly initialized."""
        return build_network(self._method, self._architecture, generator)

    def batches(self, epoch: int) -> list[Index]:
        """Return the images of every step of an epoch, from 0."""
        order = epoch_batches(len(self._images), self._batch_size, self._seed, epoch)
        return list(order.astype(np.int64))

    def factor(self, done: float) -> float:
        """Return the factor on all rates after the share `done` of training."""
        return schedule_factor(self._method.schedule, done)

    def begin(self, network: nn.Sequential, done: float) -> bool:
        """Prepare a step after the share `done` of training; return whether optimizers restart."""
        return False

    def pixels(self, images: NDArray[np.uint8], *, training: bool) -> Tensor:
        """Return (batch, pixels) float32: the top bits of each pixel, as an integer."""
        return (torch.from_numpy(images) >> (8 - self._method.pixel_bits)).float()

    def loss(self, losses: Tensor, batch: Index) -> Tensor:
        """Return the loss of a step, from those of its images, (batch)."""
        return losses.mean()


class Flips(Technique):
    """Every image is mirrored left to right, or not, by chance: in training only."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._draws = np.random.Generator(np.random.Philox(key=self._seed))

    def pixels(self, images: NDArray[np.uint8], *, training: bool) -> Tensor:
        """See `Technique`."""
        if not training:
            return super().pixels(images, training=training)
        shaped = images.reshape(len(images), *self._architecture.image_shape).copy()
        chosen = self._draws.random(len(images)) < 0.5
        shaped[chosen] = shaped[chosen, :, ::-1]
        return super().pixels(shaped.reshape(images.shape), training=training)


class OneCycle(Technique):
    """The rate rises along a line for three tenths of training, then falls along a cosine.

    Source: Smith & Topin 2017, arXiv 1708.07120.
    """

    _RISING = 0.3

    def factor(self, done: float) -> float:
        """See `Technique`."""
        if done < self._RISING:
            return 0.04 + 0.96 * done / self._RISING
        return schedule_factor("cosine", (done - self._RISING) / (1 - self._RISING))


class GrowingBatch(Technique):
    """Batches are twice as large after a third of the epochs, and four times after two thirds.

    Source: Smith et al. 2017, arXiv 1711.00489.
    """

    def batches(self, epoch: int) -> list[Index]:
        """See `Technique`."""
        size = self._batch_size << (3 * epoch // self._epochs)
        return list(epoch_batches(len(self._images), size, self._seed, epoch).astype(np.int64))


class ImportanceSampling(Technique):
    """After the first epoch, images are drawn half evenly and half by their last loss.

    A loss counts by the inverse of how likely its image was, so that gradients are right on
    average.

    Source: Katharopoulos & Fleuret 2018, arXiv 1803.00942, with losses in place of bounds on the
    gradient.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._losses = np.ones(len(self._images))
        self._weights = np.ones(len(self._images))

    def batches(self, epoch: int) -> list[Index]:
        """See `Technique`."""
        if epoch == 0:
            return super().batches(epoch)
        count = len(self._images)
        likely = 0.5 / count + 0.5 * self._losses / self._losses.sum()
        self._weights = 1 / (count * likely)
        generator = np.random.Generator(np.random.Philox(key=[self._seed, epoch]))
        steps = count // self._batch_size
        drawn = generator.choice(count, (steps, self._batch_size), p=likely / likely.sum())
        return list(drawn)

    def loss(self, losses: Tensor, batch: Index) -> Tensor:
        """See `Technique`."""
        self._losses[batch] = losses.detach().numpy()
        weights = torch.from_numpy(self._weights[batch]).float()
        return (losses * weights).mean()


class Reste(Technique):
    """The estimator of activations narrows: from the identity to a steeper root.

    The gradient of the sign is that of sgn(x) |x|^(1/o), for |x| up to 1.5; o rises from 1 to 3.
    Below 0.1 it is the slope of the line to that point.

    Source: Wu et al. 2023, arXiv 2308.06689, equations 8 to 10.
    """

    _LAST_POWER = 3.0

    def build(self, generator: torch.Generator) -> nn.Sequential:
        """See `Technique`."""
        network = super().build(generator)
        layers = (_RootActivation() if isinstance(x, BinaryActivation) else x for x in network)
        return nn.Sequential(*layers)

    def begin(self, network: nn.Sequential, done: float) -> bool:
        """See `Technique`."""
        for layer in network:
            if isinstance(layer, _RootActivation):
                layer.power = 1 + (self._LAST_POWER - 1) * done
        return False


class TwoStages(Technique):
    """Weights are real for the first half of training, and binary from there on.

    Source: Liu et al. 2021, arXiv 2106.11309, section 3.3: activations are binary throughout.
    """

    def build(self, generator: torch.Generator) -> nn.Sequential:
        """See `Technique`."""
        network = super().build(generator)
        return nn.Sequential(*(_Staged(x) if isinstance(x, BinaryLinear) else x for x in network))

    def begin(self, network: nn.Sequential, done: float) -> bool:
        """See `Technique`."""
        staged = [layer for layer in network if isinstance(layer, _Staged)]
        changes = done >= 0.5 and staged[0].real
        for layer in staged:
            layer.real = done < 0.5
        return changes


class Shortcuts(Technique):
    """A layer's normalized sums are added to those of the next layer, if it is as wide.

    Source: Liu et al. 2018, Bi-Real Net, arXiv 1808.00278.
    """

    def build(self, generator: torch.Generator) -> nn.Sequential:
        """See `Technique`."""
        return _WithShortcuts(*super().build(generator))


class QuantileLevels(Technique):
    """A pixel's level is its quantile among all pixels that are not black, in as many levels."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        levels = 1 << self._method.pixel_bits
        counts = np.bincount(self._images.images.reshape(-1), minlength=256)[1:]
        share = (np.cumsum(counts) - counts / 2) / max(1, counts.sum())
        self._level = torch.zeros(256)
        self._level[1:] = torch.from_numpy(1 + np.floor(share * (levels - 1))).float()

    def pixels(self, images: NDArray[np.uint8], *, training: bool) -> Tensor:
        """See `Technique`."""
        return self._level[torch.from_numpy(images).int()]


class GrowingWidth(Technique):
    """Half of the features of every hidden layer are there for the first third of training.

    In the manner of slimmable networks, Yu et al. 2018, arXiv 1812.08928.
    """

    def build(self, generator: torch.Generator) -> nn.Sequential:
        """See `Technique`."""
        layers: list[nn.Module] = []
        for layer in super().build(generator):
            layers.append(layer)
            if isinstance(layer, BinaryActivation):
                layers.append(_Narrow())
        return nn.Sequential(*layers)

    def begin(self, network: nn.Sequential, done: float) -> bool:
        """See `Technique`."""
        narrow = [layer for layer in network if isinstance(layer, _Narrow)]
        changes = 3 * done >= 1 and narrow[0].active
        for layer in narrow:
            layer.active = 3 * done < 1
        return changes


TECHNIQUES: dict[str, type[Technique]] = {
    "flips": Flips,
    "one_cycle": OneCycle,
    "growing_batch": GrowingBatch,
    "growing_width": GrowingWidth,
    "importance_sampling": ImportanceSampling,
    "reste": Reste,
    "two_stages": TwoStages,
    "shortcuts": Shortcuts,
    "quantile_levels": QuantileLevels,
}


class _RootActivation(nn.Module):
    """The sign, with the gradient that `Reste` describes."""

    power = 1.0

    def forward(self, x: Tensor) -> Tensor:
        """Map float32 of any shape to +1 and -1 in float32."""
        return cast(Tensor, _Root.apply(x, self.power))


class _Root(torch.autograd.Function):
    _NARROWEST, _WIDEST = 0.1, 1.5

    @staticmethod
    def forward(ctx: Any, x: Tensor, power: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.power = power
        return sign(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        size, power, least = x.abs(), ctx.power, _Root._NARROWEST
        slope = size.clamp(min=least).pow(1 / power - 1) / power
        slope = torch.where(size < least, least ** (1 / power - 1), slope)
        return gradients[0] * slope * (size <= _Root._WIDEST), None


class _Staged(nn.Module):
    """A binary layer whose weights are real at first. Batch normalization undoes their scale."""

    def __init__(self, layer: BinaryLinear) -> None:
        super().__init__()
        self.layer, self.real = layer, True

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, in_features) to (batch, out_features), both float32."""
        if self.real:
            return nn.functional.linear(x, self.layer.weight)
        return cast(Tensor, self.layer(x))


class _WithShortcuts(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, pixels) to logits, (batch, classes)."""
        carried: Tensor | None = None
        for layer in self:
            x = layer(x)
            if isinstance(layer, nn.BatchNorm1d):
                if carried is not None and carried.shape == x.shape:
                    x = x + carried
                carried = x
        return x


class _Narrow(nn.Module):
    """Leaves out the second half of the features while it is active."""

    active = True

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, features) to the same, with zeros."""
        if not self.active:
            return x
        return torch.cat([x[:, : x.shape[1] // 2], torch.zeros_like(x[:, x.shape[1] // 2 :])], 1)
