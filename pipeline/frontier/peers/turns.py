"""Our methods and the peer in fresh processes that take turns: as `pipeline.profiling.sampling`."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from pipeline.config.params import DataParams
from pipeline.data.dataset import check_split
from pipeline.engines.engine import load_data
from pipeline.frontier.peers.process import PeerProcess
from pipeline.profiling.fresh_process import Connection, FreshProcess
from pipeline.profiling.process_memory import peak_process_memory
from pipeline.profiling.sampling import TURNS, Case
from pipeline.profiling.stopwatch import Stopwatch


@dataclass(frozen=True)
class Turn:
    """Seconds per epoch of training, and the process's peak until then, in bytes."""

    epoch_seconds: float
    process_memory: int


class Participant(Protocol):
    """A process that trains a turn whenever it is told to."""

    def wait_until_ready(self) -> None:
        """Wait until the network has taken its first steps.

        Raises:
            PipelineError: it cannot.
        """

    def turn(self, seconds: float) -> Turn:
        """Train for at least so many seconds.

        Raises:
            PipelineError: the process has ended.
        """


_Process = TypeVar("_Process", FreshProcess, PeerProcess)


class _Training(Generic[_Process]):
    """A participant that is a context, as its process is."""

    def __init__(self, process: _Process) -> None:
        """Take a process that says when it is ready."""
        self._process: _Process = process

    def wait_until_ready(self) -> None:
        """See `Participant`."""
        self._process.receive()

    def __enter__(self) -> Self:
        self._process.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.__exit__(kind, error, trace)


class OurMethod(_Training[FreshProcess]):
    """A method of params.yaml."""

    def __init__(self, what: str, case: Case, data: DataParams) -> None:
        super().__init__(FreshProcess(what, _train_in_turns, case, data))

    def turn(self, seconds: float) -> Turn:
        """See `Participant`."""
        self._process.send(seconds)
        turn: Turn = self._process.receive()
        return turn


class Peer(_Training[PeerProcess]):
    """The worker of another environment, whose request is to time turns."""

    def turn(self, seconds: float) -> Turn:
        """See `Participant`."""
        self._process.send({"seconds": seconds})
        answer = self._process.receive()
        return Turn(float(answer["epoch_seconds"]), int(answer["process_memory"]))


def take_turns(
    starters: Mapping[str, Callable[[], AbstractContextManager[Participant]]],
    rounds: int,
    seconds: float,
    on_sample: Callable[[int, str, Turn], None],
) -> None:
    """Start everyone once per round; they train TURNS turns each, one after another.

    Args:
        starters: by name; each starts a fresh process.
        rounds: how many samples everyone gets.
        seconds: that a sample trains, in all its turns.
        on_sample: is given the round, from 1, the name, and the fastest turn's seconds with the
            last turn's memory.

    Raises:
        PipelineError: a process that cannot start, or that ended.
    """
    for number in range(1, rounds + 1):
        with ExitStack() as stack:
            participants = {name: stack.enter_context(start()) for name, start in starters.items()}
            for participant in participants.values():
                participant.wait_until_ready()
            turns: dict[str, list[Turn]] = {name: [] for name in starters}
            for _ in range(TURNS):
                for name, participant in participants.items():
                    turns[name].append(participant.turn(seconds / TURNS))
            for name, of_sample in turns.items():
                fastest = min(turn.epoch_seconds for turn in of_sample)
                on_sample(number, name, Turn(fastest, of_sample[-1].process_memory))


def _train_in_turns(connection: Connection, case: Case, data: DataParams) -> None:
    """Train a turn for each message, which says for how many seconds, until killed."""
    dataset = load_data(case.method)
    check_split(dataset, data)
    stopwatch = Stopwatch(dataset, case.method, case.architecture, case.batch_size, case.threads)
    connection.send("ready")
    while True:
        timing = stopwatch.run(connection.recv())
        connection.send(Turn(timing.epoch_seconds, peak_process_memory()))
