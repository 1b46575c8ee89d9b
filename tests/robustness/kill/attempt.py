"""One `dvc repro`, which may be killed."""

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
        """The stage that ran last, or what comes before the first."""
        names = _RUNNING.findall(self.output)
        return names[-1] if names else "before the first stage"


def with_own_site(folder: Path, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment in which what DVC keeps outside `folder` goes beside it."""
    return {**environment, "DVC_SITE_CACHE_DIR": str(folder.parent / "site")}


def repro(
    folder: Path,
    kill_after: float | None = None,
    targets: Sequence[str] = (),
    on_line: Callable[[str], float | None] = lambda _: None,
    environment: Mapping[str, str] = os.environ,
) -> Attempt:
    """Run `dvc repro` in `folder`; kill it and all that it started, at most once, if told to.

    However this function is left, nothing that it started runs on.

    Args:
        folder: of the project.
        kill_after: so many seconds; None lets it begin.
        targets: stages; all of them unless any is named.
        on_line: called with every line that it prints, as soon as it does; returns after how
            many seconds to kill, or None.
        environment: of the process.
    """
    start = time.monotonic()
    process = subprocess.Popen(
        ["dvc", "repro", *targets],
        cwd=folder,
        env={**with_own_site(folder, environment), "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    timer = None
    try:
        if kill_after is not None:
            timer = _kill_later(process.pid, kill_after)
        assert process.stdout is not None
        # It ends when nobody is left who could write.
        lines = []
        for line in process.stdout:
            lines.append((time.monotonic() - start, line))
            wait = on_line(line)
            if timer is None and wait is not None:
                timer = _kill_later(process.pid, wait)
    except BaseException:
        _kill_group(process.pid)
        raise
    finally:
        if timer is not None:
            timer.cancel()
            # The process is waited for only then: until it is, nobody else gets its number.
            timer.join()
        status = process.wait()
    return Attempt(status, time.monotonic() - start, tuple(lines))


def _kill_later(group: int, seconds: float) -> threading.Timer:
    timer = threading.Timer(seconds, _kill_group, (group,))
    timer.start()
    return timer


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
