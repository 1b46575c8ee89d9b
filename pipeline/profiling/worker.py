"""A process that trains while it is asked to: rounds can then alternate between processes."""

import json
import math
import subprocess
import sys
import tempfile
from types import TracebackType
from typing import Self

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from pipeline.common.errors import PipelineError, how_it_ended, printable, ran_out_of_memory
from pipeline.config.params import Architecture, Params
from pipeline.engines.engine import load_data
from pipeline.profiling.training_clock import TrainingClock


class Answer(BaseModel):
    """What a worker says after a round; memory in bytes, up to then."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epoch_seconds: float
    training_memory: int
    process_memory: int


def work(params: Params, architecture: str, method_name: str, batch: int, threads: int) -> None:
    """Train for as many seconds as each line of the standard input says, and print an Answer.

    Before the first, print an empty line when all is ready.

    Raises:
        PipelineError: an unknown method, no architecture, missing data, or a line that is no time.
    """
    params.check_method(method_name)
    try:
        TypeAdapter(Architecture).validate_python(architecture)
    except ValidationError as error:
        raise PipelineError(f"unknown architecture {architecture}: one is mlp-1024-1024") from error
    method = params.methods[method_name]
    clock = TrainingClock(load_data(method), method, architecture, batch, threads)
    print(flush=True)
    for line in sys.stdin:
        timing = clock.run(_seconds(line))
        answer = {
            "epoch_seconds": timing.epoch_seconds,
            "training_memory": clock.memory.since_start(),
            "process_memory": clock.memory.of_process(),
        }
        print(json.dumps(answer), flush=True)


def _seconds(line: str) -> float:
    try:
        seconds = float(line)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise PipelineError(f"{printable(line.strip())} is no number of seconds to train for")
    return seconds


class Worker:
    """The other end of `work`: a process that waits between rounds. Use it as a context."""

    def __init__(self, architecture: str, method: str, batch: int, threads: int) -> None:
        self._what = f"{method}, {architecture}, batch {batch}, threads {threads}"
        command = [
            *(sys.executable, "-m", "pipeline", "work", "--architecture", architecture),
            *("--method", method, "--batch-size", str(batch), "--threads", str(threads)),
        ]
        # A file: a pipe that nobody reads while the process works would stop it once it is full.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with this
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def wait_until_ready(self) -> None:
        """Wait until the process would begin to train: until then it disturbs the others.

        Raises:
            PipelineError: it ended; the message says how, and what it said.
        """
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "\n":
            raise PipelineError(self._failure())

    def run(self, seconds: float) -> Answer:
        """Let the process train for `seconds`.

        Raises:
            PipelineError: it ended; the message says how, and what it said.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(f"{seconds}\n")
            self._process.stdin.flush()
            return Answer.model_validate_json(self._process.stdout.readline())
        except (OSError, ValidationError) as error:
            raise PipelineError(self._failure()) from error

    def _failure(self) -> str:
        self._process.kill()
        self._process.communicate()
        status = self._process.returncode
        self._errors.seek(0)
        errors = self._errors.read().decode(errors="replace")
        advice = (
            " The memory of this machine is not enough: leave that point out of profile.scaling."
            if ran_out_of_memory(status, errors)
            else ""
        )
        said = "\n".join(errors.strip().splitlines()[-3:])
        return (
            f"the process that measures {self._what} ended with {how_it_ended(status)}."
            f"{advice}\n{said}"
        ).strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()
        self._errors.close()
