"""The one exception whose text is meant for the person at the terminal; how processes end."""

import errno
import signal

# `pipeline.cli` says this when memory runs out; it tells such a process from others.
OUT_OF_MEMORY = "not enough memory"


class PipelineError(Exception):
    """Bad input or a failed precondition.

    The message says what is wrong, where, and what to do. `pipeline.cli` prints it without
    a traceback and exits with status 1.
    """


# The loader of compiled modules, threads and Python's own import system raise these for want of
# memory, and no MemoryError.
_LACKING = (
    (ImportError, "failed to map segment"),
    (RuntimeError, "can't start new thread"),
    (SystemError, "error return without exception set"),
    (SystemError, "without setting an exception"),
)


def lacked_memory(error: BaseException | None) -> str | None:
    """Return why (perhaps an empty text) if `error`, or its cause, was for want of memory."""
    while error is not None:
        if isinstance(error, MemoryError):
            return str(error)
        if isinstance(error, OSError) and error.errno == errno.ENOMEM:
            return str(error)
        for kind, text in _LACKING:
            if isinstance(error, kind) and text in str(error):
                return str(error).splitlines()[-1]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return None


def printable(text: str, length: int = 40) -> str:
    """Return a text from a file, fit for a terminal: short, and in printable ASCII."""
    escaped = ascii(text)[1:-1]
    return escaped if len(escaped) <= length else f"{escaped[:length]}..."


def ran_out_of_memory(status: int, errors: str) -> bool:
    """Tell whether a process ended for want of memory: it said so, or the system killed it.

    Args:
        status: as `subprocess` returns it, a signal's number negated.
        errors: what it wrote to its standard error.
    """
    return status == -signal.SIGKILL or OUT_OF_MEMORY in errors


def how_it_ended(status: int) -> str:
    """Return "status 1" or "signal 9", of a status as `subprocess` returns it."""
    return f"signal {-status}" if status < 0 else f"status {status}"
