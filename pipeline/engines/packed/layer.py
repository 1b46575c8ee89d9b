"""A layer of a network in training: what it learns."""

from dataclasses import dataclass

from pipeline.engines.packed.normalization import Normalization
from pipeline.engines.packed.weights import BinaryWeights


@dataclass(frozen=True)
class BinaryLayer:
    """s = x Wb^T, a = BatchNorm(s), bits = Binarize(a); the last layer binarizes nothing.

    Attributes:
        inputs: K, the features of x.
        outputs: N, the features of s.
        weights: Wb, and how it learns.
        normalization: gain, bias and running statistics of each feature.
    """

    inputs: int
    outputs: int
    weights: BinaryWeights
    normalization: Normalization
