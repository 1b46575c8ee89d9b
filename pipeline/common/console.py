"""Progress of long work: a bar on a terminal, plain lines elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

console = Console(highlight=False, soft_wrap=True)


class Advance(Protocol):
    """Called once a unit of work is done, with a line about it."""

    def __call__(self, message: str) -> None:
        """Show that one more unit is done."""


def echo(message: str) -> None:
    """Print a line as it is (brackets are not markup)."""
    console.print(message, markup=False)


@contextmanager
def progress(title: str, total: int, done: int = 0) -> Iterator[Advance]:
    """Track `total` units of work under `title`, of which `done` have been done before."""
    if not console.is_terminal:

        def advance(message: str) -> None:
            nonlocal done
            done += 1
            echo(f"{title} {done}/{total}: {message}")

        yield advance
        return

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[message]}"),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(title, total=total, completed=done, message="")
        yield lambda message: bar.update(task, advance=1, message=message)
