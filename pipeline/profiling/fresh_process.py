"""Functions that run in a process of their own and answer through a pipe.

What a process has imported and allocated before would be measured too, so every measurement has a
fresh one. It is spawned, not forked: it begins with nothing of its parent's memory.
"""

import multiprocessing
import os
import signal
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection as Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from pipeline.common.errors import (
    OUT_OF_MEMORY,
    PipelineError,
    how_it_ended,
    lacked_memory,
    ran_out_of_memory,
)

_SPAWN = multiprocessing.get_context("spawn")
_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(frozen=True)
class _Failure:
    """What went wrong in a process; `message` is for the user, unless it is a fault of ours."""

    message: str
    expected: bool


class FreshProcess:
    """A process that runs `function(connection, *arguments)`. Use it as a context.

    The function's end of the pipe is its first argument; both ends send and receive what pickle
    takes. The process is killed when the context ends.

    Attributes:
        pid: the process's number.
    """

    def __init__(
        self,
        what: str,
        function: Callable[Concatenate[Connection, _P], None],
        *arguments: _P.args,
        **keywords: _P.kwargs,
    ) -> None:
        """Start it.

        Args:
            what: it does, for messages, such as "the measurement of float".
            function: a module's own, so that the process can import it.
            arguments: for the function.
            keywords: for the function.
        """
        self._what = what
        self._connection, theirs = _SPAWN.Pipe()
        # Libraries warn of what does not matter here. It is shown if the process dies.
        self._errors = tempfile.NamedTemporaryFile(prefix="errors-")  # noqa: SIM115 - see __exit__
        self._process = _SPAWN.Process(
            target=_serve,
            args=(theirs, self._errors.name, function, arguments, keywords),
            daemon=True,
        )
        self._process.start()
        # Only the process holds that end now: when it dies, `receive` does not wait for ever.
        theirs.close()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def send(self, message: object) -> None:
        """Send a message.

        Raises:
            PipelineError: the process has ended.
        """
        try:
            self._connection.send(message)
        except OSError:
            raise self._ended() from None

    def has_answered(self, seconds: float) -> bool:
        """Wait at most so long, and tell whether `receive` has something to return or to raise."""
        return self._connection.poll(seconds)

    def receive(self) -> Any:
        """Return the next message.

        Raises:
            PipelineError: the function failed, or the process was killed; the message says how.
            RuntimeError: a fault of the program, with its traceback.
        """
        try:
            message = self._connection.recv()
        except (EOFError, OSError):
            raise self._ended() from None
        if not isinstance(message, _Failure):
            return message
        if message.expected:
            raise PipelineError(message.message)
        raise RuntimeError(f"{self._what} failed:\n{message.message}")

    def _ended(self) -> PipelineError:
        self._process.join()
        status = self._process.exitcode or 0
        advice = (
            f" ({OUT_OF_MEMORY}): choose a smaller architecture or batch size"
            if ran_out_of_memory(status, "")
            else ""
        )
        last = self._errors.read().decode(errors="replace").strip().splitlines()[-3:]
        return PipelineError(
            "\n".join([f"{self._what} ended with {how_it_ended(status)}{advice}", *last])
        )

    def finish(self) -> None:
        """Wait until the process has ended by itself, and cleaned up behind itself."""
        self._process.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()
        self._process.kill()
        self._process.join()
        self._errors.close()


def run_in_fresh_process(
    what: str, function: Callable[_P, _T], *arguments: _P.args, **keywords: _P.kwargs
) -> _T:
    """Run a function in a fresh process and return what it returns.

    Args:
        what: it does, for messages.
        function: a module's own. Arguments and result are pickled.
        arguments: for the function.
        keywords: for the function.

    Raises:
        PipelineError: the function raised it, or the process was killed.
        RuntimeError: a fault of the program, with its traceback.
    """
    with FreshProcess(what, _answer_once, function, arguments, keywords) as process:
        result: _T = process.receive()
        process.finish()
        return result


def _answer_once(
    connection: Connection,
    function: Callable[..., object],
    arguments: tuple[object, ...],
    keywords: dict[str, object],
) -> None:
    connection.send(function(*arguments, **keywords))


def _serve(
    connection: Connection,
    errors: str,
    function: Callable[..., None],
    arguments: tuple[object, ...],
    keywords: dict[str, object],
) -> None:
    with Path(errors).open("wb") as file:
        os.dup2(file.fileno(), 2)
    # Ctrl-C reaches every process of the terminal; the parent ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        function(connection, *arguments, **keywords)
    except (PipelineError, OSError) as error:
        lacking = lacked_memory(error)
        connection.send(_Failure(str(error) if lacking is None else _out_of_memory(lacking), True))
    except Exception as error:
        lacking = lacked_memory(error)
        expected = lacking is not None
        text = traceback.format_exc() if lacking is None else _out_of_memory(lacking)
        connection.send(_Failure(text, expected))


def _out_of_memory(reason: str) -> str:
    detail = f" ({reason})" if reason else ""
    return f"{OUT_OF_MEMORY}{detail}: choose a smaller architecture or batch size"
