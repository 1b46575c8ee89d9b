"""Kill `dvc repro` again and again until it has finished, and compare with one left alone."""

import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.kill import project
from tests.kill.attempt import Attempt, repro
from tests.kill.outputs import FOLDERS, fingerprints, leftovers

# A stage must now and then have the time to finish: kills come within this many times what the
# longest takes.
SPAN = 1.5
# As often in a row DVC may need help before that is a finding.
MOST_RECOVERIES = 2


class FindingError(Exception):
    """What must not happen."""


@dataclass
class Tally:
    """What has been done.

    Attributes:
        kills: by the stage that had started last.
        runs: of the pipeline that were disturbed and ended as they should.
        resumed: trainings that went on from a checkpoint.
        recovered: times that DVC did not start until `python -m pipeline recover`.
    """

    kills: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    resumed: int = 0
    recovered: int = 0


def run(kills: int, seed: int, report: Callable[[str], None]) -> Tally:
    """Kill `dvc repro` so many times, at moments that `seed` chooses.

    Raises:
        FindingError: a run did not go on after a kill, or left something else than the
            undisturbed one. The folder, which is reported first, stays.
    """
    temporary = Path(tempfile.mkdtemp(prefix="kill-"))
    folder = temporary / "project"
    folder.mkdir()
    report(f"seed {seed}; the copy of the project is {folder}")
    project.make(folder)
    undisturbed = repro(folder)
    if undisturbed.status != 0:
        raise FindingError(f"the undisturbed run failed:\n{undisturbed.output}")
    expected = check(folder)
    longest = undisturbed.longest()
    report(
        f"undisturbed: {undisturbed.seconds:.0f} s, the longest stage {longest:.0f} s, "
        f"{len(expected)} files"
    )
    random = Random(seed)
    tally = Tally()
    while tally.kills.total() < kills:
        forget(folder)
        before = tally.kills.total()
        _disturbed(folder, kills, SPAN * longest, random, tally, report)
        actual = check(folder)
        if actual != expected:
            names = [n for n in {**actual, **expected} if actual.get(n) != expected.get(n)]
            raise FindingError(f"other than undisturbed: {', '.join(sorted(names))}")
        tally.runs += 1
        report(
            f"run {tally.runs}: the same after {tally.kills.total() - before} kills; "
            f"{tally.kills.total()} of {kills}, {tally.resumed} resumed, "
            f"{tally.recovered} recovered"
        )
    shutil.rmtree(temporary)
    return tally


def _disturbed(
    folder: Path,
    kills: int,
    span: float,
    random: Random,
    tally: Tally,
    report: Callable[[str], None],
) -> None:
    """Start and kill `dvc repro` until one finishes, the last undisturbed."""
    helped = 0
    while True:
        left = kills - tally.kills.total()
        attempt = repro(folder, random.uniform(0, span) if left > 0 else None)
        _note(attempt, tally)
        if attempt.killed:
            tally.kills[attempt.stage] += 1
            report(f"kill {tally.kills.total()}, {attempt.seconds:.1f} s on: {attempt.stage}")
            helped = 0
        elif attempt.status == 0:
            return
        else:
            helped += 1
            _recover(folder, attempt, helped)
            tally.recovered += 1
            report("DVC did not start until it was recovered")


def _note(attempt: Attempt, tally: Tally) -> None:
    tally.resumed += attempt.output.count("goes on after epoch")
    # Nothing else changes here: every checkpoint that there is is whole and the run's own.
    if "is ignored, and training begins anew" in attempt.output:
        raise FindingError(f"a checkpoint was ignored:\n{attempt.output}")


def _recover(folder: Path, attempt: Attempt, helped: int) -> None:
    """Do what the README says for when DVC does not start."""
    recovered = subprocess.run(
        ["python", "-m", "pipeline", "recover"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if helped > MOST_RECOVERIES or "Run `dvc repro`" not in recovered.stdout:
        raise FindingError(
            f"dvc repro failed after a kill:\n{attempt.output}"
            f"and recover said:\n{recovered.stdout}{recovered.stderr}"
        )


def check(folder: Path) -> dict[str, str]:
    """Return the outputs' fingerprints after looking at all that a finished run must be."""
    status = subprocess.run(
        ["dvc", "status"], cwd=folder, capture_output=True, text=True, check=False
    )
    if "up to date" not in status.stdout:
        raise FindingError(f"dvc status is not quiet:\n{status.stdout}{status.stderr}")
    if left := leftovers(folder):
        raise FindingError(f"left behind: {', '.join(left)}")
    try:
        return fingerprints(folder)
    except AssertionError as error:
        raise FindingError(f"not whole: {error}") from error


def forget(folder: Path) -> None:
    """Delete all results and all that DVC knows of them."""
    for name in (*FOLDERS, "checkpoints", ".dvc/cache", ".dvc/tmp"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for lock in folder.glob("dvc.lock*"):
        lock.unlink()
    shutil.rmtree(folder.parent / "site", ignore_errors=True)
