"""Provoke faults, one group after the other, in one copy of the project."""

import shutil
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.robustness.faults import cache, clock, data, disk, memory, twice
from tests.robustness.faults.project import Project
from tests.robustness.faults.report import Result
from tests.robustness.kill.attempt import Attempt, repro
from tests.robustness.kill.run import FindingError, check

Group = Callable[[Project], Iterator[Result]]
# In this order: most take a finished pipeline and leave it so, the first as DVC knows it; the last
# four begin with nothing.
GROUPS: tuple[Group, ...] = (
    cache.damaged_cache,
    clock.jumping_dates,
    memory.short_of_memory,
    data.damaged_before,
    twice.two_trainings,
    clock.jumping_clock,
    disk.full_for_stages,
    disk.read_only_for_stages,
    disk.full_for_dvc,
    data.changed_meanwhile,
    twice.two_of_dvc,
    clock.jumping_clock_for_dvc,
)
ON_DISK = (disk.full_for_stages, disk.read_only_for_stages, disk.full_for_dvc)


@dataclass
class Tally:
    """What came of the groups.

    Attributes:
        right: faults that ended as they should.
        wrong: groups that had another, or none.
        left_out: the names of groups that cannot run here.
    """

    right: int = 0
    wrong: int = 0
    left_out: list[str] = field(default_factory=list)


def run(groups: Sequence[Group], tally: Tally, report: Callable[[str], None]) -> None:
    """Provoke the faults of `groups`, report each and count it in `tally`.

    Raises:
        FindingError: an undisturbed run failed.
    """
    temporary = Path(tempfile.mkdtemp(prefix="faults-"))
    mounted = disk.mount(temporary)
    if not mounted:
        tally.left_out = [group.__name__ for group in groups if group in ON_DISK]
        if tally.left_out:
            report("left out: a full and a read-only disk, for a small one cannot be mounted here")
        groups = [group for group in groups if group not in ON_DISK]
    try:
        if groups:
            _provoke_all(groups, Project(temporary / "project"), tally, report)
    finally:
        if mounted:
            disk.unmount(temporary)
        # Whatever went wrong before is not to be hidden.
        shutil.rmtree(temporary, ignore_errors=True)


def _provoke_all(
    groups: Sequence[Group], project: Project, tally: Tally, report: Callable[[str], None]
) -> None:
    project.folder.mkdir()
    project.make()
    undisturbed = _finish(project)
    project.expected = check(project.folder)
    report(f"undisturbed: {undisturbed.seconds:.0f} s, {len(project.expected)} files")
    left_finished = True
    for group in groups:
        if not left_finished:
            _finish(project)
        left_finished = provoke(group, project, tally, report)


def _finish(project: Project) -> Attempt:
    project.forget()
    attempt = repro(project.folder)
    if attempt.status != 0:
        raise FindingError(f"the undisturbed run failed:\n{attempt.output}")
    return attempt


def provoke(group: Group, project: Project, tally: Tally, report: Callable[[str], None]) -> bool:
    """Provoke the faults of a group; return whether all ended as they should."""
    before = tally.right
    try:
        for result in group(project):
            tally.right += 1
            report(str(result))
        if tally.right == before:
            raise FindingError("it provoked no fault")
    except FindingError as error:
        found = str(error)
    # What a group had not foreseen, which says nothing of the others.
    except Exception:
        found = traceback.format_exc()
    else:
        return True
    tally.wrong += 1
    report(f"FOUND in {group.__name__}: {found}")
    return False
