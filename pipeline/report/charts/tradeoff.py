"""What accuracy costs: a point per network."""

import altair as alt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pipeline.report.charts import vega
from pipeline.report.charts.costs import COSTS
from pipeline.report.charts.style import (
    in_order,
    marker_of,
    method_legend,
    panels,
    plain_logarithmic,
)
from pipeline.report.charts.tables import COST_NEEDS, Series, Tables
from pipeline.report.charts.topic import Chart, Section, Topic

NEEDS = COST_NEEDS
KEYS = ("batch_size",)
SHOWN = ("epoch_seconds", "training_memory_mib")


def section(tables: Tables) -> Section:
    """Return the section: accuracy against time, and against memory."""
    return Section(
        title="What accuracy costs",
        text="Up and to the left is better. A line joins the architectures of a method; only the "
        "switch of the batch size changes these charts. Costs are on a logarithmic axis, and the "
        "axis of accuracy is cut.",
        charts=tuple(_chart(cost, tables.methods) for cost in SHOWN),
        columns=2,
    )


def _chart(cost: str, methods: Series) -> Chart:
    title, unit = COSTS[cost]
    base = vega.rows("costs", *KEYS)
    x = alt.X(f"{cost}:Q", **vega.logarithmic(unit))
    y = alt.Y(
        "test_accuracy:Q",
        axis=alt.Axis(title="test accuracy, %", tickCount=5),
        scale=alt.Scale(zero=False, padding=16),
    )
    colour = vega.colour("method", methods)
    line = base.mark_line(strokeWidth=1, opacity=0.6).encode(
        x=x, y=y, color=colour, order="test_accuracy:Q"
    )
    points = base.mark_point(filled=True, size=90, opacity=1).encode(
        x=x,
        y=y,
        color=colour,
        shape=vega.shape("method", methods),
        tooltip=[
            alt.Tooltip("architecture:N"),
            alt.Tooltip("method:N"),
            alt.Tooltip(f"{cost}:Q", title=unit, format=".3~r"),
            alt.Tooltip("test_accuracy:Q", title="test accuracy, %", format=".2f"),
        ],
    )
    return Chart(
        name=f"tradeoff-{cost.split('_')[0]}",
        title=f"Accuracy against {title.lower()}",
        unit=unit,
        sources=("costs", "accuracy"),
        spec=vega.layered(
            line,
            points,
            keys=KEYS,
            height=vega.HEIGHT,
            description=f"Test accuracy against {title.lower()}, a point per network.",
        ),
    )


def draw(tables: Tables) -> Figure:
    """Draw test accuracy against time and memory: a column per batch size, a point per network."""
    costs, colours = tables["costs"], tables.methods.colours
    architectures = in_order(costs["architecture"])
    markers = marker_of(architectures)
    batches = sorted(costs["batch_size"].unique())
    figure = Figure(figsize=(7 * len(batches), 9))
    grid = panels(figure, 2, len(batches), sharey=True)
    for row, column in zip(grid, SHOWN, strict=True):
        title, unit = COSTS[column]
        for ax, batch in zip(row, batches, strict=True):
            for _, point in costs[costs["batch_size"] == batch].iterrows():
                ax.plot(
                    point[column],
                    point["test_accuracy"],
                    marker=markers[point["architecture"]],
                    color=colours[point["method"]],
                    markersize=12,
                    markeredgecolor="#FFFFFF",
                )
            _logarithmic(ax)
            ax.set(xlabel=f"{title.lower()}, {unit}", title=f"batch {batch:,}")
        row[0].set_ylabel("test accuracy, %")
    shapes = [
        Line2D(
            [], [], color="#555555", linestyle="", marker=marker, label=architecture, markersize=10
        )
        for architecture, marker in markers.items()
    ]
    method_legend(figure, colours, shapes)
    return figure


def _logarithmic(ax: Axes) -> None:
    """Scale the x axis logarithmically."""
    ax.set_xscale("log")
    ax.margins(x=0.2)
    plain_logarithmic(ax.xaxis)


TOPIC = Topic(NEEDS, draw, section)
