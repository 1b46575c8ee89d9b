"""Data that is not what it was: before a stage reads it, and while the stage runs."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.robustness.faults.project import MODEL, RUN, STAGE, TRAIN, Project, message
from tests.robustness.faults.report import Result
from tests.robustness.kill.attempt import repro
from tests.robustness.kill.run import FindingError


def damaged_before(project: Project) -> Iterator[Result]:
    """Cut a file short, or change a byte of it, before `train` reads it."""
    path = project.folder / "data" / "test-images.npy"
    whole = path.read_bytes()
    for what, content in (
        ("a data file cut short", whole[: len(whole) // 2]),
        ("a byte of a data file changed", whole[:-1] + bytes([whole[-1] ^ 1])),
    ):
        path.write_bytes(content)
        done = project.pipeline(*TRAIN)
        path.write_bytes(whole)
        said = message(done.returncode, done.stderr, "test-images.npy is not what fetch wrote")
        yield Result(f"{what}: train", said, project.check_kept())


def changed_meanwhile(project: Project) -> Iterator[Result]:
    """Change, cut, replace and delete data under a `dvc repro` that trains on it."""
    path = project.folder / "data" / "train-images.npy"
    for what, change in _CHANGES.items():
        project.forget()

        def on_line(line: str, change: Callable[[Path], None] = change) -> None:
            if line.startswith(f"{RUN} 3/"):
                change(path)

        attempt = repro(project.folder, targets=[STAGE], on_line=on_line)
        said = message(attempt.status, attempt.output, "was changed while it was in use")
        if (project.folder / MODEL).exists():
            raise FindingError("a model of data that is not there was written")
        again = repro(project.folder, targets=[STAGE])
        if again.status != 0 or "Running stage 'fetch'" in again.output:
            raise FindingError(f"after changed data:\n{again.output}")
        if "goes on after epoch" not in again.output:
            raise FindingError(f"the training began anew:\n{again.output}")
        kept = project.check_kept("data", "models", "runs")
        yield Result(
            f"{what} while a stage trains: dvc repro",
            said,
            f"{kept}, went on from the checkpoint",
        )


def _flip(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)[0]
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last ^ 1]))


def _cut(path: Path) -> None:
    os.truncate(path, 0)


def _replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes()[::-1])
    other.replace(path)


_CHANGES: dict[str, Callable[[Path], None]] = {
    "a byte of a data file changed": _flip,
    "a data file cut to nothing": _cut,
    "a data file replaced": _replace,
    "a data file deleted": Path.unlink,
}
