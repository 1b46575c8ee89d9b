"""What the peer and our methods cost: seconds in turns, and memory in processes of their own."""

import subprocess
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from pipeline.artifacts.environment import write_environment
from pipeline.artifacts.profile import Measurements
from pipeline.artifacts.tables import write_table
from pipeline.common.atomic import atomic_directory
from pipeline.common.console import echo, progress
from pipeline.common.machine import describe_machine
from pipeline.common.units import MIB
from pipeline.config.params import Params
from pipeline.data import dataset
from pipeline.frontier.peers.plan import PeersPlan, load_plan
from pipeline.frontier.peers.process import (
    PYTHON,
    Form,
    PeerProcess,
    Request,
    ask,
    check_installed,
    with_rate,
)
from pipeline.frontier.peers.results import (
    COSTS,
    LARQ,
    TrainingMemory,
    Versions,
)
from pipeline.frontier.peers.turns import OurMethod, Peer, Turn, take_turns
from pipeline.profiling.sampling import Case, sample_memory
from pipeline.profiling.stopwatch import SEED

Row = dict[str, Any]

# As `pipeline.profiling.timing.settle` waits before our turns.
SETTLE_SECONDS = 0.02
_VERSIONS = """
import platform
from importlib.metadata import version

print(platform.python_version(), version("larq"), version("tensorflow"), version("tf-keras"))
"""


def measure_costs(params: Params) -> None:
    """Measure everyone at every point; write frontier/results/peers/costs/.

    measurements.csv, training_memory.csv and versions.csv are described by `results`;
    environment.json describes the machine, and our side's software.

    Raises:
        PipelineError: the peer is not installed, missing data, or a process that ended.
    """
    plan = load_plan(params)
    check_installed()
    dataset.check_present()
    data = dataset.load()
    widths = {name: data.architecture(name).widths for name in params.connected_architectures}
    del data
    started = time.monotonic()
    measurements: list[Row] = []
    memory: list[Row] = []
    points = [
        (architecture, batch_size)
        for architecture in params.connected_architectures
        for batch_size in plan.all_batch_sizes(params)
    ]
    participants = len(plan.methods) + len(LARQ)
    with progress("peers costs", len(points) * participants * (plan.rounds + 1)) as advance:
        for architecture, batch_size in points:
            keys = {
                "architecture": architecture,
                "batch_size": batch_size,
                "threads": params.train.threads,
            }
            where = f"{architecture}, batch {batch_size}"
            point = _Point(plan, params, architecture, widths[architecture], batch_size)

            def add(
                number: int, name: str, turn: Turn, keys: Row = keys, where: str = where
            ) -> None:
                measurements.append(
                    {
                        **keys,
                        "method": name,
                        "round": number,
                        "epoch_seconds": turn.epoch_seconds,
                        "process_memory_mib": turn.process_memory / MIB,
                    }
                )
                advance(f"{where}, {name}: {turn.epoch_seconds:.3f} s per epoch")

            take_turns(point.starters(), plan.rounds, plan.seconds, add)
            for name, count in point.counters().items():
                mib = count() / MIB
                memory.append({**keys, "method": name, "training_memory_mib": mib})
                advance(f"{where}, {name}: {mib:.1f} MiB to train")
    with atomic_directory(COSTS) as folder:
        write_table(folder / "measurements.csv", Measurements, measurements)
        write_table(folder / "training_memory.csv", TrainingMemory, memory)
        write_table(folder / "versions.csv", Versions, [_versions()])
        write_environment(folder, describe_machine(params.train.threads, started))
    echo(f"{COSTS}/ written")


class _Point:
    """An architecture and a batch size, at which everyone is measured."""

    def __init__(
        self,
        plan: PeersPlan,
        params: Params,
        architecture: str,
        widths: tuple[int, ...],
        batch_size: int,
    ) -> None:
        self._data = params.data
        self._threads = params.train.threads
        self._where = f"{architecture}, batch {batch_size}"
        self._cases = {
            name: Case(params.methods[name], architecture, batch_size, params.train.threads)
            for name in plan.methods
        }
        # Neither time nor memory depends on the numbers in the recipe.
        recipe = with_rate(next(iter(plan.recipes.values())), plan.learning_rates[0])
        self._request = partial(
            Request,
            widths=widths,
            batch_size=batch_size,
            threads=params.train.threads,
            recipe=recipe,
            epochs=plan.epochs[0],
            seed=SEED,
            settle_seconds=SETTLE_SECONDS,
        )

    def starters(self) -> dict[str, Callable[[], OurMethod | Peer]]:
        """Return what starts the process of each to be timed."""
        ours: dict[str, Callable[[], OurMethod | Peer]] = {
            name: partial(OurMethod, self._what(name), case, self._data)
            for name, case in self._cases.items()
        }
        return ours | {name: partial(self._start_peer, name) for name in LARQ}

    def counters(self) -> dict[str, Callable[[], int]]:
        """Return what counts the bytes of each one's training memory."""
        ours: dict[str, Callable[[], int]] = {
            name: partial(self._count_ours, name) for name in self._cases
        }
        return ours | {name: partial(self._count_peer, name) for name in LARQ}

    def _start_peer(self, name: str) -> Peer:
        return Peer(PeerProcess(self._what(name), self._request("time", **self._form(name))))

    def _count_ours(self, name: str) -> int:
        return sample_memory(name, self._cases[name], self._data).peak

    def _count_peer(self, name: str) -> int:
        answer = ask(self._what(name), self._request("memory", **self._form(name)))
        return int(answer["training_memory"])

    def _form(self, name: str) -> dict[str, Any]:
        form: Form = "compiled" if "xla" in name else "plain"
        return {"form": form, "operations": self._threads if "parallel" in name else 1}

    def _what(self, name: str) -> str:
        return f"the measurement of {name}, {self._where}"


def _versions() -> Row:
    done = subprocess.run([PYTHON, "-c", _VERSIONS], capture_output=True, text=True, check=True)
    return dict(zip(Versions.to_schema().columns, done.stdout.split(), strict=True))
