import json
import os
import random
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from ruamel.yaml import YAML
from safetensors.numpy import load_file, save_file

from pipeline.artifacts.run_files import HISTORY_COLUMNS
from pipeline.common import tensors_file
from pipeline.config.params import load_params
from pipeline.data import dataset
from pipeline.engines.engine import Engine, create_engine
from pipeline.fetch import sources
from pipeline.fetch.store import store
from pipeline.training import checkpoint
from pipeline.training.checkpoint import CHECKPOINTS, Checkpoint, Row
from pipeline.training.train import train
from tests.conftest import OPTIMIZERS, with_optimizer
from tests.networks import mlp

SEED = 2
EPOCHS = 3
ARCHITECTURE = "mlp-8-5"
# Beside the project's own methods, what has a state of another kind: by name, the method that it
# is made of, and what differs.
VARIANTS: dict[str, tuple[str, str, dict[str, object]]] = {
    "momentum": ("torch", "float", {"optimizer": "momentum"}),
    "sgd": ("torch", "float", {"optimizer": "sgd"}),
    "simulated_stochastic": (
        "torch",
        "simulated",
        {"weights": "stochastic", "activations": "stochastic", "weight_noise": "annealed"},
    ),
    "both_stochastic": (
        "packed",
        "stochastic",
        {"weights": "stochastic", "weight_noise": "annealed", "latent_range": 1.0},
    ),
    "exact": ("packed", "deterministic", {"gradient_bits": 32}),
    **{name: ("packed", "stochastic", {}) for name in OPTIMIZERS},
}
METHODS = ("float", "simulated", "deterministic", "stochastic", *VARIANTS)


class InterruptionError(Exception):
    """Stands for the end of the process."""


@pytest.fixture(autouse=True)
def fetched(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Enter a project with all methods and data, in which every epoch leaves a checkpoint."""
    monkeypatch.setattr(checkpoint, "SHARE", np.inf)
    yaml = YAML()
    document = yaml.load(Path("params.yaml").read_text())
    document["train"]["threads"] = 1
    for name, (group, origin, changes) in VARIANTS.items():
        method = {**deepcopy(document["methods"][group][origin]), **changes}
        document["methods"][group][name] = (
            with_optimizer(method, name) if name in OPTIMIZERS else method
        )
    with Path("params.yaml").open("w") as file:
        yaml.dump(document, file)
    params = load_params()
    store(sources.find(params.data, lambda _: None), params.data)


def result(method: str) -> tuple[bytes, bytes, pd.DataFrame]:
    """Return the model, the metrics, and the history but for its times, of a complete run."""
    name = f"{ARCHITECTURE}-{method}-{SEED}"
    history = pd.read_csv(f"runs/{name}/history.csv")
    times = ["seconds", "cumulative_seconds"]
    assert (history[times] >= 0).all(axis=None)
    assert history["cumulative_seconds"].is_monotonic_increasing
    return (
        Path(f"models/{name}.safetensors").read_bytes(),
        Path(f"runs/{name}/metrics.json").read_bytes(),
        history.drop(columns=times),
    )


def complete(method: str) -> tuple[bytes, bytes, pd.DataFrame]:
    train(load_params(), ARCHITECTURE, method, SEED)
    return result(method)


def interrupt(monkeypatch: pytest.MonkeyPatch, method: str, epoch: int) -> None:
    """Train until a checkpoint has been written after `epoch`."""
    keep = Checkpoint.keep

    def keep_and_end(self: Checkpoint, rows: list[Row]) -> None:
        keep(self, rows)
        if len(rows) == epoch:
            raise InterruptionError

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "keep", keep_and_end)
        with pytest.raises(InterruptionError):
            train(load_params(), ARCHITECTURE, method, SEED)
    assert path_of(method).exists()


def path_of(method: str) -> Path:
    return CHECKPOINTS / f"{ARCHITECTURE}-{method}-{SEED}.safetensors"


def assert_same(
    actual: tuple[bytes, bytes, pd.DataFrame], expected: tuple[bytes, bytes, pd.DataFrame]
) -> None:
    assert actual[:2] == expected[:2]
    pd.testing.assert_frame_equal(actual[2], expected[2], check_exact=True)


@pytest.mark.parametrize("method", METHODS)
def test_a_run_interrupted_after_every_epoch_is_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], method: str
) -> None:
    expected = complete(method)
    assert not path_of(method).exists()
    capsys.readouterr()
    for epoch in range(1, EPOCHS + 1):
        interrupt(monkeypatch, method, epoch)
    assert_same(complete(method), expected)
    name = f"{ARCHITECTURE}-{method}-{SEED}"
    lines = [line for line in capsys.readouterr().out.splitlines() if "goes on" in line]
    assert lines == [f"{name} goes on after epoch {n} of {EPOCHS}" for n in range(1, EPOCHS + 1)]
    assert list(CHECKPOINTS.iterdir()) == []


@pytest.mark.parametrize("method", ["float", "stochastic"])
def test_a_killed_process_goes_on(method: str) -> None:
    expected = complete(method)
    code = (
        "import os, signal, sys\n"
        "from pipeline.training import checkpoint, train\n"
        "from pipeline.config.params import load_params\n"
        "def step(*arguments):\n"
        "    global calls\n"
        "    calls += 1\n"
        "    if calls == 8: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return run(*arguments)\n"
        "calls, run = 0, train.schedule_factor\n"
        "train.schedule_factor = step\n"
        f"train.train(load_params(), '{ARCHITECTURE}', '{method}', {SEED})\n"
    )
    # Six steps an epoch: in the middle of the second.
    command = [sys.executable, "-c", code]
    killed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert path_of(method).exists()
    assert_same(complete(method), expected)


@pytest.mark.parametrize("method", METHODS)
def test_the_state_is_all_there_before_the_first_step(method: str) -> None:
    """Its names, types and shapes never change, and the library reads it as it was written."""
    params = load_params()
    train_batch = np.arange(10)
    images = np.zeros((10, 32 if method in params.groups.packed else 36), np.uint8)
    engine = create_engine(params.methods[method], mlp(36, 8, 5, 3), seed=1, threads=1)
    before = {name: (array.dtype, array.shape) for name, array in engine.state().items()}
    engine.train_batch(images, train_batch, np.zeros(10, np.uint8), 0.01, 0.0)
    state = engine.state()
    assert {name: (array.dtype, array.shape) for name, array in state.items()} == before
    assert all(array.ndim in (1, 2) and array.flags.c_contiguous for array in state.values())
    held = Checkpoint("run", {}, engine, HISTORY_COLUMNS, EPOCHS)
    held.keep([dict.fromkeys(HISTORY_COLUMNS, 1.0)])
    library = load_file(held.path)
    history = library.pop("history")
    np.testing.assert_array_equal(history, np.ones((1, len(HISTORY_COLUMNS))))
    assert library.keys() == state.keys()
    for name, array in state.items():
        assert library[name].dtype == array.dtype
        np.testing.assert_array_equal(library[name], array)


@pytest.mark.parametrize("method", ["float", "simulated_stochastic", "stochastic", "bop"])
def test_the_deepest_network_goes_on(method: str) -> None:
    """A file's name has at most 255 characters, so an architecture has at most 120 layers."""
    architecture = mlp(36, *(9 for _ in range(120)), 3)
    recipe = load_params().methods[method]
    run = checkpoint.describe_run(recipe, architecture, 1, SEED, dataset.load())
    engines = [create_engine(recipe, architecture, seed=seed, threads=1) for seed in (1, 2)]
    held, resumed = (Checkpoint("deep", run, engine, HISTORY_COLUMNS, EPOCHS) for engine in engines)
    held.keep([dict.fromkeys(HISTORY_COLUMNS, 1.0)])
    assert len(resumed.resume()) == 1
    states = [engine.state() for engine in engines]
    for name, array in states[0].items():
        np.testing.assert_array_equal(array, states[1][name])


def rewrite(path: Path, changes: Mapping[str, object], *, repaired: bool = True) -> None:
    """Change the description or, by their names, arrays of a checkpoint; None removes one."""
    metadata, arrays = tensors_file.read(path, tensors_file.MAX_BYTES)
    description = json.loads(metadata[checkpoint.FORMAT])
    for name, value in changes.items():
        if name in description:
            description[name] = value
        elif value is None:
            del arrays[name]
        else:
            assert isinstance(value, np.ndarray)
            arrays[name] = value
    if repaired:
        description["sha256"] = checkpoint._digest(description["run"], arrays)
    save_file(arrays, path, {checkpoint.FORMAT: json.dumps(description)})


def history(epochs: int) -> NDArray[np.float64]:
    rows = np.ones((epochs, len(HISTORY_COLUMNS)))
    rows[:, 0] = np.arange(1, epochs + 1)
    return rows


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def replace_by_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "cut short"),
    "cut short": (
        lambda path: os.truncate(path, path.stat().st_size - 1),
        "file not fully covered",
    ),
    "longer": (lambda path: path.write_bytes(path.read_bytes() + b"x"), "file not fully covered"),
    "large": (lambda path: os.truncate(path, 1 << 40), "bytes, and may have"),
    "flipped": (flip, "its checksum does not fit"),
    "text": (lambda path: path.write_text("once upon a time"), "its header would have"),
    "model": (
        lambda path: path.write_bytes(next(Path("models").glob("*-float-*")).read_bytes()),
        "is not a training checkpoint",
    ),
    "folder": (lambda path: replace_by_folder(path), "it is not a file"),
    "pipe": (lambda path: replace_by_pipe(path), "it is not a file"),
    "version": (lambda path: rewrite(path, {"version": 2}), "it is of version 2"),
    "type of the version": (
        lambda path: rewrite(path, {"version": "1"}),
        "in its description, version",
    ),
    "run": (lambda path: rewrite(path, {"run": {}}), "another architecture"),
    "checksum": (
        lambda path: rewrite(path, {"sha256": "0"}, repaired=False),
        "checksum does not fit",
    ),
    "history": (
        lambda path: rewrite(path, {"history": history(EPOCHS + 1)}),
        "its history is none",
    ),
    "order": (
        lambda path: rewrite(path, {"history": history(2)[::-1].copy()}),
        "its history is none",
    ),
    "columns": (lambda path: rewrite(path, {"history": history(2)[:, 1:].copy()}), "its history"),
    "row": (lambda path: rewrite(path, {"history": history(2)[0]}), "its history is none"),
    "no history": (lambda path: rewrite(path, {"history": None}), "its history is none"),
    "more arrays": (lambda path: rewrite(path, {"more": np.ones(1)}), "it has other arrays"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_ignored(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    method = "float" if damage == "model" else "deterministic"
    expected = complete(method)
    interrupt(monkeypatch, method, 2)
    path = path_of(method)
    do, reason = DAMAGES[damage]
    do(path)
    capsys.readouterr()
    assert_same(complete(method), expected)
    assert_ignored(capsys, path, reason)
    if damage != "folder":
        assert not path.exists()


def assert_ignored(capsys: pytest.CaptureFixture[str], path: Path, reason: str) -> None:
    lines = [line for line in capsys.readouterr().out.splitlines() if "ignored" in line]
    assert len(lines) == 1
    assert lines[0].startswith(f"{path} is ignored, and training begins anew: ")
    assert reason in lines[0]


@pytest.mark.parametrize(
    ("method", "array", "value", "reason"),
    [
        ("deterministic", "powers", np.array([0.5, 1.5]), "out of range"),
        ("deterministic", "powers", np.array([np.nan, 0.5]), "powers is not finite"),
        ("deterministic", "powers", np.array([0.5]), "powers has another shape"),
        ("deterministic", "steps", np.array([-1]), "out of range"),
        ("deterministic", "steps", np.array([2**31]), "out of range"),
        ("deterministic", "steps", np.array([1.0]), "steps has another shape or type"),
        ("deterministic", "layers.0.latent", None, "other arrays"),
        ("float", "0.weight", np.ones((36, 8), np.float32), "0.weight has another shape"),
        ("rowprop8", "layers.0.v", np.full(8, -1, np.float32), "v has a number out of range"),
        ("rowprop16", "layers.0.v", np.full(8, 1e30, np.float32), "v has a number out of range"),
        ("rowprop8", "layers.0.latent", np.ones((8, 64), np.int16), "latent has another shape or"),
        ("adam", "layers.0.m", np.full((8, 64), 1e30, np.float32), "m has a number out of range"),
        ("adam", "layers.0.v", np.full((8, 64), -1, np.float32), "v has a number out of range"),
        ("adam", "layers.0.latent", np.full((8, 64), np.nan, np.float32), "is not finite"),
        ("adam", "normalization.v", np.full((6, 32), -1, np.float32), "v has a number out of"),
        (
            *("bop", "normalization.running.0", np.full((2, 32), -1, np.float32)),
            "running.0 has a number out of",
        ),
        ("float", "0.weight", np.full((8, 36), np.inf, np.float32), "0.weight is not finite"),
        ("simulated_stochastic", "generator", np.zeros(5056, np.uint8), "random generator"),
        ("simulated_stochastic", "generator", np.zeros(5055, np.uint8), "another shape"),
    ],
)
def test_a_checkpoint_that_no_engine_wrote_is_ignored(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    method: str,
    array: str,
    value: NDArray[np.generic] | None,
    reason: str,
) -> None:
    expected = complete(method)
    interrupt(monkeypatch, method, 1)
    rewrite(path_of(method), {array: value})
    capsys.readouterr()
    assert_same(complete(method), expected)
    assert_ignored(capsys, path_of(method), reason)


def test_no_damage_of_bytes_is_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupt(monkeypatch, "stochastic", 2)
    whole = path_of("stochastic").read_bytes()
    drawn = random.Random(1)
    with path_of("stochastic").open("rb") as file:
        header = 8 + int.from_bytes(file.read(8), "little")
    capsys.readouterr()
    engine, held = engine_and_checkpoint("stochastic")
    before = {name: array.copy() for name, array in engine.state().items()}
    for case in range(600):
        content = bytearray(whole)
        at = drawn.randrange(header if case % 2 else len(whole))
        if case % 3:
            content[at] ^= 1 << drawn.randrange(8)
        else:
            del content[at:]
        held.path.write_bytes(content)
        assert held.resume() == []
        assert_ignored(capsys, held.path, "")
    for name, array in engine.state().items():
        np.testing.assert_array_equal(array, before[name])
    held.path.write_bytes(whole)
    assert [row["epoch"] for row in held.resume()] == [1, 2]


def engine_and_checkpoint(method_name: str) -> tuple[Engine, Checkpoint]:
    params = load_params()
    method, data = params.recipe("mlp-8-5", method_name), dataset.load()
    architecture = data.architecture(ARCHITECTURE)
    engine = create_engine(method, architecture, seed=SEED, threads=params.train.threads)
    threads = params.train.threads
    run = checkpoint.describe_run(method, architecture, threads, SEED, data)
    name = path_of(method_name).stem
    return engine, Checkpoint(name, run, engine, HISTORY_COLUMNS, method.epochs)


def change_params(key: str, value: object, *sections: str) -> None:
    yaml = YAML()
    document = yaml.load(Path("params.yaml").read_text())
    section = document
    for name in sections:
        section = section[name]
    section[key] = value
    with Path("params.yaml").open("w") as file:
        yaml.dump(document, file)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda: change_params("batch_size", 12, "train"), "another recipe"),
        (lambda: change_params("epochs", 4, "methods", "torch", "float"), "another recipe"),
        (lambda: change_params("learning_rate", 0.1, "methods", "torch", "float"), "recipe"),
        (lambda: change_params("threads", 2, "train"), "another machine"),
        (lambda: change_params("split_seed", 5, "data"), "another data"),
    ],
)
def test_a_checkpoint_of_another_run_is_ignored(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[], None],
    reason: str,
) -> None:
    interrupt(monkeypatch, "float", 2)
    change()
    data = load_params().data
    store(sources.find(data, lambda _: None), data)
    capsys.readouterr()
    actual = complete("float")
    assert_ignored(capsys, path_of("float"), reason)
    assert_same(actual, complete("float"))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (f"{ARCHITECTURE}-float-1", "another seed"),
        (f"mlp-8-float-{SEED}", "another architecture"),
        (f"{ARCHITECTURE}-sgd-{SEED}", "another recipe"),
        (f"{ARCHITECTURE}-deterministic-{SEED}", "another recipe"),
    ],
)
def test_a_checkpoint_under_another_name_is_ignored(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, reason: str
) -> None:
    interrupt(monkeypatch, "float", 2)
    moved = path_of("float").rename(CHECKPOINTS / f"{name}.safetensors")
    architecture, method, seed = name.rsplit("-", 2)
    capsys.readouterr()
    train(load_params(), architecture, method, int(seed))
    lines = [line for line in capsys.readouterr().out.splitlines() if "ignored" in line]
    assert len(lines) == 1
    assert str(moved) in lines[0]
    assert reason in lines[0]


def test_other_code_begins_anew(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupt(monkeypatch, "deterministic", 2)
    monkeypatch.setattr(checkpoint, "_code", lambda packed: "another")
    complete("deterministic")
    assert_ignored(capsys, path_of("deterministic"), "it is of a run with another code")


def test_the_packed_engine_goes_on_with_other_threads(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = complete("stochastic")
    interrupt(monkeypatch, "stochastic", 2)
    change_params("threads", 2, "train")
    assert_same(complete("stochastic"), expected)
    assert "goes on after epoch 2 of 3" in capsys.readouterr().out


def test_a_file_that_was_being_written_is_not_taken_and_goes_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = complete("deterministic")
    interrupt(monkeypatch, "deterministic", 1)
    path = path_of("deterministic")
    whole = path.read_bytes()
    partial = CHECKPOINTS / f".{path.name}.killed.partial"
    partial.mkdir()
    (partial / path.name).write_bytes(whole[:1000])
    interrupt(monkeypatch, "deterministic", 2)
    assert list(CHECKPOINTS.iterdir()) == [path]
    assert_same(complete("deterministic"), expected)


def test_training_goes_on_where_no_checkpoint_can_be_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    CHECKPOINTS.write_text("in the way")
    complete("deterministic")
    output = capsys.readouterr().out
    assert "goes on without a checkpoint: cannot write checkpoints" in output


def test_training_goes_on_where_a_checkpoint_has_no_room(
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, held = engine_and_checkpoint("deterministic")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        held.keep([dict.fromkeys(HISTORY_COLUMNS, 1.0)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    said = capsys.readouterr().out
    assert "goes on without a checkpoint: cannot write checkpoints" in said
    assert "File too large" in said
    assert list(CHECKPOINTS.iterdir()) == []


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """A clock that a test turns; the time that a checkpoint takes is its second element."""
    now = [100.0, 0.0]
    monkeypatch.setattr("pipeline.training.checkpoint.time.perf_counter", lambda: now[0])
    write = Checkpoint._write

    def slow_write(self: Checkpoint, rows: list[Row]) -> None:
        write(self, rows)
        now[0] += now[1]

    monkeypatch.setattr(Checkpoint, "_write", slow_write)
    yield now
    monkeypatch.undo()


def test_checkpoints_take_a_small_share_of_the_time(
    clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "SHARE", 0.02)
    _, held = engine_and_checkpoint("deterministic")
    clock[1] = 0.5
    written = []
    rows: list[Row] = []
    for epoch in range(1, 101):
        clock[0] += 1.0
        rows.append({**dict.fromkeys(HISTORY_COLUMNS, 0.0), "epoch": epoch})
        held.keep(rows)
        if held.path.exists():
            written.append(epoch)
            held.remove()
    # The first at once, then one every 25 seconds of training.
    assert written == [1, 26, 51, 76]
