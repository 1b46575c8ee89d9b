"""How time and memory grow with width, batch size, depth and threads."""

import altair as alt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, StrMethodFormatter

from pipeline.config.names import BASELINE
from pipeline.report.charts import vega
from pipeline.report.charts.style import (
    in_order,
    marker_of,
    method_legend,
    panels,
    plain_logarithmic,
)
from pipeline.report.charts.tables import COST_NEEDS, Needs, Tables
from pipeline.report.charts.topic import Chart, Section, Topic
from pipeline.report.columns import POINT

COSTS = {
    "epoch_seconds": ("Time", "seconds per epoch"),
    "training_memory_mib": ("Training memory", "MiB"),
}
NEEDS: Needs = {**COST_NEEDS, "axes": ("axis", "value", *POINT)}
# What an axis is called, and what else tells one of its lines from another.
AXES = {
    "width": ("hidden width", ["batch_size", "threads"]),
    "batch": ("batch size", ["architecture", "threads"]),
    "depth": ("hidden layers", ["batch_size", "threads"]),
    "threads": ("threads", ["architecture", "batch_size"]),
}


def section(tables: Tables) -> Section:
    """Return the section: a row of charts per cost, a column per axis that was measured."""
    scaling = tables["scaling"]
    axes = [axis for axis in AXES if axis in set(scaling["axis"])]
    return Section(
        title="How it scales",
        text="Width and depth are those of the hidden layers; all axes are logarithmic. Tooltips "
        f"have the ratio to {BASELINE} with its interval. These charts have sizes of "
        "their own: the switches above do not change them.",
        charts=tuple(
            _chart(scaling[scaling["axis"] == axis], axis, cost, tables)
            for cost in COSTS
            for axis in axes
        ),
        columns=len(axes),
    )


def _chart(measured: pd.DataFrame, axis: str, cost: str, tables: Tables) -> Chart:
    label, constant = AXES[axis]
    title, unit = COSTS[cost]
    values = sorted(int(value) for value in measured["value"].unique())
    base = vega.rows("scaling").transform_filter(f"datum.axis === '{axis}'")
    x = alt.X("value:Q", **vega.logarithmic(label, values))
    y = alt.Y(f"{cost}:Q", **vega.logarithmic(""))
    colour = vega.colour("method", tables.methods)
    line = base.mark_line().encode(
        x=x, y=y, color=colour, detail=[f"{column}:N" for column in constant]
    )
    points = base.mark_point(filled=True, size=50, opacity=1).encode(
        x=x,
        y=y,
        color=colour,
        shape=vega.shape("method", tables.methods),
        tooltip=[
            alt.Tooltip("method:N"),
            alt.Tooltip("architecture:N"),
            alt.Tooltip("batch_size:Q", title="batch size"),
            alt.Tooltip("threads:Q"),
            alt.Tooltip(f"{cost}:Q", title=unit, format=".3~r"),
            alt.Tooltip(f"{cost}_interval:N", title=f"× {BASELINE} [interval]"),
        ],
    )
    return Chart(
        name=f"scaling-{axis}-{cost.split('_')[0]}",
        title=f"{title} by {label}",
        unit=", ".join([unit, *_held(measured, constant)]),
        sources=("scaling",),
        spec=vega.layered(
            line,
            points,
            keys=(),
            height=vega.HEIGHT,
            description=f"{title}, {unit}, against {label}, both logarithmic, a line per method.",
        ),
    )


def _held(measured: pd.DataFrame, constant: list[str]) -> list[str]:
    """Say what all points of a chart have in common."""
    words = {
        "architecture": "{}",
        "batch_size": "batch\N{NO-BREAK SPACE}{}",
        "threads": "{}\N{NO-BREAK SPACE}threads",
    }
    held = []
    for column in constant:
        values = measured[column].unique()
        if len(values) == 1:
            held.append(words[column].format(values[0]))
    return held


def draw(tables: Tables) -> Figure:
    """Draw a column per axis, time above and training memory below, both logarithmic."""
    scaling = tables["scaling"]
    axes = in_order(scaling["axis"])
    measured = set(scaling["method"])
    colours = {name: c for name, c in tables.methods.colours.items() if name in measured}
    markers = marker_of(colours)
    figure = Figure(figsize=(4.4 * len(axes), 8.4))
    grid = panels(figure, len(COSTS), len(axes))
    for row, (cost, (title, unit)) in zip(grid, COSTS.items(), strict=True):
        for ax, axis in zip(row, axes, strict=True):
            chosen = scaling[scaling["axis"] == axis]
            values = sorted(chosen["value"].unique())
            for method, marker in markers.items():
                line = chosen[chosen["method"] == method].sort_values("value")
                ax.plot(line["value"], line[cost], color=colours[method], marker=marker)
            ax.set(xscale="log", yscale="log", xlabel=AXES[axis][0])
            ax.set_xticks(values)
            ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
            ax.xaxis.set_minor_locator(NullLocator())
            ax.tick_params(axis="x", rotation=45 if len(values) > 4 else 0)
            plain_logarithmic(ax.yaxis)
        row[0].set_ylabel(f"{title.lower()}, {unit}")
    method_legend(figure, colours, markers=markers)
    return figure


TOPIC = Topic(NEEDS, draw, section)
