"""A layer's binary weights, and what learns them: latent weights with Adam, or bits with Bop."""

from collections.abc import Mapping
from typing import Protocol

import binary_kernels as kernels
import numpy as np
from numpy.typing import NDArray

from pipeline.engines.packed.draws import Draws, Purpose
from pipeline.engines.packed.encoding import padded
from pipeline.engines.packed.workspace import own_memory

BETA1 = 0.9
BETA2 = 0.999
EPSILON = 1e-8

Gradient = NDArray[np.int32] | NDArray[np.float32]


class Rate:
    """The factors of an Adam step, which all of a network's parameters share."""

    def __init__(self) -> None:
        self._power1 = self._power2 = 1.0
        self.step_size = self.correction = 0.0

    def advance(self, learning_rate: float) -> None:
        """Begin the next step."""
        # Products and roots only: a power may differ in its last bit between platforms.
        self._power1 *= BETA1
        self._power2 *= BETA2
        self.step_size = learning_rate / (1 - self._power1)
        self.correction = 1 / float(np.sqrt(1 - self._power2))

    @property
    def powers(self) -> tuple[float, float]:
        """BETA1 and BETA2 to the number of steps begun: all that a step leaves to the next."""
        return self._power1, self._power2

    @powers.setter
    def powers(self, powers: tuple[float, float]) -> None:
        self._power1, self._power2 = powers


def adam(
    weights: NDArray[np.generic],
    moments: tuple[NDArray[np.generic], NDArray[np.generic]],
    gradient: Gradient,
    factor: NDArray[np.float32] | None,
    rate: Rate,
    *,
    limit: float,
    draw: tuple[int, int, int] = (0, 0, 0),
    first_row: int = 0,
    threads: int,
) -> None:
    """Take an Adam step in place. See `binary_kernels.adam`."""
    kernels.adam(
        weights,
        *moments,
        gradient,
        factor,
        beta1=BETA1,
        beta2=BETA2,
        epsilon=EPSILON,
        step_size=rate.step_size,
        correction=rate.correction,
        limit=limit,
        draw=draw,
        first_row=first_row,
        threads=threads,
    )


class BinaryWeights(Protocol):
    """Wb, (N, K), and how it learns."""

    def pack(self, noise: float) -> NDArray[np.uint8]:
        """Return this step's bits, (N, ceil(K / 8)): of latent weights plus `noise`."""

    def update(
        self, first: int, gradient: Gradient, factor: NDArray[np.float32] | None, rate: Rate
    ) -> None:
        """Learn from the gradient, (rows, K padded), of the rows from `first` on."""

    def arrays(self) -> Mapping[str, NDArray[np.generic]]:
        """Return what is learnt and the optimizer's state, by name: no copies, (N, ...) each."""

    def weight_bytes(self) -> int:
        """Return the bytes of what is learnt."""

    def state_bytes(self) -> int:
        """Return the bytes of the optimizer's state."""


class LatentWeights:
    """Latent weights in [-1, 1], (N, K padded), with Adam (arXiv 1412.6980).

    With state_bits 16 a weight is an int16 in units of 2^-15 and the moments are bfloat16; with
    8 the weights are the same and the moments are floats of 8 bits.
    """

    def __init__(
        self,
        outputs: int,
        inputs: int,
        *,
        latent_range: float,
        state_bits: int,
        draws: Draws,
        threads: int,
    ) -> None:
        self._columns, self._draws, self._threads = inputs, draws, threads
        generator = np.random.Generator(np.random.Philox(key=[draws.seed, draws.layer]))
        shape = (outputs, padded(inputs))
        narrow = state_bits < 32
        self._latent = own_memory(shape, np.int16 if narrow else np.float32)
        for row in self._latent:
            uniform = generator.random(inputs, np.float32) * 2 - 1
            row[:inputs] = uniform * (latent_range * (2**15 - 1 if narrow else 1))
        moments: dict[int, type[np.generic]] = {8: np.uint8, 16: np.uint16, 32: np.float32}
        moment = moments[state_bits]
        self._m, self._v = own_memory(shape, moment), own_memory(shape, moment)

    def pack(self, noise: float) -> NDArray[np.uint8]:
        """See `BinaryWeights`."""
        bits: NDArray[np.uint8] = kernels.pack_latent(
            self._latent,
            self._columns,
            noise=noise,
            draw=self._draws.of(Purpose.WEIGHTS),
            threads=self._threads,
        )
        return bits

    def update(
        self, first: int, gradient: Gradient, factor: NDArray[np.float32] | None, rate: Rate
    ) -> None:
        """See `BinaryWeights`."""
        rows = slice(first, first + len(gradient))
        adam(
            self._latent[rows],
            (self._m[rows], self._v[rows]),
            gradient,
            factor,
            rate,
            limit=1.0,
            draw=self._draws.of(Purpose.UPDATE),
            first_row=first,
            threads=self._threads,
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


class FlippedWeights:
    """Weights that are bits and nothing else, with Bop (Helwegen et al. 2019, arXiv 1906.02107)."""

    def __init__(
        self,
        outputs: int,
        inputs: int,
        *,
        adaptivity: float,
        threshold: float,
        draws: Draws,
        threads: int,
    ) -> None:
        self._columns, self._threads = inputs, threads
        self._adaptivity, self._threshold = adaptivity, threshold
        generator = np.random.Generator(np.random.Philox(key=[draws.seed, draws.layer]))
        bits = generator.integers(0, 2, (outputs, inputs), np.uint8)
        self._bits = np.packbits(bits, axis=1, bitorder="little")
        self._m = own_memory((outputs, padded(inputs)), np.float32)

    def pack(self, noise: float) -> NDArray[np.uint8]:
        """Return a copy of the bits: the step's own, which `update` does not change."""
        return self._bits.copy()

    def update(
        self, first: int, gradient: Gradient, factor: NDArray[np.float32] | None, rate: Rate
    ) -> None:
        """See `BinaryWeights`."""
        rows = slice(first, first + len(gradient))
        kernels.bop(
            self._bits[rows],
            self._m[rows],
            gradient,
            factor,
            self._columns,
            adaptivity=self._adaptivity,
            threshold=self._threshold,
            threads=self._threads,
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
