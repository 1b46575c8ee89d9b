"""A wall clock that jumps by a day, forwards and back, while stages measure times."""

import csv
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.faults.project import RUN, TRAIN, Project
from tests.faults.report import Result
from tests.kill.run import FindingError

# No stage of the short project takes so long, and the clock jumps by more.
MOST_SECONDS = 3600.0


def jumping_clock(project: Project) -> Iterator[Result]:
    """Train and profile under such a clock: every duration must be what it was."""
    library = project.folder.parent / "jumping_clock.so"
    source = Path(__file__).with_name("jumping_clock.c")
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    environment = {**os.environ, "LD_PRELOAD": str(library)}
    folder = project.folder
    probe = project.run(
        *("python", "-c", "import time; print(*(time.time() for _ in range(20)))"),
        environment=environment,
    )
    times = [float(time) for time in probe.stdout.split()]
    if max(times) - min(times) < MOST_SECONDS:
        raise FindingError(f"the clock does not jump: {probe.stdout}{probe.stderr}")
    for stage in (
        TRAIN,
        ("scaling",),
        ("profile", "--architecture", "mlp-128"),
        ("inference", "--architecture", "mlp-128"),
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
                if "seconds" in name and text:
                    seconds = float(text) * (1e-6 if name.startswith("micro") else 1)
                    # A curve of memory begins before the network is built, at its second 0.
                    least = -MOST_SECONDS if path.name == "memory_curve.csv" else 0.0
                    _check(path.name, name, seconds, least)
                    worst = max(worst, seconds)
    return worst


def _check(where: str, name: str, seconds: float, least: float = 0.0) -> None:
    if not least <= seconds < MOST_SECONDS:
        raise FindingError(f"{where}: {name} is {seconds}")
