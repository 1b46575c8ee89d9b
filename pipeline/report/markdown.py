"""Tables as Markdown."""

from collections.abc import Iterable, Sequence

from tabulate import tabulate


def markdown(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table whose first column is aligned left, all others right."""
    return tabulate(
        [[str(cell) for cell in row] for row in rows],
        headers=list(headers),
        tablefmt="github",
        colalign=["left", *("right" for _ in headers[1:])],
        disable_numparse=True,
    )
