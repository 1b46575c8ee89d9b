"""How time and memory grow with width, batch size, depth and threads."""

import altair as alt
import pandas as pd

from pipeline.config.names import BASELINE
from pipeline.report.page_parts import vega
from pipeline.report.page_parts.section import Chart, Needs, Section, Tables

COSTS = {
    "epoch_seconds": ("Time", "seconds an epoch"),
    "training_memory_mib": ("Training memory", "MiB"),
}
# Memory is the peak of one process: its ratio has no interval.
ENDS = {
    "epoch_seconds": ("", "_ratio", "_ratio_lower", "_ratio_upper"),
    "training_memory_mib": ("", "_ratio"),
}
POINT = ("architecture", "batch_size", "threads")
NEEDS: Needs = {
    "axes": ("axis", "value", *POINT),
    "costs": (
        *(*POINT, "method"),
        *(f"{cost}{end}" for cost, ends in ENDS.items() for end in ends),
    ),
}
# What an axis is called, and what else tells one of its lines from another.
AXES = {
    "width": ("width", ["batch_size", "threads"]),
    "batch": ("batch size", ["architecture", "threads"]),
    "depth": ("depth", ["batch_size", "threads"]),
    "threads": ("threads", ["architecture", "batch_size"]),
}


def section(tables: Tables) -> Section:
    """Return the section: a row of charts a cost, a column an axis that was measured."""
    scaling = tables["scaling"]
    axes = [axis for axis in AXES if axis in set(scaling["axis"])]
    return Section(
        title="How it scales",
        text="Width and depth are those of the hidden layers; all axes are logarithmic. Tooltips "
        f"have the ratio to {BASELINE}, that of time with its interval. These charts have sizes of "
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
    base = (
        vega.rows("scaling")
        .transform_filter(f"datum.axis === '{axis}'")
        .transform_calculate(ratio=vega.with_ratio(cost, interval=len(ENDS[cost]) > 2))
    )
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
            alt.Tooltip("ratio:N", title=f"× {BASELINE}"),
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
            description=f"{title}, {unit}, against {label}, both logarithmic, a line a method.",
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
