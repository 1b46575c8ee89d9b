"""What a network's name says of its layers."""

import math
import re
from dataclasses import dataclass
from typing import Self

from pipeline.common.errors import PipelineError, printable

_NAME = re.compile(r"mlp((?:-[1-9][0-9]{0,4})+)", re.ASCII)
_CONVOLUTION = re.compile(r"([1-9][0-9]{0,4})(s?)", re.ASCII)
_CONNECTED = re.compile(r"f([1-9][0-9]{0,4})", re.ASCII)
_POOL = "m"
# A packed network holds so many channels in a byte.
_CHANNELS_OF_BYTE = 8


@dataclass(frozen=True)
class Convolution:
    """A convolution of 3x3 with padding 1.

    Attributes:
        channels: of the map that it makes.
        stride: 1 or 2.
        pool: whether 2x2 max-pooling follows, which drops an odd row or column.
    """

    channels: int
    stride: int
    pool: bool

    def out_side(self, side: int) -> int:
        """Return the height or width of its map, from that of the map that it reads."""
        sums = -(-side // self.stride)
        return sums // 2 if self.pool else sums


@dataclass(frozen=True)
class Architecture:
    """The layers of a network, from the image to the classes.

    Attributes:
        name: what params.yaml calls it, such as mlp-1024-1024 or vgg-32-32-m-64-64-m-f256.
        hidden: the number of features of each fully connected hidden layer.
        image_shape: of an input image: (height, width), or (height, width, channels).
        classes: how many there are; the last layer has a feature for each.
        convolutions: before the fully connected layers; none in an mlp.
    """

    name: str
    hidden: tuple[int, ...]
    image_shape: tuple[int, ...]
    classes: int
    convolutions: tuple[Convolution, ...] = ()

    @classmethod
    def parse(cls, name: str, image_shape: tuple[int, ...], classes: int) -> Self:
        """Return the architecture that `name` describes, for these images and classes.

        Raises:
            PipelineError: `name` describes no architecture, or one that pools such images away.
        """
        try:
            convolutions, hidden = parse_name(name)
        except ValueError as error:
            raise PipelineError(str(error)) from error
        architecture = cls(name, hidden, image_shape, classes, convolutions)
        for index, (height, width, _) in enumerate(architecture.feature_maps):
            if height * width == 0:
                before = architecture.feature_maps[index - 1]
                raise PipelineError(
                    f"{name} pools the image away: {image_shape[0]} x {image_shape[1]} pixels are "
                    f"{before[0]} x {before[1]} before convolution {index}, which pools"
                )
        return architecture

    @property
    def feature_maps(self) -> tuple[tuple[int, int, int], ...]:
        """Height, width and channels of the image, and of every convolution's map."""
        height, width, *channels = self.image_shape
        maps = [(height, width, math.prod(channels))]
        for each in self.convolutions:
            height, width, _ = maps[-1]
            maps.append((each.out_side(height), each.out_side(width), each.channels))
        return tuple(maps)

    @property
    def widths(self) -> tuple[int, ...]:
        """The features of the fully connected layers: what enters them first, the classes last."""
        return math.prod(self.feature_maps[-1]), *self.hidden, self.classes


def parse_name(name: str) -> tuple[tuple[Convolution, ...], tuple[int, ...]]:
    """Return the convolutions and the widths of the hidden layers that `name` lists.

    In vgg-32-64s-m-f256, 32 and 64 are convolutions of so many channels, the second one of stride
    2; m is max-pooling, and f256 a fully connected layer of 256. In mlp-128-64, all layers are
    fully connected.

    Raises:
        ValueError: it lists none, or what is no layer.
    """
    kind, *layers = name.split("-")
    if kind != "vgg":
        return (), parse_hidden(name)
    convolutions: list[Convolution] = []
    hidden: list[int] = []

    def refuse(layer: str, reason: str) -> ValueError:
        return ValueError(f"{printable(name)}: {printable(repr(layer))} {reason}")

    for layer in layers:
        if match := _CONNECTED.fullmatch(layer):
            hidden.append(int(match[1]))
        elif layer != _POOL and not _CONVOLUTION.fullmatch(layer):
            raise refuse(
                layer,
                "is no layer: write channels (32, or 32s for stride 2), m for max-pooling, or f "
                "and a width (f256)",
            )
        elif hidden:
            raise refuse(layer, "follows a fully connected layer; convolutions come before those")
        elif layer == _POOL:
            if not convolutions or convolutions[-1].pool:
                raise refuse(layer, "pools no convolution: write its channels before it")
            last = convolutions[-1]
            convolutions[-1] = Convolution(last.channels, last.stride, pool=True)
        else:
            channels = int(layer.removesuffix("s"))
            if channels % _CHANNELS_OF_BYTE:
                raise refuse(layer, "has channels that fill no bytes: take a multiple of 8")
            convolutions.append(Convolution(channels, 2 if layer.endswith("s") else 1, pool=False))
    if not convolutions:
        raise ValueError(
            f"{printable(name)} has no convolution: write its channels after vgg, as in "
            "vgg-32-m-f256, or an mlp"
        )
    return tuple(convolutions), tuple(hidden)


def parse_hidden(name: str) -> tuple[int, ...]:
    """Return the widths of the hidden layers that `name` lists: mlp-128-64 gives (128, 64).

    Raises:
        ValueError: it lists none.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(
            f"{printable(name)} is not an architecture: write mlp and the widths of the hidden "
            "layers, 1 to 99999 each, as in mlp-1024-1024, or vgg and layers, as in "
            "vgg-32-m-64-m-f256"
        )
    return tuple(int(width) for width in match[1].split("-")[1:])
