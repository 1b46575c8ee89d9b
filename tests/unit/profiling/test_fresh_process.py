"""Functions in processes of their own: what they answer, and how they fail."""

import os
import resource
import signal
import sys
import time
from multiprocessing.connection import Connection

import pytest

from pipeline.common.errors import PipelineError
from pipeline.profiling.fresh_process import FreshProcess, run_in_fresh_process


def add(a: int, b: int) -> int:
    return a + b


def heavy_modules() -> list[str]:
    return sorted({"torch", "pandas", "matplotlib", "typer", "rich"} & set(sys.modules))


def refuse(reason: str) -> None:
    raise PipelineError(reason)


def divide() -> float:
    return 1 / 0


def end_by(number: int) -> None:
    os.kill(os.getpid(), number)


def leave() -> None:
    os._exit(3)


def take_too_much() -> int:
    resource.setrlimit(resource.RLIMIT_AS, (2**32, 2**32))
    return len(bytearray(2**33))


def double(connection: Connection) -> None:
    while True:
        connection.send(2 * connection.recv())


def test_a_result_comes_back() -> None:
    assert run_in_fresh_process("the sum", add, 2, b=3) == 5


def test_a_process_begins_with_nothing_heavy() -> None:
    assert run_in_fresh_process("the question", heavy_modules) == []


def test_messages_go_both_ways() -> None:
    with FreshProcess("doubling", double) as process:
        assert not process.has_answered(0)
        for number in (1, 2):
            process.send(number)
            assert process.receive() == 2 * number


def test_what_is_meant_for_the_user_stays_one_message() -> None:
    with pytest.raises(PipelineError) as failed:
        run_in_fresh_process("the check", refuse, "no data: run fetch")
    assert str(failed.value) == "no data: run fetch"


def test_a_fault_of_ours_keeps_its_traceback() -> None:
    with pytest.raises(RuntimeError, match=r"the division failed:\n(.|\n)*ZeroDivisionError"):
        run_in_fresh_process("the division", divide)


def test_a_killed_process_is_said_to_have_lacked_memory() -> None:
    with pytest.raises(PipelineError, match=r"the sum ended with signal 9 \(not enough memory\)"):
        run_in_fresh_process("the sum", end_by, signal.SIGKILL)


def test_a_process_that_ends_otherwise_does_not_blame_memory() -> None:
    with pytest.raises(PipelineError) as failed:
        run_in_fresh_process("the sum", leave)
    assert str(failed.value) == "the sum ended with status 3"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not keep to RLIMIT_AS")
def test_too_little_memory_is_one_message() -> None:
    with pytest.raises(PipelineError, match=r"^not enough memory.*smaller architecture"):
        run_in_fresh_process("the sum", take_too_much)


def test_a_process_ends_with_its_context() -> None:
    with FreshProcess("doubling", double) as process:
        process.send(1)
        process.receive()
        pid = process.pid
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
    pytest.fail("the process is still there")
