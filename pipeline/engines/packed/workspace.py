"""Memory that steps share: a step's temporaries lie where the last step's did."""

import math
import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Workspace:
    """Arrays by name: those of the same name overlap, those of different names never do.

    An array's content lasts until someone asks for its name again.
    """

    def __init__(self) -> None:
        self._buffers: dict[str, NDArray[np.uint8]] = {}
        self._views: dict[tuple[str, tuple[int, ...], type], NDArray[Any]] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any]:
        """Return an uninitialized C-contiguous array in the memory of `name`."""
        view = self._views.get((name, shape, dtype))
        if view is None:
            view = self._views[name, shape, dtype] = self._make(name, shape, dtype)
        return view

    def _make(self, name: str, shape: tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any]:
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if name not in self._buffers or self._buffers[name].nbytes < size:
            # The old memory goes first: growing must not hold both.
            self._buffers.pop(name, None)
            self._views = {key: view for key, view in self._views.items() if key[0] != name}
            self._buffers[name] = own_memory((size,), np.uint8)
        return self._buffers[name][:size].view(dtype).reshape(shape)

    def bytes_of(self, *names: str) -> int:
        """Return the bytes of the memory of these names."""
        return sum(self._buffers[name].nbytes for name in names if name in self._buffers)

    @property
    def nbytes(self) -> int:
        """Return the bytes of the memory of all names."""
        return self.bytes_of(*self._buffers)


def own_memory(shape: tuple[int, ...], dtype: type[np.generic]) -> NDArray[Any]:
    """Return an array of zeros in pages of its own.

    The system gets the pages back when the array is freed. In the C library's heap, freed arrays
    leave holes that larger ones do not fit: some MiB at a batch of 5,000.

    Raises:
        MemoryError: the system has not enough.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    try:
        pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(f"{size} bytes for an array of shape {shape}: {error.strerror}") from None
    return np.frombuffer(pages, dtype).reshape(shape)
