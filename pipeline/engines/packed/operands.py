"""What a layer reads: pixels or bits, each with the products that training needs of it."""

from collections.abc import Callable
from typing import Protocol

import binary_kernels as kernels
import numpy as np
from numpy.typing import NDArray

# A sum of at most this many elements fits int16: of bits, or of pixels of 4 bits.
_MAX_NARROW_BITS = 2**15 - 1
_MAX_NARROW_PIXELS = (2**15 - 1) // 15


Memory = Callable[[tuple[int, ...]], NDArray[np.uint8]]


class Operand(Protocol):
    """A batch of inputs x, (batch, K)."""

    @property
    def sums_type(self) -> type[np.signedinteger]:
        """The smallest type that holds every sum over K."""

    def __len__(self) -> int:
        """Return the size of the batch."""

    def multiply(self, panels: NDArray[np.uint8], out: NDArray[np.signedinteger]) -> None:
        """Write s = x Wb^T.

        Args:
            panels: of Wb, as `binary_kernels.interleave` lays it out.
            out: (panels, batch, 32).
        """

    def gradient(
        self, g: NDArray[np.int8], max_gradient: int, out: NDArray[np.int32], memory: Memory
    ) -> None:
        """Write g x.

        Args:
            g: (N, batch padded), integers of at most `max_gradient`.
            max_gradient: their largest absolute value.
            out: (N, K padded).
            memory: gives uint8 memory of a shape, the same memory for all calls of a step.
        """

    def exact_gradient(self, g: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Write g x, (N, K padded); g is (N, batch) float32."""


class Pixels:
    """Images in 4 bits per pixel, read where the dataset lies."""

    def __init__(
        self,
        encoded: NDArray[np.uint8],
        pixels: int,
        index: NDArray[np.int64] | None,
        threads: int,
    ) -> None:
        self._encoded, self._pixels, self._index = encoded, pixels, index
        self._threads = threads

    @property
    def sums_type(self) -> type[np.signedinteger]:
        """The smallest type that holds every sum over the pixels."""
        return np.int16 if self._pixels <= _MAX_NARROW_PIXELS else np.int32

    def __len__(self) -> int:
        return len(self._encoded if self._index is None else self._index)

    def multiply(self, panels: NDArray[np.uint8], out: NDArray[np.signedinteger]) -> None:
        """See `Operand`."""
        kernels.pixels_by_bits(
            self._encoded, panels, self._pixels, out, self._index, threads=self._threads
        )

    def gradient(
        self, g: NDArray[np.int8], max_gradient: int, out: NDArray[np.int32], memory: Memory
    ) -> None:
        """See `Operand`."""
        kernels.gradients_by_pixels(
            g, self._encoded, max_gradient, out, self._index, threads=self._threads
        )

    def exact_gradient(self, g: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """See `Operand`."""
        kernels.floats_by_pixels(g, self._encoded, out, self._index, threads=self._threads)


class Bits:
    """Binary activations, packed in rows."""

    def __init__(self, rows: NDArray[np.uint8], columns: int, threads: int) -> None:
        self.rows, self._columns, self._threads = rows, columns, threads
        self._transposed: NDArray[np.uint8] | None = None

    @property
    def sums_type(self) -> type[np.signedinteger]:
        """The smallest type that holds every sum over the columns."""
        return np.int16 if self._columns <= _MAX_NARROW_BITS else np.int32

    def __len__(self) -> int:
        return len(self.rows)

    def multiply(self, panels: NDArray[np.uint8], out: NDArray[np.signedinteger]) -> None:
        """See `Operand`."""
        kernels.bits_by_bits(self.rows, panels, self._columns, out, threads=self._threads)

    def gradient(
        self, g: NDArray[np.int8], max_gradient: int, out: NDArray[np.int32], memory: Memory
    ) -> None:
        """See `Operand`."""
        if self._transposed is None:
            self._transposed = memory((out.shape[1] // 32, -(-len(self) // 8), 32))
            kernels.transpose(self.rows, self._columns, self._transposed, threads=self._threads)
        kernels.gradients_by_bits(
            g, self._transposed, len(self), max_gradient, out, threads=self._threads
        )

    def exact_gradient(self, g: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """See `Operand`."""
        kernels.floats_by_bits(g, self.rows, len(self), out, threads=self._threads)
