"""Functions and commands of this program that measure in a process of their own."""

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeVar, TypeVarTuple

from pipeline.common.errors import (
    OUT_OF_MEMORY,
    PipelineError,
    how_it_ended,
    lacked_memory,
    ran_out_of_memory,
)

_Arguments = TypeVarTuple("_Arguments")
_Result = TypeVar("_Result")


def run_in_fresh_process(
    function: Callable[[*_Arguments], _Result], *arguments: *_Arguments
) -> _Result:
    """Call a function in a process that holds nothing but what the function's module imports.

    Args:
        function: a function of a module; what it returns is pickled on the way.
        arguments: of the function, pickled on the way, in less than a pipe's 64 KiB.

    Raises:
        PipelineError: the function raised one, or the process ended before the function did; the
            message says how.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    with receiver:
        process = context.Process(target=_answer, args=(sender, function, arguments))
        process.start()
        # Then only the process holds it, and receiving ends where the process does.
        sender.close()
        try:
            error, result = receiver.recv()
        except EOFError:
            process.join()
            assert process.exitcode is not None
            raise PipelineError(_ending(process.exitcode)) from None
        except BaseException:
            process.kill()
            raise
        finally:
            process.join()
    if error is not None:
        raise PipelineError(error)
    return result  # type: ignore[no-any-return]


def _answer(
    sender: "Connection[tuple[str | None, object], None]",
    function: Callable[..., object],
    arguments: Sequence[object],
) -> None:
    """Send an error's message or None, and what the function returned."""
    # Ctrl-C reaches both processes, and the other one ends this.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        sender.send((None, function(*arguments)))
    except Exception as error:
        if (reason := lacked_memory(error)) is not None:
            sender.send((f"{OUT_OF_MEMORY} in a process that measures ({reason})", None))
            # What libraries do at the end wants memory, too, and would say so at length.
            os._exit(1)
        if not isinstance(error, (PipelineError, OSError)):
            raise
        sender.send((str(error), None))


def _ending(status: int) -> str:
    why = " (out of memory)" if ran_out_of_memory(status, "") else ""
    return f"a process that measures ended with {how_it_ended(status)}{why}"


def command_line(arguments: Sequence[str], output: Path) -> list[str]:
    """Return the command line that runs `arguments` and writes `output`."""
    return [sys.executable, "-m", "pipeline", *arguments, "--output", str(output)]


def output_of(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> str:
    """Run a command in a fresh process and return what it wrote to its `--output`.

    Raises:
        PipelineError: it failed; the message says how, and what it said.
    """
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "output.json"
        command = command_line(arguments, output)
        finished = subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment
        )
        return read_output(output, command, finished.returncode, finished.stderr)


def read_output(output: Path, command: Sequence[str], status: int, errors: str) -> str:
    """Return what a command that has ended wrote.

    Args:
        output: the file.
        command: its command line.
        status: as `subprocess` returns it.
        errors: what it wrote to its standard error.

    Raises:
        PipelineError: it failed, or wrote nothing.
    """
    if status != 0 or not output.exists():
        why = " (out of memory)" if ran_out_of_memory(status, errors) else ""
        raise PipelineError(
            f"a measurement ended with {how_it_ended(status)}{why}: {' '.join(command[1:])}\n"
            f"{errors.strip()}"
        )
    return output.read_text(encoding="utf-8")
