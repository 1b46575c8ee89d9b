"""torch's errors for lack of memory, as Python's own."""

from collections.abc import Iterator
from contextlib import contextmanager

# All of torch's errors have the same type. Those for lack of memory name the allocator.
_ALLOCATOR = "DefaultCPUAllocator"


@contextmanager
def memory_errors() -> Iterator[None]:
    """Turn torch's RuntimeError for lack of memory into a MemoryError; it may decorate a function.

    Raises:
        MemoryError: torch's allocator got no memory.
    """
    try:
        yield
    except RuntimeError as error:
        if _ALLOCATOR not in str(error):
            raise
        raise MemoryError(str(error).partition(_ALLOCATOR)[2].strip(": ")) from error
