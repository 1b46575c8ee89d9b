"""A layer's binary weights, and how they learn: latent weights with RowProp or Adam, bits with Bop.

The classes hold the arrays; `binary_kernels` updates them through the learner of each.
"""

import math
import mmap
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import binary_kernels as kernels
import numpy as np
from numpy.typing import NDArray

from pipeline.config.params import PackedMethod
from pipeline.engines.packed.encoding import padded
from pipeline.engines.packed.rate import BETA1, BETA2, EPSILON


class BinaryWeights(Protocol):
    """Wb, (N, K), and how it learns."""

    def learner(self) -> kernels.Learner:
        """Return what updates the arrays in a training step."""

    def signs(self) -> NDArray[np.uint8]:
        """Return the bits that predict, (N, ceil(K / 8))."""

    def arrays(self) -> Mapping[str, NDArray[np.generic]]:
        """Return what is learnt and the optimizer's state, by name: no copies, (N, ...) each."""

    def weight_bytes(self) -> int:
        """Return the bytes of what is learnt."""

    def state_bytes(self) -> int:
        """Return the bytes of the optimizer's state."""


def create_weights(
    method: PackedMethod, layer: int, inputs: int, outputs: int, seed: int
) -> BinaryWeights:
    """Draw the initial weights of a layer, for the method's optimizer.

    Args:
        method: how they learn.
        layer: the layer's number in the network.
        inputs: K.
        outputs: N.
        seed: of the training.
    """
    generator = np.random.Generator(np.random.Philox(key=[seed, layer]))
    kinds: dict[str, Callable[..., BinaryWeights]]
    kinds = {"rowprop": RowPropWeights, "adam": AdamWeights, "bop": BopWeights}
    return kinds[method.optimizer](method, inputs, outputs, generator)


class LatentWeights:
    """Latent weights, (N, K padded), whose signs are Wb; padding is 0."""

    def __init__(
        self,
        method: PackedMethod,
        inputs: int,
        outputs: int,
        generator: np.random.Generator,
        number: type[np.generic],
        units: int,
    ) -> None:
        """Draw the initial ones, in this type and so many units: whole ones, where not 1."""
        # Params has checked that it is there: see `PackedMethod`.
        assert method.latent_range is not None
        self._columns = inputs
        latent = own_memory((outputs, padded(inputs)), number)
        # Row by row, because all numbers in float32 would take more memory than the training.
        for row in latent:
            uniform = generator.random(inputs, np.float32) * 2 - 1
            initial = uniform * (method.latent_range * units)
            row[:inputs] = initial if units == 1 else np.rint(initial)
        self._latent = latent

    def signs(self) -> NDArray[np.uint8]:
        """See `BinaryWeights`."""
        bits: NDArray[np.uint8] = kernels.pack_latent(self._latent, self._columns)
        return bits

    def weight_bytes(self) -> int:
        """See `BinaryWeights`."""
        return self._latent.nbytes


class RowPropWeights(LatentWeights):
    """Latent weights of one or two bytes, and nothing else per weight.

    They are integers, in units of 1/127 or 1/32767. RowProp is RMSProp with one mean square per
    row of weights: see docs/engine.md.
    """

    def __init__(
        self, method: PackedMethod, inputs: int, outputs: int, generator: np.random.Generator
    ) -> None:
        number = np.int8 if method.latent_bits == 8 else np.int16
        units = np.iinfo(number).max
        super().__init__(method, inputs, outputs, generator, number, units)
        self._mean_square = np.zeros(outputs, np.float32)

    def learner(self) -> kernels.Learner:
        """See `BinaryWeights`."""
        return kernels.rowprop_learner(self._latent, self._mean_square, self._columns, beta=BETA2)

    def arrays(self) -> Mapping[str, NDArray[np.generic]]:
        """See `BinaryWeights`."""
        return {"latent": self._latent, "v": self._mean_square}

    def state_bytes(self) -> int:
        """See `BinaryWeights`."""
        return self._mean_square.nbytes


class AdamWeights(LatentWeights):
    """Latent weights in [-1, 1] and Adam's two moments, all float32."""

    def __init__(
        self, method: PackedMethod, inputs: int, outputs: int, generator: np.random.Generator
    ) -> None:
        super().__init__(method, inputs, outputs, generator, np.float32, 1)
        shape = self._latent.shape
        self._m, self._v = own_memory(shape, np.float32), own_memory(shape, np.float32)

    def learner(self) -> kernels.Learner:
        """See `BinaryWeights`."""
        return kernels.adam_learner(
            self._latent,
            self._m,
            self._v,
            self._columns,
            beta1=BETA1,
            beta2=BETA2,
            epsilon=EPSILON,
        )

    def arrays(self) -> Mapping[str, NDArray[np.generic]]:
        """See `BinaryWeights`."""
        return {"latent": self._latent, "m": self._m, "v": self._v}

    def state_bytes(self) -> int:
        """See `BinaryWeights`."""
        return self._m.nbytes + self._v.nbytes


class BopWeights:
    """Weights that are bits and nothing else, with Bop (Helwegen et al. 2019, arXiv 1906.02107)."""

    def __init__(
        self, method: PackedMethod, inputs: int, outputs: int, generator: np.random.Generator
    ) -> None:
        # Params has checked that both are there: see `PackedMethod`.
        assert method.bop_adaptivity is not None
        assert method.bop_threshold is not None
        self._columns = inputs
        # It falls as the learning rate does, as in the paper's own experiments.
        self._adaptivity_per_rate = method.bop_adaptivity / method.learning_rate
        self._threshold = method.bop_threshold
        bits = generator.integers(0, 2, (outputs, inputs), np.uint8)
        self._bits = np.packbits(bits, axis=1, bitorder="little")
        self._m = own_memory((outputs, padded(inputs)), np.float32)

    def learner(self) -> kernels.Learner:
        """See `BinaryWeights`."""
        return kernels.bop_learner(
            self._bits,
            self._m,
            self._columns,
            adaptivity_per_rate=self._adaptivity_per_rate,
            threshold=self._threshold,
        )

    def signs(self) -> NDArray[np.uint8]:
        """See `BinaryWeights`."""
        return self._bits.copy()

    def arrays(self) -> Mapping[str, NDArray[np.generic]]:
        """See `BinaryWeights`."""
        return {"bits": self._bits, "m": self._m}

    def weight_bytes(self) -> int:
        """See `BinaryWeights`."""
        return self._bits.nbytes

    def state_bytes(self) -> int:
        """See `BinaryWeights`."""
        return self._m.nbytes


def own_memory(shape: tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any]:
    """Return an array of zeros in pages of its own.

    The system gets the pages back when the array is freed. In the C library's heap, freed arrays
    leave holes that larger ones do not fit.

    Raises:
        MemoryError: the system has not enough.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    try:
        pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(f"{size} bytes for an array of shape {shape}: {error.strerror}") from None
    return np.frombuffer(pages, dtype).reshape(shape)
