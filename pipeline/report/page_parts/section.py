"""What a section of the page is: charts of the tables, their words and their switches."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import altair as alt
import pandas as pd

from pipeline.config.names import BASELINE
from pipeline.report.figures.style import PART_COLOURS, colour_of, in_order

# The columns that a section reads, by table.
Needs = Mapping[str, tuple[str, ...]]
# The values of switches, by key: text, as a web page has them.
Choice = Mapping[str, str]

# Vega's names of the shapes of style.MARKERS, and a character for the legend.
SHAPES = {
    "circle": "●",
    "square": "■",
    "triangle-up": "▲",
    "diamond": "◆",
    "triangle-down": "▼",
    "cross": "✚",
    "triangle-right": "▶",
}


@dataclass(frozen=True)
class Series:
    """The names that a chart tells apart by colour, and by shape where it has points."""

    colours: dict[str, str]
    pointed: bool = True

    @classmethod
    def of(cls, names: "pd.Series[str]", *, pointed: bool) -> "Series":
        """Give names that are no methods' their colours, in order of appearance."""
        return cls(dict(zip(in_order(names), PART_COLOURS * 4, strict=False)), pointed)

    @property
    def names(self) -> list[str]:
        """All names, in order of appearance."""
        return list(self.colours)

    @property
    def shapes(self) -> list[str]:
        """Vega's shape of every name; a square where there are no points."""
        shapes = list(SHAPES) if self.pointed else ["square"]
        return [shapes[position % len(shapes)] for position in range(len(self.names))]


@dataclass(frozen=True)
class Tables:
    """The tables of the report that there are, by name."""

    frames: Mapping[str, pd.DataFrame]

    def __getitem__(self, name: str) -> pd.DataFrame:
        """Return a table."""
        return self.frames[name]

    @cached_property
    def methods(self) -> Series:
        """Every method; those of costs first, which gives them the figures' colours."""
        named = [self["costs"], *(t for t in self.frames.values() if "method" in t)]
        return Series(colour_of(pd.concat([table["method"] for table in named])))

    @property
    def binary_methods(self) -> list[str]:
        """Every method but the baseline."""
        return [name for name in self.methods.names if name != BASELINE]


@dataclass(frozen=True)
class Chart:
    """One chart: `sources` are its tables, `notes` are shown where their choice is made."""

    name: str
    title: str
    unit: str
    sources: tuple[str, ...]
    spec: alt.LayerChart
    notes: tuple[tuple[Choice, str], ...] = ()


@dataclass(frozen=True)
class Switch:
    """Radio buttons: `key` is the column, and the parameter of the charts, that they set."""

    key: str
    label: str
    values: tuple[str, ...]
    chosen: str


@dataclass(frozen=True)
class Section:
    """A heading, a paragraph, and charts in `columns` columns where the window is wide."""

    title: str
    text: str
    charts: tuple[Chart, ...]
    columns: int
    switch: Switch | None = None
    legend: Series | None = None
