"""A layer of a network in training: what it learns."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from pipeline.config.architecture import Architecture
from pipeline.engines.packed.normalization import Normalization
from pipeline.engines.packed.weights import BinaryWeights

# Positions that a sum of a convolution reads: 3x3.
TAPS = 9
# The most channels whose sums fit int16: of bits, and of pixels of 4 bits.
MAX_CHANNELS = (2**15 - 1) // TAPS
MAX_PIXEL_CHANNELS = (2**15 - 1) // 15 // TAPS


@dataclass(frozen=True)
class MapShape:
    """What a convolution reads, and how: the kernels take it as a tuple.

    Attributes:
        height, width, channels: of the map that it reads.
        stride: 1 or 2.
        pool: whether 2x2 max-pooling follows.
    """

    height: int
    width: int
    channels: int
    stride: int
    pool: bool

    @property
    def out_height(self) -> int:
        """Rows of the map that it makes."""
        return self._out(self.height)

    @property
    def out_width(self) -> int:
        """Columns of the map that it makes."""
        return self._out(self.width)

    def _out(self, side: int) -> int:
        sums = -(-side // self.stride)
        return sums // 2 if self.pool else sums

    def as_tuple(self) -> tuple[int, int, int, int, bool]:
        """Return it as `binary_kernels` takes it."""
        return self.height, self.width, self.channels, self.stride, self.pool


@dataclass(frozen=True)
class LayerSize:
    """A layer's sizes.

    Attributes:
        inputs: K, what a sum adds up.
        outputs: N.
        map: of a convolution; None where the layer is fully connected.
    """

    inputs: int
    outputs: int
    map: MapShape | None


def layer_sizes(architecture: Architecture) -> Iterator[LayerSize]:
    """Yield the sizes of every layer, from the pixels to the classes."""
    maps = architecture.feature_maps
    for (height, width, channels), convolution in zip(
        maps, architecture.convolutions, strict=False
    ):
        shape = MapShape(height, width, channels, convolution.stride, convolution.pool)
        yield LayerSize(TAPS * channels, convolution.channels, shape)
    for inputs, outputs in pairwise(architecture.widths):
        yield LayerSize(inputs, outputs, None)


@dataclass(frozen=True)
class BinaryLayer:
    """s = x Wb^T, a = BatchNorm(s), bits = Binarize(a); the last layer binarizes nothing.

    Of a convolution, x is a patch of 3x3 positions: its taps, and the channels within a tap. The
    largest of 2x2 sums is normalized where it pools.

    Attributes:
        size: K and N, and the map that a convolution reads.
        weights: Wb, and how it learns.
        normalization: gain, bias and running statistics of each feature.
    """

    size: LayerSize
    weights: BinaryWeights
    normalization: Normalization

    @property
    def inputs(self) -> int:
        """K, what a sum adds up."""
        return self.size.inputs

    @property
    def outputs(self) -> int:
        """N, the features of s."""
        return self.size.outputs
