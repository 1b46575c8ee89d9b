"""A function in a process of its own: what it returns, and how its end is told."""

import os
import resource
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.common.errors import PipelineError
from pipeline.profiling.fresh_process import run_in_fresh_process


def describe(*values: int) -> tuple[int, int]:
    return os.getpid(), sum(values)


def fail(message: str) -> None:
    raise PipelineError(message)


def open_nothing() -> None:
    Path("nothing").read_bytes()


def end(status: int) -> None:
    os._exit(status)


def end_by(number: int) -> None:
    os.kill(os.getpid(), number)


def take_memory() -> None:
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + 2**24,) * 2)
    np.ones(2**25)


def divide_by_zero() -> float:
    return 1 / 0


def large() -> bytes:
    return bytes(2**24)


def test_the_result_comes_from_another_process() -> None:
    number, total = run_in_fresh_process(describe, 1, 2)
    assert number != os.getpid()
    assert total == 3
    assert run_in_fresh_process(large) == bytes(2**24)


def test_an_error_is_the_one_that_was_raised() -> None:
    with pytest.raises(PipelineError, match="no such thing"):
        run_in_fresh_process(fail, "no such thing")
    with pytest.raises(PipelineError, match="No such file or directory: 'nothing'"):
        run_in_fresh_process(open_nothing)


@pytest.mark.parametrize(
    ("function", "argument", "expected"),
    [
        (end, 3, "^a process that measures ended with status 3$"),
        (end_by, signal.SIGTERM, "ended with signal 15$"),
        (end_by, signal.SIGKILL, r"ended with signal 9 \(out of memory\)$"),
    ],
)
def test_an_end_without_a_word_is_told(function, argument: int, expected: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(PipelineError, match=expected):
        run_in_fresh_process(function, argument)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_want_of_memory_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(PipelineError, match=r"^not enough memory .*\(Unable to allocate"):
        run_in_fresh_process(take_memory)
    assert capfd.readouterr().err == ""


def test_a_mistake_of_ours_shows_its_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(PipelineError, match="ended with status 1"):
        run_in_fresh_process(divide_by_zero)
    assert "ZeroDivisionError" in capfd.readouterr().err
