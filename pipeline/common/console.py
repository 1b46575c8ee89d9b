"""Progress of long work: a bar on a terminal, plain lines elsewhere.

rich takes 3 MiB, so that only a process with a terminal imports it.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Advance(Protocol):
    """Called once a unit of work is done, with a line about it."""

    def __call__(self, message: str) -> None:
        """Show that one more unit is done."""


def echo(message: str) -> None:
    """Print a line as it is, at once: who reads it may wait for it."""
    print(message, flush=True)


@contextmanager
def progress(title: str, total: int, done: int = 0) -> Iterator[Advance]:
    """Track `total` units of work under `title`, of which `done` have been done before."""
    if not sys.stdout.isatty():

        def advance(message: str) -> None:
            nonlocal done
            done += 1
            echo(f"{title} {done}/{total}: {message}")

        yield advance
        return

    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[message]}"),
    )
    with Progress(*columns, console=Console(highlight=False, soft_wrap=True)) as bar:
        task = bar.add_task(title, total=total, completed=done, message="")
        yield lambda message: bar.update(task, advance=1, message=message)
