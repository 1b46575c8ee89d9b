"""One `dvc repro`, which may be killed."""

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

_RUNNING = re.compile(r"Running stage '(.+)':")


@dataclass(frozen=True)
class Attempt:
    """How it went.

    Attributes:
        status: of DVC; -9 if it was killed.
        seconds: from its start to its end.
        lines: what it and its stages printed, with the seconds when.
    """

    status: int
    seconds: float
    lines: tuple[tuple[float, str], ...]

    @property
    def killed(self) -> bool:
        """Whether it was killed and not faster."""
        return self.status == -signal.SIGKILL

    @property
    def output(self) -> str:
        """All that was printed."""
        return "".join(line for _, line in self.lines)

    @property
    def stage(self) -> str:
        """The stage that ran last, without its parameters, or what comes before the first."""
        names = _RUNNING.findall(self.output)
        return names[-1] if names else "before the first stage"

    def longest(self) -> float:
        """Return the most seconds that lie between the starts of two stages, or to the end."""
        starts = [0.0, *(at for at, line in self.lines if _RUNNING.search(line)), self.seconds]
        return max(end - start for start, end in pairwise(starts))


def repro(
    folder: Path,
    kill_after: float | None = None,
    targets: Sequence[str] = (),
    on_line: Callable[[str], None] = lambda _: None,
) -> Attempt:
    """Run `dvc repro` in `folder`; kill it and all that it started after so many seconds.

    Args:
        folder: of the project.
        kill_after: None lets it end.
        targets: stages; all of them unless any is named.
        on_line: called with every line that it prints, as soon as it does.
    """
    environment = {
        **os.environ,
        # What DVC keeps outside the project goes where the copy goes.
        "DVC_SITE_CACHE_DIR": str(folder.parent / "site"),
        "PYTHONUNBUFFERED": "1",
    }
    start = time.monotonic()
    process = subprocess.Popen(
        ["dvc", "repro", *targets],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    timer = None
    if kill_after is not None:
        timer = threading.Timer(kill_after, _kill_group, (process.pid,))
        timer.start()
    assert process.stdout is not None
    # It ends when nobody is left who could write.
    lines = []
    for line in process.stdout:
        lines.append((time.monotonic() - start, line))
        on_line(line)
    if timer is not None:
        timer.cancel()
        # The process is waited for only then: until it is, nobody else gets its number.
        timer.join()
    return Attempt(process.wait(), time.monotonic() - start, tuple(lines))


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
