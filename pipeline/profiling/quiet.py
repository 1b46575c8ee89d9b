"""Threads that have done their work spin for a while, on processors that others are measured on."""

import time

# OpenMP's threads have gone to sleep after so many seconds.
_SECONDS = 0.02


def let_threads_sleep() -> None:
    """Wait until the threads of what ran last, here or in another process, are asleep."""
    time.sleep(_SECONDS)
