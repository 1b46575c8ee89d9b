"""Kill `dvc repro` again and again until it has finished, and compare with one left alone."""

import os
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.robustness.kill import project
from tests.robustness.kill.attempt import Attempt, repro, with_own_site
from tests.robustness.kill.outputs import FOLDERS, fingerprints, leftovers, so_far
from tests.robustness.kill.places import STARTING, TRAININGS, Place, durations, visited
from tests.robustness.kill.plan import Plan

# From so many kills on, every kind of stage must be among them, and trainings that went on.
MANY = 100
# What a killed process of any tool could leave behind, or share with another such run.
_OWN = {
    "HOME": "home",
    "TMPDIR": "tmp",
    "XDG_CACHE_HOME": "home/cache",
    "XDG_CONFIG_HOME": "home/config",
}


class FindingError(Exception):
    """What must not happen."""


@dataclass
class Tally:
    """What has been done.

    Attributes:
        kinds: all that may be killed: stages, and what DVC does between them.
        kills: by kind.
        runs: of the pipeline that were disturbed and ended as they should.
        resumed: trainings that went on from a checkpoint, by stage.
        recovered: times that DVC did not start until `python -m pipeline recover`.
    """

    kinds: tuple[str, ...]
    kills: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    resumed: Counter[str] = field(default_factory=Counter)
    recovered: int = 0

    def check(self) -> None:
        """Look whether what should be hit was.

        Raises:
            FindingError: something was not, of many kills.
        """
        if self.kills.total() < MANY:
            return
        if missed := [kind for kind in self.kinds if self.kills[kind] == 0]:
            raise FindingError(f"never killed: {', '.join(missed)}")
        if missed := [stage for stage in TRAININGS if self.resumed[stage] == 0]:
            raise FindingError(f"never resumed: {', '.join(missed)}")


def run(kills: int, seed: int, report: Callable[[str], None]) -> Tally:
    """Kill `dvc repro` so many times, at moments that `seed` chooses.

    Raises:
        FindingError: a run did not go on after a kill, or left something else than the
            undisturbed one, or kills missed what they should hit. The folder, which is reported
            first, then stays; it is removed in any other case.
    """
    temporary = Path(tempfile.mkdtemp(prefix="kill-"))
    folder = temporary / "project"
    report(f"seed {seed}; the copy of the project is {folder}")
    try:
        tally = _run(folder, kills, Random(seed), report)
    except FindingError:
        raise
    except BaseException:
        shutil.rmtree(temporary)
        raise
    shutil.rmtree(temporary)
    return tally


def _run(folder: Path, kills: int, random: Random, report: Callable[[str], None]) -> Tally:
    folder.mkdir()
    environment = _environment(folder.parent)
    project.make(folder)
    undisturbed = repro(folder, environment=environment)
    if undisturbed.status != 0:
        raise FindingError(f"the undisturbed run failed:\n{undisturbed.output}")
    expected = check(folder, environment)
    times = durations(undisturbed.lines, undisturbed.seconds)
    tally = Tally(tuple(dict.fromkeys(place.kind for place in times)))
    report(f"undisturbed: {undisturbed.seconds:.0f} s, {len(expected)} files")
    while (left := kills - tally.kills.total()) > 0:
        forget(folder)
        disturbed = _Disturbed(folder, environment, expected, tally, report)
        disturbed.finish(Plan(times, left, random))
        _compare(check(folder, environment), expected)
        tally.runs += 1
        report(
            f"run {tally.runs}: the same after {left - (kills - tally.kills.total())} kills; "
            f"{tally.kills.total()} of {kills}, {tally.resumed.total()} resumed, "
            f"{tally.recovered} recovered"
        )
    tally.check()
    return tally


def _environment(temporary: Path) -> dict[str, str]:
    environment = {**os.environ, "SHELL": str(Path(__file__).with_name("shell"))}
    for name, folder in _OWN.items():
        (temporary / folder).mkdir(parents=True, exist_ok=True)
        environment[name] = str(temporary / folder)
    return environment


@dataclass
class _Disturbed:
    """One run of the pipeline: `dvc repro` until one finishes."""

    folder: Path
    environment: Mapping[str, str]
    expected: Mapping[str, str]
    tally: Tally
    report: Callable[[str], None]

    def finish(self, plan: Plan) -> None:
        was_killed = False
        while True:
            attempt = repro(
                self.folder, plan.start(), on_line=plan.on_line, environment=self.environment
            )
            place = self._note(attempt)
            if attempt.killed:
                self.tally.kills[place.kind] += 1
                self.report(f"kill {self.tally.kills.total()}, {attempt.seconds:.1f} s on: {place}")
                self._check_what_is_there()
            elif attempt.status == 0:
                return
            else:
                self._recover(attempt, was_killed)
                self.tally.recovered += 1
                self.report("DVC did not start until it was recovered")
            was_killed = attempt.killed

    def _note(self, attempt: Attempt) -> Place:
        """Count the trainings that went on, and return where the attempt ended."""
        # Nothing else changes here: every checkpoint that there is is whole and the run's own.
        if "is ignored, and training begins anew" in attempt.output:
            raise FindingError(f"a checkpoint was ignored:\n{attempt.output}")
        place = Place(STARTING)
        for _, place, line in visited(attempt.lines):
            if "goes on after epoch" in line:
                self.tally.resumed[place.kind] += 1
        return place

    def _check_what_is_there(self) -> None:
        try:
            there = so_far(self.folder)
        except AssertionError as error:
            raise FindingError(f"not whole after a kill: {error}") from error
        _compare(there, {name: self.expected.get(name, "nothing") for name in there})

    def _recover(self, attempt: Attempt, was_killed: bool) -> None:
        """Do what docs/robustness.md says for a DVC that does not start after a kill: once."""
        if not was_killed:
            raise FindingError(f"dvc repro failed, and not after a kill:\n{attempt.output}")
        recovered = subprocess.run(
            ["python", "-m", "pipeline", "recover"],
            cwd=self.folder,
            env=with_own_site(self.folder, self.environment),
            capture_output=True,
            text=True,
            check=False,
        )
        if "Run `dvc repro`" not in recovered.stdout:
            raise FindingError(
                f"dvc repro failed after a kill:\n{attempt.output}"
                f"and recover said:\n{recovered.stdout}{recovered.stderr}"
            )


def _compare(actual: Mapping[str, str], expected: Mapping[str, str]) -> None:
    if actual != expected:
        names = [n for n in {**actual, **expected} if actual.get(n) != expected.get(n)]
        raise FindingError(f"other than undisturbed: {', '.join(sorted(names))}")


def check(folder: Path, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the outputs' fingerprints after looking at all that a finished run must be."""
    status = subprocess.run(
        ["dvc", "status"],
        cwd=folder,
        env=with_own_site(folder, environment),
        capture_output=True,
        text=True,
        check=False,
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
