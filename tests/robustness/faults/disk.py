"""A full disk, and one that cannot be written to: a file system in memory, filled or read-only."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.robustness.faults.project import STAGE, TRAIN, Project, message
from tests.robustness.faults.report import Result
from tests.robustness.kill.attempt import repro
from tests.robustness.kill.run import FindingError

SIZE = "128m"
KIB = 1024
FULL = "No space left on device"
READ_ONLY = "Read-only file system"
CLOSED = "DVC cannot write its own files"
# What a stage gets of the disk, in KiB: less than its outputs take, in all or for some of them.
STAGES = (
    (("fetch",), (0, 1000)),
    (TRAIN, (0, 8)),
    (("aggregate",), (0, 40)),
    (("plot",), (0, 300)),
    (("page",), (0, 64)),
)


def mount(folder: Path) -> bool:
    """Mount a small file system on `folder`; return whether that can be done here."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "faults", str(folder)]
    return subprocess.run(command, capture_output=True).returncode == 0


def unmount(folder: Path) -> None:
    """Undo `mount`; where something still uses the file system, it goes when that ends."""
    if subprocess.run(["umount", str(folder)], capture_output=True).returncode != 0:
        subprocess.run(["umount", "--lazy", str(folder)])


@contextlib.contextmanager
def filled(disk: Path, free: int) -> Iterator[None]:
    """Leave so many bytes of the disk free."""
    ballast = disk / "ballast"
    state = os.statvfs(disk)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, state.f_bavail * state.f_frsize - free))
    try:
        yield
    finally:
        ballast.unlink()


@contextlib.contextmanager
def read_only(disk: Path) -> Iterator[None]:
    """Let nobody write to the disk."""
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)


def full_for_stages(project: Project) -> Iterator[Result]:
    """Start stages of a finished pipeline on a full disk."""
    disk = project.folder.parent
    for stage, sizes in STAGES:
        for free in sizes:
            with filled(disk, free * KIB):
                done = project.pipeline(*stage)
            said = message(done.returncode, done.stderr, FULL)
            yield Result(f"disk full, {free} KiB free: {stage[0]}", said, project.check_kept())
    with filled(disk, 40 * KIB):
        done = project.pipeline(*TRAIN)
    # A failure to keep what is only an aid is none.
    said = message(1, done.stdout, "goes on without a checkpoint: cannot write")
    yield Result(f"disk full, 40 KiB free: {TRAIN[0]}", said, project.check_kept())
    with filled(disk, 0):
        done = project.pipeline("recover")
    said = message(done.returncode, done.stderr, CLOSED)
    yield Result("disk full, 0 KiB free: recover", said, project.check_kept())


def read_only_for_stages(project: Project) -> Iterator[Result]:
    """Start stages of a finished pipeline where nothing can be written."""
    with read_only(project.folder.parent):
        for stage, _ in STAGES:
            done = project.pipeline(*stage)
            said = message(done.returncode, done.stderr, READ_ONLY)
            yield Result(f"read-only disk: {stage[0]}", said, project.check_kept())
        done = project.pipeline("recover")
        said = message(done.returncode, done.stderr, CLOSED)
        yield Result("read-only disk: recover", said, project.check_kept())
        attempt = repro(project.folder)
        said = message(attempt.status, attempt.output, READ_ONLY, "ERROR")
    yield Result("read-only disk: dvc repro", said, project.check_kept())


def full_for_dvc(project: Project) -> Iterator[Result]:
    """Let `dvc repro` run into a full disk at several places, then go on with more space."""
    data = sum(path.stat().st_size for path in (project.folder / "data").iterdir())
    # Nothing; half of the data; the data and half of DVC's copy; both and a little more.
    for free in (0, data // 2, data * 3 // 2, data * 2 + 200 * KIB, data * 2 + 400 * KIB):
        project.forget()
        with filled(project.folder.parent, free):
            attempt = repro(project.folder, targets=[STAGE])
        lock = project.folder / "dvc.lock"
        fetched = lock.exists() and "fetch:" in lock.read_text()
        said = (
            "goes on without a checkpoint"
            if attempt.status == 0
            else message(attempt.status, attempt.output, FULL, "ERROR")
        )
        recovered = project.pipeline("recover")
        if recovered.returncode != 0:
            raise FindingError(f"recover after a full disk:\n{recovered.stderr}")
        again = repro(project.folder, targets=[STAGE])
        if again.status != 0 or (fetched and "Running stage 'fetch'" in again.output):
            raise FindingError(f"after a full disk:\n{attempt.output}\nthen:\n{again.output}")
        kept = project.check_kept("data", "models", "runs")
        yield Result(
            f"disk full, {free // KIB} KiB free: dvc repro, {attempt.stage}",
            said,
            f"{kept}{', fetch not run again' if fetched else ''}",
        )
