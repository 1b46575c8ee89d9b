"""Faults of the machine that can be shown at once; `.ci/faults` provokes the others for real."""

import ast
import errno
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.common.errors import PipelineError, lacked_memory
from pipeline.config.params import Params
from pipeline.config.paths import DATA
from pipeline.data import dataset, npy
from pipeline.fetch import sources
from pipeline.fetch.store import store
from pipeline.inference.images import read_images
from pipeline.training.train import train
from tests.conftest import ROOT
from tests.robustness.faults import memory
from tests.robustness.faults.project import Project
from tests.robustness.faults.report import Result
from tests.robustness.faults.run import Tally, provoke
from tests.robustness.kill.run import FindingError

# What reads a clock that may be set.
WALL_CLOCK = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today"}


def wall_clock_readings(text: str) -> list[str]:
    """Return the readings of the wall clock in a module, and imports that would hide one."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module in ("time", "datetime"):
            found.append(ast.unparse(node))
        if isinstance(node, ast.Call):
            name = ".".join(ast.unparse(node.func).split(".")[-2:])
            if name in WALL_CLOCK:
                found.append(name)
    return found


def test_no_duration_is_read_from_a_clock_that_may_be_set() -> None:
    code = (ROOT / "pipeline").rglob("*.py")
    found = {str(path.relative_to(ROOT)): wall_clock_readings(path.read_text()) for path in code}
    # The date of a measurement.
    assert {name: calls for name, calls in found.items() if calls} == {
        "pipeline/common/machine.py": ["datetime.now"]
    }
    assert wall_clock_readings("import time\ntime.time()") == ["time.time"]
    assert wall_clock_readings("from time import time") == ["from time import time"]


@pytest.fixture
def stored(params: Params) -> Path:
    store(sources.find(params.data, lambda _: None), params.data)
    return DATA


def test_what_is_loaded_is_what_was_verified(stored: Path) -> None:
    expected = dataset.load(stored)

    def change_then_encode(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        # Those that have been read, of the part that they are of.
        if images.size:
            for path in stored.glob("*-images.npy"):
                if images.tobytes() in path.read_bytes():
                    path.write_bytes(b"another")
        return images

    loaded = dataset.load(stored, change_then_encode)
    np.testing.assert_array_equal(loaded.train.images, expected.train.images)
    assert (stored / "train-images.npy").read_bytes() == b"another"


def test_what_changes_while_it_is_read_is_refused(
    stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(npy, "_PIECE", 10 * 36)
    path = stored / "train-images.npy"
    given = list[int]()

    def change_the_rest(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        given.append(len(images))
        if len(given) == 2:
            with path.open("r+b") as file:
                file.seek(-1, os.SEEK_END)
                file.write(bytes([path.read_bytes()[-1] ^ 1]))
        return images

    with pytest.raises(PipelineError, match=r"train-images\.npy is not what fetch wrote"):
        dataset.load(stored, change_the_rest)
    # None at first, which shows how many bytes there will be; then pieces.
    assert given == [0, 10, 10, 10, 10, 10, 10]


def test_a_dataset_that_is_cut_short_while_it_is_read(
    stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(npy, "_PIECE", 36)

    def cut_short(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        os.truncate(stored / "train-images.npy", 1000)
        return images

    with pytest.raises(PipelineError, match=r"train-images\.npy is not what fetch wrote"):
        dataset.load(stored, cut_short)


def test_arrays_are_stored_as_numpy_stores_them(stored: Path, tmp_path: Path) -> None:
    paths = list(stored.glob("*.npy"))
    assert len(paths) == 6
    for path in paths:
        np.save(tmp_path / path.name, np.load(path))
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def cut(folder: Path) -> None:
    os.truncate(folder / "train-images.npy", 1)


def describe_another(folder: Path) -> None:
    """Leave a dataset that is whole and right in itself, and another one."""
    path, description = folder / "test-labels.npy", folder / "dataset.json"
    np.save(path, np.zeros(1, np.uint8))
    content = json.loads(description.read_text())
    content["sha256"][path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    description.write_text(json.dumps(content))


def delete(folder: Path) -> None:
    (folder / "dataset.json").unlink(missing_ok=True)


@pytest.mark.parametrize("change", [cut, describe_another, delete])
def test_a_network_of_data_that_changed_meanwhile_is_not_kept(
    change: Callable[[Path], None], stored: Path, params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.training import evaluate as module

    evaluate = module.evaluate

    def change_and_evaluate(*arguments: Any) -> Any:
        change(stored)
        return evaluate(*arguments)

    monkeypatch.setattr("pipeline.training.train.evaluate", change_and_evaluate)
    with pytest.raises(PipelineError, match=r"data/ was changed while .* Run `dvc repro`"):
        train(params, "mlp-8", "deterministic", 1)
    assert not Path("models").exists()
    assert not Path("runs").exists()
    assert list(Path("checkpoints").iterdir())


def test_images_that_are_cut_short_while_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((100_000, 36), np.uint8))
    read = np.fromfile

    def cut_then_read(*arguments: Any, **options: Any) -> Any:
        # Its header has been read: an array of pages that are gone.
        os.truncate(path, 5000)
        return read(*arguments, **options)

    monkeypatch.setattr(np, "fromfile", cut_then_read)
    with pytest.raises(PipelineError, match=r"a\.npy .* it was cut short while it was read"):
        list(read_images([path], 36))


WRITER = """
import sys
from pathlib import Path
from pipeline.common.atomic import atomic_directory, atomic_file

for number in range(200):
    with atomic_file(Path("model")) as path:
        path.write_text("content")
    with atomic_directory(Path("runs/run")) as path:
        (path / "metrics").write_text("content")
    assert Path("model").read_text() == "content"
"""


def test_two_that_write_the_same_do_not_disturb_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    command = [sys.executable, "-c", WRITER]
    writers = [
        subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    said = [writer.communicate()[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0, 0], said
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*"))
    assert left == ["model", "runs", "runs/run", "runs/run/metrics"]


def chained(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def set_aside(error: Exception, context: Exception) -> Exception:
    """Return `error` as `raise error from None` leaves it where `context` was handled."""
    error.__context__, error.__suppress_context__ = context, True
    return error


UNMAPPED = ImportError("libtorch_cpu.so: failed to map segment from shared object")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MemoryError(), ""),
        (MemoryError("std::bad_alloc"), "std::bad_alloc"),
        (UNMAPPED, str(UNMAPPED)),
        (chained(ImportError("Unable to import numpy"), UNMAPPED), str(UNMAPPED)),
        (chained(PipelineError("cannot read"), MemoryError("so much")), "so much"),
        (OSError(errno.ENOMEM, "no memory"), "[Errno 12] no memory"),
        (RuntimeError("can't start new thread"), "can't start new thread"),
        (SystemError("error return without exception set"), "error return without exception set"),
        (
            SystemError("<function load> returned NULL without setting an exception"),
            "<function load> returned NULL without setting an exception",
        ),
        (ImportError("No module named numpy"), None),
        (set_aside(PipelineError("it is too large"), MemoryError()), None),
        (OSError(errno.ENOSPC, "no space"), None),
        (RuntimeError("a bug"), None),
    ],
)
def test_what_is_for_want_of_memory(error: Exception, reason: str | None) -> None:
    assert lacked_memory(error) == reason


def one_fault(project: Project) -> Iterator[Result]:
    yield Result(project.folder.name, "a message", "all")


def no_fault(project: Project) -> Iterator[Result]:
    yield from ()


def a_finding(project: Project) -> Iterator[Result]:
    yield from one_fault(project)
    raise FindingError("what must not happen")


def without_a_compiler(project: Project) -> Iterator[Result]:
    subprocess.run(["no-such-compiler"])
    yield from one_fault(project)


def test_a_group_of_faults_is_right_or_says_what_is_wrong(tmp_path: Path) -> None:
    tally, reports = Tally(), list[str]()
    groups = (one_fault, no_fault, a_finding, without_a_compiler, one_fault)
    ended = [provoke(group, Project(tmp_path), tally, reports.append) for group in groups]
    assert ended == [True, False, False, False, True]
    assert (tally.right, tally.wrong) == (3, 3)
    found = [report for report in reports if report.startswith("FOUND")]
    assert "no_fault: it provoked no fault" in found[0]
    assert "a_finding: what must not happen" in found[1]
    assert "'no-such-compiler'" in found[2]


@pytest.mark.parametrize(
    ("status", "text", "libraries", "right"),
    [
        (1, f"{memory.SAID} (std::bad_alloc). Choose", memory.LIBRARIES, True),
        (1, memory.LIBRARIES[-1], memory.LIBRARIES, True),
        (-6, memory.UNCAUGHT, memory.TORCH, True),
        (-6, memory.UNCAUGHT, memory.LIBRARIES, False),
        (-6, f"{memory.LIBRARIES[-1]}\n{memory.UNCAUGHT}", memory.LIBRARIES, False),
        (-11, f"{memory.SAID}. Choose", memory.LIBRARIES, False),
        (-9, "", memory.TORCH, False),
        (0, f"{memory.SAID}. Choose", memory.LIBRARIES, False),
    ],
)
def test_what_may_end_a_stage_for_want_of_memory(
    status: int, text: str, libraries: tuple[str, ...], right: bool
) -> None:
    if right:
        assert memory.memory_message(status, text, libraries) == text
    else:
        with pytest.raises(FindingError):
            memory.memory_message(status, text, libraries)
