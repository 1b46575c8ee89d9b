"""The one exception whose text is meant for the person at the terminal; how processes end."""

import signal

# What `pipeline.cli` says when memory runs out, and what tells such a process from others.
OUT_OF_MEMORY = "not enough memory"


class PipelineError(Exception):
    """Bad input or a failed precondition.

    The message says what is wrong, where, and what to do. `pipeline.cli` prints it without
    a traceback and exits with status 1.
    """


def shown(text: str) -> str:
    """Return a text from a file, fit for a terminal: short, and in printable ASCII."""
    escaped = ascii(text)[1:-1]
    return escaped if len(escaped) <= 40 else f"{escaped[:40]}..."


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
