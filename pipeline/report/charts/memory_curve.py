"""Resident memory of the process over time."""

import altair as alt
import pandas as pd
from matplotlib.figure import Figure

from pipeline.report.charts import vega
from pipeline.report.charts.style import in_order, method_legend, panels
from pipeline.report.charts.tables import Needs, Tables
from pipeline.report.charts.topic import Chart, Section, Topic

CASE = ("architecture", "batch_size")
NEEDS: Needs = {"memory_curve": (*CASE, "method", "seconds", "process_memory_mib")}
# The points of a curve on the page: finer than a screen shows, and few enough for a small page.
POINTS = 100


def thin(curves: pd.DataFrame) -> pd.DataFrame:
    """Keep the largest of all samples in each of POINTS parts of a curve: no peak is lost."""
    curve = curves.groupby([*CASE, "method"], sort=False)["seconds"]
    first, last = curve.transform("min"), curve.transform("max")
    part = ((curves["seconds"] - first) / (last - first) * (POINTS - 1)).fillna(0).round()
    largest = curves.groupby([*(curves[key] for key in (*CASE, "method")), part], sort=False)
    return curves.loc[largest["process_memory_mib"].idxmax()]


def section(tables: Tables) -> Section:
    """Return the section: resident memory over time."""
    base = vega.rows("memory_curve", *CASE)
    x = alt.X(
        "seconds:Q",
        axis=alt.Axis(grid=False, title="seconds since the network was built"),
        scale=alt.Scale(nice=False),
    )
    y = alt.Y("process_memory_mib:Q", axis=alt.Axis(title=None, tickCount=6))
    colour = vega.colour("method", tables.methods)
    line = base.mark_line(strokeWidth=1.6).encode(x=x, y=y, color=colour)
    # Seen by the pointer only: a target for the tooltip.
    targets = base.mark_point(size=150, filled=True, opacity=0, aria=False).encode(
        x=x,
        y=y,
        color=colour,
        tooltip=[
            alt.Tooltip("method:N"),
            alt.Tooltip("seconds:Q", format=".2f"),
            alt.Tooltip("process_memory_mib:Q", title="MiB", format=",.0f"),
        ],
    )
    built = (
        # One row, so that one line is drawn.
        base.transform_aggregate(samples="count()")
        .mark_rule(color=vega.GREY, strokeDash=[2, 3])
        .encode(x=alt.datum(0))
    )
    chart = Chart(
        name="memory",
        title="Memory over time",
        unit="MiB, resident memory of the process; dotted: the network is built",
        sources=("memory_curve",),
        spec=vega.layered(
            built,
            line,
            targets,
            keys=CASE,
            height=vega.HEIGHT,
            description="Resident memory of the process over time, a line per method.",
        ),
    )
    return Section(
        title="How the memory grows",
        text="Sampled from outside the process. What lies left of the dotted line is the start "
        "of the process: imports, and reading the dataset.",
        charts=(chart,),
        columns=1,
    )


def draw(tables: Tables) -> Figure:
    """Draw a panel per architecture and batch size, a line per method."""
    curves, colours = tables["memory_curve"], tables.methods.colours
    architectures = in_order(curves["architecture"])
    batches = sorted(curves["batch_size"].unique())
    figure = Figure(figsize=(5.5 * len(architectures), 4.3 * len(batches)))
    grid = panels(figure, len(batches), len(architectures), sharey="row")
    for batch, row in zip(batches, grid, strict=True):
        for architecture, ax in zip(architectures, row, strict=True):
            chosen = curves[
                (curves["architecture"] == architecture) & (curves["batch_size"] == batch)
            ]
            for number, (method, colour) in enumerate(colours.items()):
                line = chosen[chosen["method"] == method]
                # Of lines that lie on each other, the lower are seen at the edges.
                width = 1.2 + 0.9 * (len(colours) - 1 - number)
                ax.plot(line["seconds"], line["process_memory_mib"], color=colour, linewidth=width)
            ax.axvline(0, color="#555555", linewidth=1, linestyle=":")
            ax.set(title=f"{architecture}, batch {batch:,}", xlabel="time, s")
        row[0].set_ylabel("process memory, MiB")
    # Once all is drawn: setting one limit fixes the other where it then is.
    for row in grid:
        row[0].set_ylim(bottom=0)
    method_legend(figure, colours)
    return figure


TOPIC = Topic(NEEDS, draw, section, {"memory_curve": thin})
