"""torch's errors for want of memory, as Python's own."""

from collections.abc import Iterator
from contextlib import contextmanager

# The allocator's name, in the text of an error whose type any other error of torch has too.
_ALLOCATOR = "DefaultCPUAllocator"


@contextmanager
def memory_errors() -> Iterator[None]:
    """Turn torch's RuntimeError for want of memory into a MemoryError; it may decorate a function.

    Raises:
        MemoryError: torch's allocator got no memory.
    """
    try:
        yield
    except RuntimeError as error:
        if _ALLOCATOR not in str(error):
            raise
        raise MemoryError(str(error).partition(_ALLOCATOR)[2].strip(": ")) from error
