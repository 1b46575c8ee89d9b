"""A layer's binary weights, and how they learn: latent weights with Adam, or bits with Bop."""

from collections.abc import Mapping
from typing import Protocol

import binary_kernels as kernels
import numpy as np
from numpy.typing import NDArray

from pipeline.config.params import PackedMethod
from pipeline.engines.packed.adam import BETA2, Gradient, adam
from pipeline.engines.packed.encoding import padded
from pipeline.engines.packed.random_stream import Purpose
from pipeline.engines.packed.step import StepContext
from pipeline.engines.packed.workspace import own_memory


# Latent weights of one byte lie in [-MAX_BYTE, MAX_BYTE].
MAX_BYTE = 127


class BinaryWeights(Protocol):
    """Wb, (N, K), and how it learns."""

    def signs(self) -> NDArray[np.uint8]:
        """Return the bits that predict, (N, ceil(K / 8))."""

    def binarize(self, context: StepContext) -> NDArray[np.uint8]:
        """Return this step's bits, (N, ceil(K / 8)): those of latent weights with noise.

        They are a copy: `update` does not change them.
        """

    def update(
        self,
        first: int,
        gradient: Gradient,
        factors: NDArray[np.float32] | None,
        context: StepContext,
    ) -> None:
        """Learn from the gradient, (rows, K padded), of the rows from `first` on.

        Args:
            first: the number of the first row.
            gradient: of these rows, without the factors.
            factors: (rows) of the gradient, or None.
            context: of the step.
        """

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
    kinds = {"rowprop": RowPropWeights, "adam": LatentWeights, "bop": BopWeights}
    return kinds[method.optimizer](method, layer, inputs, outputs, generator)


class RowPropWeights:
    """Latent weights of one byte, (N, K padded) in units of 1/127, with RowProp: no other state.

    RowProp is RMSProp with one mean square per output row: see `binary_kernels.rowprop`.
    """

    def __init__(
        self,
        method: PackedMethod,
        layer: int,
        inputs: int,
        outputs: int,
        generator: np.random.Generator,
    ) -> None:
        # Params has checked that it is there: see `PackedMethod`.
        assert method.latent_range is not None
        self._layer, self._columns = layer, inputs
        self._latent = own_memory((outputs, padded(inputs)), np.int8)
        for row in self._latent:
            uniform = generator.random(inputs, np.float32) * 2 - 1
            row[:inputs] = np.rint(uniform * (method.latent_range * MAX_BYTE))
        self._mean_square = np.zeros(outputs, np.float32)

    def signs(self) -> NDArray[np.uint8]:
        """See `BinaryWeights`."""
        bits: NDArray[np.uint8] = kernels.pack_latent(self._latent, self._columns)
        return bits

    def binarize(self, context: StepContext) -> NDArray[np.uint8]:
        """See `BinaryWeights`."""
        bits: NDArray[np.uint8] = kernels.pack_latent(
            self._latent,
            self._columns,
            noise=context.weight_noise,
            draw=context.random.key(self._layer, Purpose.WEIGHTS),
            threads=context.threads,
        )
        return bits

    def update(
        self,
        first: int,
        gradient: Gradient,
        factors: NDArray[np.float32] | None,
        context: StepContext,
    ) -> None:
        """See `BinaryWeights`."""
        rows = slice(first, first + len(gradient))
        kernels.rowprop(
            self._latent[rows],
            self._mean_square[rows],
            gradient,
            factors,
            self._columns,
            rate=context.rate.learning_rate,
            correction=context.rate.correction_before,
            beta=BETA2,
            draw=context.random.key(self._layer, Purpose.UPDATE),
            first_row=first,
            threads=context.threads,
        )

    def arrays(self) -> Mapping[str, NDArray[np.generic]]:
        """See `BinaryWeights`."""
        return {"latent": self._latent, "v": self._mean_square}

    def weight_bytes(self) -> int:
        """See `BinaryWeights`."""
        return self._latent.nbytes

    def state_bytes(self) -> int:
        """See `BinaryWeights`."""
        return self._mean_square.nbytes


class LatentWeights:
    """Latent weights in [-1, 1], (N, K padded), whose signs are Wb, with Adam.

    With state_bits 16 a weight is an int16 in units of 2^-15 and the moments are bfloat16; with
    8 the weights are the same and the moments are floats of 8 bits.
    """

    def __init__(
        self,
        method: PackedMethod,
        layer: int,
        inputs: int,
        outputs: int,
        generator: np.random.Generator,
    ) -> None:
        # Params has checked that both are there: see `PackedMethod`.
        assert method.latent_range is not None
        assert method.state_bits is not None
        self._layer, self._columns = layer, inputs
        shape = (outputs, padded(inputs))
        narrow = method.state_bits < 32
        self._latent = own_memory(shape, np.int16 if narrow else np.float32)
        for row in self._latent:
            uniform = generator.random(inputs, np.float32) * 2 - 1
            row[:inputs] = uniform * (method.latent_range * (2**15 - 1 if narrow else 1))
        moments: dict[int, type[np.generic]] = {8: np.uint8, 16: np.uint16, 32: np.float32}
        moment = moments[method.state_bits]
        self._m, self._v = own_memory(shape, moment), own_memory(shape, moment)

    def signs(self) -> NDArray[np.uint8]:
        """See `BinaryWeights`."""
        bits: NDArray[np.uint8] = kernels.pack_latent(self._latent, self._columns)
        return bits

    def binarize(self, context: StepContext) -> NDArray[np.uint8]:
        """See `BinaryWeights`."""
        bits: NDArray[np.uint8] = kernels.pack_latent(
            self._latent,
            self._columns,
            noise=context.weight_noise,
            draw=context.random.key(self._layer, Purpose.WEIGHTS),
            threads=context.threads,
        )
        return bits

    def update(
        self,
        first: int,
        gradient: Gradient,
        factors: NDArray[np.float32] | None,
        context: StepContext,
    ) -> None:
        """See `BinaryWeights`."""
        rows = slice(first, first + len(gradient))
        adam(
            self._latent[rows],
            (self._m[rows], self._v[rows]),
            gradient,
            factors,
            context.rate,
            limit=1.0,
            key=context.random.key(self._layer, Purpose.UPDATE),
            first_row=first,
            threads=context.threads,
        )

    def arrays(self) -> Mapping[str, NDArray[np.generic]]:
        """See `BinaryWeights`."""
        return {"latent": self._latent, "m": self._m, "v": self._v}

    def weight_bytes(self) -> int:
        """See `BinaryWeights`."""
        return self._latent.nbytes

    def state_bytes(self) -> int:
        """See `BinaryWeights`."""
        return self._m.nbytes + self._v.nbytes


class BopWeights:
    """Weights that are bits and nothing else, with Bop (Helwegen et al. 2019, arXiv 1906.02107)."""

    def __init__(
        self,
        method: PackedMethod,
        layer: int,
        inputs: int,
        outputs: int,
        generator: np.random.Generator,
    ) -> None:
        # Params has checked that both are there: see `PackedMethod`.
        assert method.bop_adaptivity is not None
        assert method.bop_threshold is not None
        self._columns = inputs
        self._adaptivity, self._threshold = method.bop_adaptivity, method.bop_threshold
        bits = generator.integers(0, 2, (outputs, inputs), np.uint8)
        self._bits = np.packbits(bits, axis=1, bitorder="little")
        self._m = own_memory((outputs, padded(inputs)), np.float32)

    def signs(self) -> NDArray[np.uint8]:
        """See `BinaryWeights`."""
        return self._bits.copy()

    def binarize(self, context: StepContext) -> NDArray[np.uint8]:
        """See `BinaryWeights`."""
        return self._bits.copy()

    def update(
        self,
        first: int,
        gradient: Gradient,
        factors: NDArray[np.float32] | None,
        context: StepContext,
    ) -> None:
        """See `BinaryWeights`."""
        rows = slice(first, first + len(gradient))
        kernels.bop(
            self._bits[rows],
            self._m[rows],
            gradient,
            factors,
            self._columns,
            adaptivity=self._adaptivity,
            threshold=self._threshold,
            threads=context.threads,
        )

    def arrays(self) -> Mapping[str, NDArray[np.generic]]:
        """See `BinaryWeights`."""
        return {"bits": self._bits, "m": self._m}

    def weight_bytes(self) -> int:
        """See `BinaryWeights`."""
        return self._bits.nbytes

    def state_bytes(self) -> int:
        """See `BinaryWeights`."""
        return self._m.nbytes
