"""How the C library keeps the memory that torch frees."""

import ctypes

# Of malloc.h of the GNU C library.
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_NEVER = -1


def keep_freed_memory() -> None:
    """Tell the C library to keep freed memory for what comes next, where it can be told.

    By default glibc returns large pieces to the system at once. Each step then takes them anew,
    page by page, which costs float more than its products where maps or batches are large. Torch's
    own guide to performance replaces the allocator for that reason.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, _NEVER)
