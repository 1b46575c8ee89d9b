"""What a network's name says of its layers."""

import math
import re
from dataclasses import dataclass
from typing import Self

from pipeline.common.errors import PipelineError, printable

_NAME = re.compile(r"mlp((?:-[1-9][0-9]{0,4})+)", re.ASCII)


@dataclass(frozen=True)
class Architecture:
    """The layers of a network, from the image to the classes.

    Attributes:
        name: what params.yaml calls it, such as mlp-1024-1024.
        hidden: the number of features of each hidden layer.
        image_shape: of an input image: (height, width), or (height, width, channels).
        classes: how many there are; the last layer has a feature for each.
    """

    name: str
    hidden: tuple[int, ...]
    image_shape: tuple[int, ...]
    classes: int

    @classmethod
    def parse(cls, name: str, image_shape: tuple[int, ...], classes: int) -> Self:
        """Return the architecture that `name` describes, for these images and classes.

        Raises:
            PipelineError: `name` describes no architecture.
        """
        try:
            return cls(name, parse_hidden(name), image_shape, classes)
        except ValueError as error:
            raise PipelineError(str(error)) from error

    @property
    def widths(self) -> tuple[int, ...]:
        """The features of every layer: the pixels first and the classes last."""
        return math.prod(self.image_shape), *self.hidden, self.classes


def parse_hidden(name: str) -> tuple[int, ...]:
    """Return the widths of the hidden layers that `name` lists: mlp-128-64 gives (128, 64).

    Raises:
        ValueError: it lists none.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(
            f"{printable(name)} is not an architecture: write mlp and the widths of the hidden "
            "layers, 1 to 99999 each, as in mlp-1024-1024"
        )
    return tuple(int(width) for width in match[1].split("-")[1:])
