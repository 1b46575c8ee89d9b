"""What a topic is: a figure of the summary and a section of the page, from the same tables."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import altair as alt
import pandas as pd
from matplotlib.figure import Figure

from pipeline.report.charts.tables import Needs, Series, Tables

# The values of switches, by key: text, as a web page has them.
Choice = Mapping[str, str]


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


@dataclass(frozen=True)
class Topic:
    """What the report draws of some tables.

    Attributes:
        needs: the columns that it reads, by table.
        draw: makes the figure of the summary.
        section: makes the section of the page.
        thin: by table, what leaves out the rows that the page does not need.
    """

    needs: Needs
    draw: Callable[[Tables], Figure]
    section: Callable[[Tables], Section]
    thin: Mapping[str, Callable[[pd.DataFrame], pd.DataFrame]] = field(default_factory=dict)
