"""Provoke faults, one group after the other, in one copy of the project."""

import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.faults import cache, clock, data, disk, memory, twice
from tests.faults.project import Project
from tests.faults.report import Result
from tests.kill.attempt import repro
from tests.kill.run import FindingError, check

Group = Callable[[Project], Iterator[Result]]
# In this order: most take a finished pipeline and leave it so, the first as DVC knows it; the last
# three begin with nothing.
GROUPS: tuple[Group, ...] = (
    cache.damaged_cache,
    memory.short_of_memory,
    data.damaged_before,
    twice.two_trainings,
    clock.jumping_clock,
    disk.full_for_stages,
    disk.read_only_for_stages,
    disk.full_for_dvc,
    data.changed_meanwhile,
    twice.two_of_dvc,
)
ON_DISK = (disk.full_for_stages, disk.read_only_for_stages, disk.full_for_dvc)


@dataclass
class Tally:
    """How many faults ended as they should, and how many groups of them did not."""

    right: int = 0
    wrong: int = 0


def run(names: Collection[str], report: Callable[[str], None]) -> Tally:
    """Provoke the faults of the groups of these names, or of all, and report each.

    Raises:
        FindingError: the undisturbed run failed.
    """
    temporary = Path(tempfile.mkdtemp(prefix="faults-"))
    mounted = disk.mount(temporary)
    if not mounted:
        report("skipped: a full and a read-only disk; only root may mount the small one they need")
    tally = Tally()
    try:
        folder = temporary / "project"
        folder.mkdir()
        project = Project(folder)
        project.make()
        undisturbed = repro(folder)
        if undisturbed.status != 0:
            raise FindingError(f"the undisturbed run failed:\n{undisturbed.output}")
        project.expected = check(folder)
        report(f"undisturbed: {undisturbed.seconds:.0f} s, {len(project.expected)} files")
        for group in GROUPS:
            if (mounted or group not in ON_DISK) and (not names or group.__name__ in names):
                _provoke(group, project, tally, report)
    finally:
        if mounted:
            disk.unmount(temporary)
        shutil.rmtree(temporary)
    return tally


def _provoke(group: Group, project: Project, tally: Tally, report: Callable[[str], None]) -> None:
    try:
        for result in group(project):
            tally.right += 1
            report(str(result))
    except FindingError as error:
        tally.wrong += 1
        report(f"FOUND in {group.__name__}: {error}")
