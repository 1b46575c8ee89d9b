"""The peer: its process, its turns, its accuracy and its table, with a worker of the tests' own."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.artifacts.profile import Measurements
from pipeline.artifacts.tables import to_csv
from pipeline.common.errors import PipelineError
from pipeline.config.params import Params, load_params
from pipeline.data.gamma import curve
from pipeline.fetch import sources
from pipeline.fetch.store import store
from pipeline.frontier.peers import accuracy, table
from pipeline.frontier.peers.accuracy import best_trial, measure_accuracy
from pipeline.frontier.peers.costs import measure_costs
from pipeline.frontier.peers.plan import PLAN_FILE, Recipe, load_plan
from pipeline.frontier.peers.process import PYTHON, WORKER, PeerProcess, Request, with_rate
from pipeline.frontier.peers.results import ACCURACY, LARQ, Accuracies, Peers, Trials
from pipeline.frontier.peers.turns import OurMethod, Participant, Peer, Turn, take_turns
from pipeline.profiling.sampling import TURNS, Case
from tests.conftest import ROOT

# It answers as `larq_worker` does: each turn takes twice as long as it is asked to.
FAKE_WORKER = """
import json
import sys

request = json.loads(sys.stdin.readline())
print(json.dumps({"ready": True}), flush=True)
for number, line in enumerate(sys.stdin):
    seconds = json.loads(line)["seconds"]
    answer = {"epoch_seconds": 2 * seconds, "process_memory": request["batch_size"] + number}
    print(json.dumps(answer), flush=True)
"""
RECIPE = Recipe(pixel_bits=8, pixel_gamma=1, latent_range=None, label_smoothing=0.0)
REQUEST = Request(
    task="time",
    widths=(36, 8, 3),
    batch_size=10,
    threads=1,
    operations=1,
    form="plain",
    recipe=with_rate(RECIPE, 0.01),
    epochs=2,
    seed=1,
)

Start = Callable[[str], PeerProcess]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Return a function that starts a worker whose code it is given."""

    def start_worker(code: str) -> PeerProcess:
        worker = tmp_path / "worker.py"
        worker.write_text(code)
        return PeerProcess("the fake", REQUEST, Path(sys.executable), worker)

    return start_worker


@pytest.fixture
def fetched(params: Params) -> Params:
    store(sources.find(params.data, lambda _: None), params.data)
    PLAN_FILE.parent.mkdir(parents=True)
    PLAN_FILE.write_text((ROOT / PLAN_FILE).read_text())
    return params


class Logged:
    """A participant that notes what it is told."""

    def __init__(self, name: str, log: list[str], seconds: list[float]) -> None:
        self._name, self._log, self._seconds = name, log, seconds

    def wait_until_ready(self) -> None:
        self._log.append(f"{self._name} ready")

    def turn(self, seconds: float) -> Turn:
        self._log.append(f"{self._name} {seconds:g}")
        return Turn(self._seconds.pop(0), len(self._log))


def test_all_are_ready_before_the_first_turn_and_then_take_turns() -> None:
    log: list[str] = []
    samples: list[tuple[int, str, Turn]] = []

    def starter(name: str, seconds: list[float]) -> AbstractContextManager[Participant]:
        log.append(f"{name} started")
        return nullcontext(Logged(name, log, seconds))

    starters = {"a": partial(starter, "a", [3, 1, 2]), "b": partial(starter, "b", [6, 5, 4])}
    take_turns(starters, 1, 3.0, lambda *sample: samples.append(sample))
    assert TURNS == 3
    assert log == ["a started", "b started", "a ready", "b ready", *["a 1", "b 1"] * TURNS]
    # The fastest turn counts, and the memory when all turns are over.
    assert samples == [(1, "a", Turn(1, 9)), (1, "b", Turn(4, 10))]


def test_a_peer_takes_turns_with_our_method(fetched: Params, start: Start) -> None:
    case = Case(fetched.methods["deterministic"], "mlp-8", 10, 1)
    starters: dict[str, Callable[[], OurMethod | Peer]] = {
        "deterministic": lambda: OurMethod("ours", case, fetched.data),
        "larq": lambda: Peer(start(FAKE_WORKER)),
    }
    samples: list[tuple[int, str, Turn]] = []
    take_turns(starters, 2, 0.03, lambda *sample: samples.append(sample))
    assert [sample[:2] for sample in samples] == [
        (number, name) for number in (1, 2) for name in starters
    ]
    for _, name, turn in samples:
        if name == "larq":
            assert turn == Turn(pytest.approx(2 * 0.03 / TURNS), 10 + TURNS - 1)  # type: ignore[arg-type]
        else:
            assert turn.epoch_seconds > 0
            assert turn.process_memory > 2**20


def test_what_the_worker_says_went_wrong_is_the_message(start: Start) -> None:
    with (
        start('print(\'{"error": "no such file"}\')') as process,
        pytest.raises(PipelineError, match=r"^the fake failed: no such file$"),
    ):
        process.receive()


def test_a_worker_that_dies_is_told_with_its_last_words(start: Start) -> None:
    with (
        start("import sys; sys.exit('out of luck')") as process,
        pytest.raises(PipelineError, match=r"the fake ended with status 1\nout of luck"),
    ):
        process.receive()


@pytest.mark.parametrize("said", ["hello", "[1]", "{"])
def test_what_is_no_answer_is_told(start: Start, said: str) -> None:
    with (
        start(f"print({said!r})") as process,
        pytest.raises(PipelineError, match="the fake answered what is no JSON object"),
    ):
        process.receive()


def test_a_worker_is_gone_after_its_context(start: Start) -> None:
    with start(FAKE_WORKER) as process:
        process.receive()
    assert process._process.returncode is not None


def test_a_worker_is_given_no_path_of_ours(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "ours")
    code = "import json, os; print(json.dumps({'path': os.environ.get('PYTHONPATH')}))"
    with start(code) as process:
        assert process.receive() == {"path": None}


@pytest.mark.parametrize("measure", [measure_accuracy, measure_costs])
def test_without_its_environment_one_message_says_what_to_run(
    fetched: Params, measure: Callable[[Params], None]
) -> None:
    with pytest.raises(PipelineError, match=r"\.venv-peers/bin/python is missing: .*`make peers`"):
        measure(fetched)


def test_the_committed_plan_is_valid() -> None:
    params = load_params(ROOT / "params.yaml")
    plan = load_plan_of_root(params)
    assert plan.all_batch_sizes(params)[0] == params.train.batch_size


def load_plan_of_root(params: Params) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return load_plan(params)


def test_a_plan_with_an_unknown_method_is_refused(fetched: Params) -> None:
    PLAN_FILE.write_text(PLAN_FILE.read_text().replace("simulated", "simulted"))
    with pytest.raises(PipelineError, match="unknown method simulted"):
        load_plan(fetched)


def test_the_search_chooses_on_validation_and_reads_no_test_set(
    fetched: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests: list[Request] = []

    def ask(what: str, request: Request) -> dict[str, Any]:
        requests.append(request)
        # A rate of 0.03 is best on validation, and worst on the test set.
        validation = 90.0 - abs(request.recipe["learning_rate"] - 0.03)
        return {
            "validation_accuracy": validation,
            "test_accuracy": 180.0 - validation if request.test else None,
        }

    monkeypatch.setattr(accuracy, "ask", ask)
    monkeypatch.setattr(accuracy, "check_installed", lambda: None)
    measure_accuracy(fetched)
    plan = load_plan(fetched)
    tried = len(plan.recipes) * len(plan.learning_rates)
    trained = len(plan.epochs) * len(fetched.seeds)
    assert [request.test for request in requests] == ([False] * tried + [True] * trained) * len(
        fetched.architectures
    )
    assert {request.seed for request in requests if not request.test} == {fetched.seeds[0]}
    trials = Trials.validate(pd.read_csv(ACCURACY / "trials.csv"))
    assert "test_accuracy" not in trials
    final = Accuracies.validate(pd.read_csv(ACCURACY / "accuracy.csv"))
    assert set(final["learning_rate"]) == {0.03}
    assert len(final) == trained * len(fetched.architectures)


def test_the_best_trial_is_that_of_its_architecture() -> None:
    rows = [
        {"architecture": name, "validation_accuracy": value}
        for name, value in (("a", 80.0), ("a", 81.0), ("b", 90.0))
    ]
    assert best_trial(rows, "a") is rows[1]


LARQ_SLOW = {name: [5.0, 5.0, 5.0] for name in LARQ}


def measured(seconds: dict[str, list[float]], batch_size: int) -> pd.DataFrame:
    """Return measurements of mlp-8, each method's seconds in the order of the rounds."""
    return Measurements.validate(
        pd.DataFrame(
            {
                "architecture": "mlp-8",
                "batch_size": batch_size,
                "threads": 2,
                "method": method,
                "round": number,
                "epoch_seconds": value,
                "process_memory_mib": 100.0 * number,
            }
            for method, values in seconds.items()
            for number, value in enumerate(values, start=1)
        )
    )


# The batch sizes of the trainings whose accuracies are known.
TRAINED = dict.fromkeys(LARQ, 10) | {"packed": 50}


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    """The table of a point at which XLA pays and was trained, and one at which it does not."""
    measurements = pd.concat(
        [
            measured({"packed": [1, 2, 9], **LARQ_SLOW, "larq_xla": [2, 4, 3]}, 10),
            measured({"packed": [1, 1, 1], **LARQ_SLOW, "larq": [2, 2, 2]}, 50),
        ]
    )
    memory = measurements.drop_duplicates(["batch_size", "method"])
    sizes = dict.fromkeys(LARQ, 9.0) | {"packed": 2.0, "larq": 6.0, "larq_xla": 8.0}
    memory = memory.assign(training_memory_mib=memory["method"].map(sizes))
    trained = pd.DataFrame(
        {
            "architecture": "mlp-8",
            "epochs": epochs,
            "seed": seed,
            "validation_accuracy": 80.0 + epochs,
            "test_accuracy": 70.0 + epochs + seed,
        }
        for epochs in (2, 4)
        for seed in (1, 2)
    )
    ours = pd.DataFrame(
        [
            {
                "architecture": "mlp-8",
                "method": "packed",
                "epochs": 6,
                "seeds": 3,
                "validation_accuracy": 88.0,
                "test_accuracy": 87.0,
                "test_accuracy_std": 0.1,
            }
        ]
    )
    return table.peers_rows(measurements, memory, table.larq_accuracies(trained), ours, TRAINED)


def test_the_faster_form_of_the_peer_stands_in_the_table(rows: list[dict[str, Any]]) -> None:
    assert [(row["batch_size"], row["method"], row.get("epochs")) for row in rows] == [
        (10, "larq_xla", 2),
        (10, "larq_xla", 4),
        (10, "packed", None),
        (50, "larq", None),
        (50, "packed", 6),
    ]


def test_ratios_are_to_the_peer_within_rounds(rows: list[dict[str, Any]]) -> None:
    ours = rows[2]
    assert ours["epoch_seconds"] == 2
    assert ours["epoch_seconds_ratio"] == 0.5
    assert ours["training_memory_mib_ratio"] == 0.25
    assert rows[4]["training_memory_mib_ratio"] == pytest.approx(1 / 3)
    assert rows[0]["epoch_seconds_ratio"] == rows[0]["training_memory_mib_ratio"] == 1


def test_accuracies_are_means_over_seeds(rows: list[dict[str, Any]]) -> None:
    first = rows[0]
    assert (first["seeds"], first["validation_accuracy"], first["test_accuracy"]) == (2, 82, 73.5)
    assert first["test_accuracy_std"] == pytest.approx(0.5**0.5)
    assert first["train_seconds"] == 2 * 3


def test_the_table_goes_through_its_file(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    path = tmp_path / "peers.csv"
    path.write_text(to_csv(Peers, rows))
    lines = table.peers_table(path).splitlines()
    assert len(lines) == 2 + len(rows)
    assert "Larq with XLA" in lines[2]
    assert lines[2].rstrip(" |").endswith(" 73.50")
    path.write_text(path.read_text().replace("larq_xla", ""))
    with pytest.raises(PipelineError, match="empty cell in column method: run `make peers`"):
        table.peers_table(path)


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The worker's own names; what its environment alone has is replaced by nothing."""
    for name in ("tensorflow", "larq"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    names: dict[str, Any] = {"__name__": "worker"}
    exec(compile(WORKER.read_text(), WORKER, "exec"), names)
    return names


@pytest.mark.parametrize("gamma", range(1, 9))
def test_the_worker_has_our_curve(worker: dict[str, Any], gamma: int, tmp_path: Path) -> None:
    np.save(tmp_path / "train-images.npy", np.arange(256, dtype=np.uint8).reshape(2, 128))
    np.save(tmp_path / "train-labels.npy", np.zeros(2, np.uint8))
    images, _ = worker["load"](tmp_path, "train", {"pixel_bits": 4, "pixel_gamma": gamma})
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images.reshape(-1), curve(gamma) >> 4)


def test_the_worker_sees_each_image_once_per_epoch(worker: dict[str, Any]) -> None:
    chunks = worker["chunks"](12005, 10, 1)
    epochs: list[list[int]] = [[], [], []]
    for epoch, rows in chunks:
        if epoch == 2:
            break
        assert rows.shape[1] == 10
        epochs[epoch] += rows.reshape(-1).tolist()
    # The images that make no whole batch are left out.
    assert [len(set(indices)) for indices in epochs] == [12000, 12000, 0]
    assert len(epochs[0]) == 12000
    assert epochs[0] != epochs[1]


@pytest.mark.skipif(not (ROOT / PYTHON).exists(), reason="the peer is not installed: `make peers`")
def test_the_worker_times_counts_and_trains(fetched: Params) -> None:
    def ask(task: Any, **changes: Any) -> PeerProcess:
        request = Request(**{**vars(REQUEST), "task": task, **changes})
        return PeerProcess(task, request, ROOT / PYTHON)

    with ask("time") as process:
        assert process.receive() == {"ready": True}
        process.send({"seconds": 0.01})
        answer = process.receive()
        assert answer["epoch_seconds"] > 0
        assert answer["process_memory"] > 2**20
    with ask("memory") as process:
        assert 2**10 < process.receive()["training_memory"] < 2**30
    with ask("train", epochs=30, test=True, form="compiled") as process:
        answer = process.receive()
        # Chance is 33 %.
        assert answer["validation_accuracy"] > 60
        assert answer["test_accuracy"] > 60
    with (
        ask("train", folder="nowhere") as process,
        pytest.raises(PipelineError, match=r"train failed: .*nowhere"),
    ):
        process.receive()
