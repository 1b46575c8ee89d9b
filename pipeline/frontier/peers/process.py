"""A process of the peer's environment: JSON lines in, JSON lines out (see `larq_worker`)."""

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from pipeline.common.errors import OUT_OF_MEMORY, PipelineError, how_it_ended, ran_out_of_memory
from pipeline.config.paths import DATA
from pipeline.frontier.peers.plan import Recipe

PYTHON = Path(".venv-peers/bin/python")
WORKER = Path(__file__).with_name("larq_worker.py")
# Larq 0.14 is written for Keras 2. TensorFlow has more to say than a user must know.
_ENVIRONMENT = {"TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "2"}
# oneDNN's allocator takes 64 MiB at a time, and what the network needs cannot be told from that. As
# in `pipeline.profiling.sampling`, Python asks for memory object by object.
_COUNTED = {"TF_ENABLE_ONEDNN_OPTS": "0", "PYTHONMALLOC": "malloc"}

# How each step is run: by XLA as one program, or operation by operation.
Form = Literal["compiled", "plain"]


@dataclass(frozen=True)
class Request:
    """What a worker does.

    Attributes:
        task: time some turns, count memory, or train and evaluate.
        widths: features of every layer: the pixels first and the classes last.
        threads: that one operation may use.
        operations: that may run at the same time.
        recipe: the fields of `Recipe`, and learning_rate.
        epochs: of a whole training, over which the learning rate falls to 0.
        test: whether a trained network is evaluated on the test set too.
        settle_seconds: to wait before a turn, until the threads of others are asleep.
        folder: where the dataset is.
    """

    task: Literal["time", "memory", "train"]
    widths: tuple[int, ...]
    batch_size: int
    threads: int
    operations: int
    form: Form
    recipe: dict[str, Any]
    epochs: int
    seed: int
    test: bool = False
    settle_seconds: float = 0.0
    folder: str = str(DATA)


def with_rate(recipe: Recipe, learning_rate: float) -> dict[str, Any]:
    """Return the recipe as a request has it."""
    return recipe.model_dump() | {"learning_rate": learning_rate}


def check_installed() -> None:
    """Raise PipelineError, saying what to run, unless the peer's environment is there."""
    if not PYTHON.exists():
        raise PipelineError(
            f"{PYTHON} is missing: Larq and TensorFlow have an environment of their own. Run "
            "`make peers`."
        )


class PeerProcess:
    """A worker that has been sent a request. Use it as a context, which kills it."""

    def __init__(
        self, what: str, request: Request, python: Path = PYTHON, worker: Path = WORKER
    ) -> None:
        """Start it.

        Args:
            what: it does, for messages.
            request: to send.
            python: of the peer's environment.
            worker: the script.

        Raises:
            PipelineError: the environment is missing.
        """
        if python == PYTHON:
            check_installed()
        self._what = what
        # Libraries warn of what does not matter here. It is shown if the process dies.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - see __exit__
        counted = _COUNTED if request.task == "memory" else {}
        # A path of our environment leads to NumPy for another Python, or of another version.
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        self._process = subprocess.Popen(
            # With -P the modules beside the worker hide none of its environment.
            [python.absolute(), "-P", worker],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**inherited, **_ENVIRONMENT, **counted},
            text=True,
            # Ctrl-C reaches every process of the terminal; this one is ended by its parent.
            start_new_session=True,
        )
        self.send(asdict(request))

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message.

        Raises:
            PipelineError: the process has ended.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except OSError:
            raise self._ended() from None

    def receive(self) -> dict[str, Any]:
        """Return the next answer.

        Raises:
            PipelineError: the worker failed, was killed, or answered what is no answer.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise self._ended()
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            raise PipelineError(f"{self._what} answered what is no JSON object: {line.strip()!r}")
        if "error" in message:
            raise PipelineError(f"{self._what} failed: {message['error']}")
        return message

    def _ended(self) -> PipelineError:
        status = self._process.wait()
        self._errors.seek(0)
        errors = self._errors.read().decode(errors="replace")
        advice = f" ({OUT_OF_MEMORY})" if ran_out_of_memory(status, errors) else ""
        last = errors.strip().splitlines()[-3:]
        return PipelineError(
            "\n".join([f"{self._what} ended with {how_it_ended(status)}{advice}", *last])
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        # This closes the pipes and waits for the end.
        self._process.communicate()
        self._errors.close()


def ask(what: str, request: Request) -> dict[str, Any]:
    """Return the one answer to a request.

    Raises:
        PipelineError: the peer is not installed, or the worker failed.
    """
    with PeerProcess(what, request) as process:
        return process.receive()
