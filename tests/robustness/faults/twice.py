"""The same work, started twice at once; and `recover` under a running DVC."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from tests.robustness.faults.project import STAGE, TRAIN, Project, message
from tests.robustness.faults.report import Result
from tests.robustness.kill.attempt import Attempt, repro
from tests.robustness.kill.run import FindingError

# A stage that DVC has announced has certainly started by then.
MAX_SECONDS = 60.0


def two_of_dvc(project: Project) -> Iterator[Result]:
    """Hold the training of a `dvc repro`, start another meanwhile, and `recover`; let it go on."""
    project.forget()
    others: list[Attempt] = []
    recoveries: list[subprocess.CompletedProcess[str]] = []

    def on_line(line: str) -> None:
        if f"Running stage '{STAGE}'" in line:
            with _held(project.folder):
                others.append(repro(project.folder, targets=[STAGE]))
                recoveries.append(project.pipeline("recover"))

    first = repro(project.folder, targets=[STAGE], on_line=on_line)
    if first.status != 0 or not recoveries:
        raise FindingError(f"the first was disturbed:\n{first.output}")
    (other,), (recovered,) = others, recoveries
    kept = project.check_kept("data", "models", "runs")
    said = message(other.status, other.output, "is busy", "Unable to acquire lock")
    yield Result("a second dvc repro at once", said, f"the first ended: {kept}")
    said = message(recovered.returncode, recovered.stderr, "DVC is at work here")
    yield Result("recover under a running dvc repro", said, f"the first ended: {kept}")


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Wait for the training in `folder` to start, and stop it; let it go on at the end."""
    training = _training(folder)
    training.suspend()
    try:
        yield
        if training.status() != psutil.STATUS_STOPPED:
            raise FindingError(f"the training went on meanwhile: it is {training.status()}")
    finally:
        training.resume()


def _training(folder: Path) -> psutil.Process:
    deadline = time.monotonic() + MAX_SECONDS
    while time.monotonic() < deadline:
        for process in psutil.process_iter():
            # Others' processes come and go, and may be hidden.
            with contextlib.suppress(psutil.Error):
                command = process.cmdline()
                if command[1:] == ["-m", "pipeline", *TRAIN] and folder.samefile(process.cwd()):
                    return process
        time.sleep(0.01)
    raise FindingError("the training did not start")


def two_trainings(project: Project) -> Iterator[Result]:
    """Train the same network twice at once, without DVC, several times."""
    for _ in range(3):
        with ThreadPoolExecutor() as pool:
            both: list[subprocess.CompletedProcess[str]] = list(
                pool.map(lambda _: project.pipeline(*TRAIN), range(2))
            )
        for done in both:
            if done.returncode != 0:
                raise FindingError(f"one of two:\n{done.stdout}{done.stderr}")
    yield Result(
        "the same network trained twice at once, 3 times",
        both[0].stdout.splitlines()[-1],
        project.check_kept("data", "models", "runs"),
    )
