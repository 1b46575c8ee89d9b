"""One style for all figures: colour-blind safe, legible at half size."""

import math
from collections.abc import Iterable, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any, Literal

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

# Okabe & Ito, "Color Universal Design", 2008: told apart with any colour vision. Yellow is
# left out, for it is faint on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
# Paul Tol, "Colour Schemes", 2021, muted, and a grey: for parts of a whole, and for what is no
# method, told apart from the methods' colours.
PART_COLOURS = (
    *("#332288", "#88CCEE", "#CC6677", "#999933", "#882255", "#117733", "#AA4499"),
    *("#44AA99", "#DDCC77", "#BBBBBB"),
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

STYLE: dict[Any, Any] = {
    "font.size": 14,
    "axes.titlesize": 15,
    "axes.labelsize": 14,
    "legend.fontsize": 13,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.8,
    "lines.linewidth": 2.2,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.w_pad": 0.1,
    "figure.constrained_layout.h_pad": 0.1,
    # Ids in SVG files are then the same in every run.
    "svg.hashsalt": "pipeline",
    "svg.fonttype": "none",
}

DOTS_PER_INCH = 130


def save(figure: Figure, folder: Path, name: str) -> None:
    """Write NAME.png and NAME.svg into `folder`."""
    figure.savefig(folder / f"{name}.png", dpi=DOTS_PER_INCH)
    # Without a date, the same tables give the same file.
    figure.savefig(folder / f"{name}.svg", metadata={"Date": None})


def in_order(values: Iterable[object]) -> list[str]:
    """Return the distinct values as text, in order of appearance."""
    return list(dict.fromkeys(str(value) for value in values))


def colour_of(methods: Iterable[object]) -> dict[str, str]:
    """Give every method its colour."""
    return dict(zip(in_order(methods), cycle(COLOURS), strict=False))


def marker_of(names: Iterable[object]) -> dict[str, str]:
    """Give every name its marker."""
    return dict(zip(in_order(names), cycle(MARKERS), strict=False))


def method_legend(
    figure: Figure,
    colours: dict[str, str],
    extra: Sequence[Artist] = (),
    markers: dict[str, str] | None = None,
) -> None:
    """Put one legend of methods, and of `extra` entries, below all axes of the figure."""
    lines = [
        Line2D([], [], color=colour, label=name, marker=(markers or {}).get(name, ""))
        for name, colour in colours.items()
    ]
    legend_below(figure, [*lines, *extra])


def legend_below(figure: Figure, handles: Sequence[Artist]) -> None:
    """Put one legend below all axes of the figure, in rows that it has room for."""
    # Inches, about: a line and its gaps, and the letters.
    width = sum(0.85 + 0.1 * len(str(handle.get_label())) for handle in handles)
    rows = math.ceil(width / figure.get_figwidth())
    # Rows about as long as each other.
    columns = math.ceil(len(handles) / max(1, rows))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)


def plain_logarithmic(axis: Axis) -> None:
    """Label a logarithmic axis with plain numbers, at 1, 2 and 5 of every decade."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def panels(
    figure: Figure, rows: int, columns: int, *, sharey: bool | Literal["row"] = False
) -> list[list[Axes]]:
    """Return axes by row and column, also where there is only one of either."""
    grid = figure.subplots(rows, columns, squeeze=False, sharey=sharey)
    return [list(row) for row in grid]
