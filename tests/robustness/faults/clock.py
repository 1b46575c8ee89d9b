"""A wall clock that jumps by a day, forwards and back, and dates of files that jump by years."""

import csv
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.robustness.faults.project import RUN, STAGE, TRAIN, Project
from tests.robustness.faults.report import Result
from tests.robustness.kill.attempt import repro
from tests.robustness.kill.run import FindingError, check

# No stage of the short project takes so long, and the clock jumps by more.
MAX_SECONDS = 3600.0
YEARS = 10 * 365 * 24 * 60 * 60


def jumping_dates(project: Project) -> Iterator[Result]:
    """Date all files of a finished pipeline, DVC's too, into the future and the past."""
    for what, years in (("future", YEARS), ("past", -YEARS)):
        date = time.time() + years
        for path in project.folder.rglob("*"):
            os.utime(path, (date, date))
        attempt = repro(project.folder)
        if attempt.status != 0 or "Running stage" in attempt.output:
            raise FindingError(f"all files of the {what}:\n{attempt.output}")
        check(project.folder)
        yield Result(
            f"all files dated ten years into the {what}: dvc repro",
            attempt.output.splitlines()[-1],
            f"{project.check_kept()}, no stage run again",
        )


def jumping_clock_for_dvc(project: Project) -> Iterator[Result]:
    """Let DVC fetch and train from nothing under such a clock, and look again."""
    environment = _environment(project)
    project.forget()
    for what, runs in (("from nothing", 2), ("once more", 0)):
        done = project.run("dvc", "repro", STAGE, environment=environment)
        if done.returncode != 0 or done.stdout.count("Running stage") != runs:
            raise FindingError(f"dvc repro under a jumping clock:\n{done.stdout}{done.stderr}")
        yield Result(
            f"a clock that jumps by a day: dvc repro, {what}",
            done.stdout.splitlines()[-1],
            f"{project.check_kept('data', 'models', 'runs')}, {runs} stages run",
        )


def _environment(project: Project) -> dict[str, str]:
    """Return an environment whose clock jumps."""
    library = project.folder.parent / "jumping_clock.so"
    source = Path(__file__).with_name("jumping_clock.c")
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    environment = {**os.environ, "LD_PRELOAD": str(library)}
    probe = project.run(
        *("python", "-c", "import time; print(*(time.time() for _ in range(20)))"),
        environment=environment,
    )
    times = [float(time) for time in probe.stdout.split()]
    if max(times) - min(times) < MAX_SECONDS:
        raise FindingError(f"the clock does not jump: {probe.stdout}{probe.stderr}")
    return environment


def jumping_clock(project: Project) -> Iterator[Result]:
    """Train and profile under such a clock: every duration must be what it was."""
    environment = _environment(project)
    folder = project.folder
    for stage in (
        TRAIN,
        ("scaling",),
        ("profile", "--architecture", "mlp-128"),
        ("inference", "--architecture", "mlp-128"),
        ("study",),
        ("aggregate",),
    ):
        done = project.pipeline(*stage, environment=environment)
        if done.returncode != 0:
            raise FindingError(f"{stage} under a jumping clock:\n{done.stdout}{done.stderr}")
        paths = [
            *(folder / "runs" / RUN).rglob("*.csv"),
            *(folder / "profiles").rglob("*.csv"),
            *(folder / "reports/tables").rglob("*.csv"),
        ]
        # Others' durations.
        paths.remove(folder / "reports/tables/published.csv")
        worst = max(_check_csv(path) for path in paths)
        for path in (folder / "profiles").rglob("environment.json"):
            _check("environment.json", "seconds", json.loads(path.read_text())["seconds"])
        yield Result(
            f"a clock that jumps by a day: {stage[0]}",
            f"{done.stdout.splitlines()[-1]}; no duration is negative, none above {worst:.0f} s",
            project.check_kept(),
        )


def _check_csv(path: Path) -> float:
    """Return the most seconds in a table, after a look at all of them."""
    worst = 0.0
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            for name, text in row.items():
                # The study's own is somebody else's.
                if "seconds" in name and name != "study_seconds" and text:
                    seconds = float(text) * (1e-6 if name.startswith("micro") else 1)
                    # A curve of memory begins before the network is built, at its second 0.
                    least = -MAX_SECONDS if path.name == "memory_curve.csv" else 0.0
                    _check(path.name, name, seconds, least)
                    worst = max(worst, seconds)
    return worst


def _check(where: str, name: str, seconds: float, least: float = 0.0) -> None:
    if not least <= seconds < MAX_SECONDS:
        raise FindingError(f"{where}: {name} is {seconds}")
