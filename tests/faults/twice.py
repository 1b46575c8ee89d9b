"""The same work, started twice at once; and `recover` under a running DVC."""

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from tests.faults.project import RUN, STAGE, TRAIN, Project, message
from tests.faults.report import Result
from tests.kill.attempt import Attempt, repro
from tests.kill.run import FindingError


def two_of_dvc(project: Project) -> Iterator[Result]:
    """Start `dvc repro` and, while it trains, another, and `python -m pipeline recover`."""
    project.forget()
    others: list[Attempt] = []
    recoveries: list[subprocess.CompletedProcess[str]] = []

    def start(line: str) -> None:
        if line.startswith(f"{RUN} 1/"):
            others.append(repro(project.folder, targets=[STAGE]))
            recoveries.append(project.pipeline("recover"))

    first = repro(project.folder, targets=[STAGE], on_line=start)
    (other,), (recovered,) = others, recoveries
    if first.status != 0:
        raise FindingError(f"the first was disturbed:\n{first.output}")
    kept = project.check_kept("data", "models", "runs")
    said = message(other.status, other.output, "is busy", "Unable to acquire lock")
    yield Result("a second dvc repro at once", said, f"the first ended: {kept}")
    said = message(recovered.returncode, recovered.stderr, "DVC is at work here")
    yield Result("recover under a running dvc repro", said, f"the first ended: {kept}")


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
