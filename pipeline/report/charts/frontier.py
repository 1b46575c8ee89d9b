"""What an accuracy costs each method, with layers, batch size and epochs of its own."""

from typing import Any

import altair as alt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pipeline.config.names import BASELINE
from pipeline.report.charts import vega
from pipeline.report.charts.style import marker_of, method_legend, panels, plain_logarithmic
from pipeline.report.charts.tables import Needs, Tables
from pipeline.report.charts.topic import Chart, Section, Switch, Topic

# The costs of a network, each with a frontier of its own.
COSTS = {
    "seconds": "seconds of training",
    "training_memory_mib": "training memory, MiB",
    "model_kib": "model file, KiB",
    "latency_us": "latency of one image, µs",
}
NEEDS: Needs = {
    "frontier": (
        *("method", "architecture", "batch_size", "epochs", "test_accuracy"),
        *(*COSTS, "int8_kib", "frontiers"),
    ),
}
_COLUMNS = 2


def by_cost(points: pd.DataFrame) -> pd.DataFrame:
    """Return a row per network and cost on whose frontier it lies: the page shows no others."""
    frames = [
        points[_on(points, cost)].assign(cost=title, value=points[cost])
        for cost, title in COSTS.items()
    ]
    columns = ["method", "architecture", "batch_size", "epochs", "test_accuracy", "cost", "value"]
    return pd.concat(frames)[columns].sort_values(["cost", "method", "value"])


def section(tables: Tables) -> Section:
    """Return the section: a frontier per method, against the cost that is chosen."""
    base = vega.rows("frontier", "cost")
    x = alt.X("value:Q", **vega.logarithmic(""))
    y = alt.Y(
        "test_accuracy:Q",
        axis=alt.Axis(title="test accuracy, %", tickCount=6),
        scale=alt.Scale(zero=False, padding=12),
    )
    colour = vega.colour("method", tables.methods)
    line = base.mark_line(strokeWidth=1, opacity=0.6).encode(
        x=x, y=y, color=colour, order="value:Q"
    )
    points = base.mark_point(filled=True, size=70, opacity=1).encode(
        x=x,
        y=y,
        color=colour,
        shape=vega.shape("method", tables.methods),
        tooltip=[
            alt.Tooltip("method:N"),
            alt.Tooltip("architecture:N"),
            alt.Tooltip("batch_size:Q", title="batch size"),
            alt.Tooltip("epochs:Q"),
            alt.Tooltip("value:Q", title="cost", format=".3~r"),
            alt.Tooltip("test_accuracy:Q", title="test accuracy, %", format=".2f"),
        ],
    )
    chart = Chart(
        name="frontier",
        title="Accuracy against cost",
        unit="the cost that is chosen above, on a logarithmic axis",
        sources=("frontier",),
        spec=vega.layered(
            line,
            points,
            keys=("cost",),
            height=340,
            description="Test accuracy against a cost, a frontier per method.",
        ),
    )
    titles = tuple(COSTS.values())
    return Section(
        title="At equal accuracy",
        text="Each point is a network whose layers, batch size and number of epochs are the "
        "method's own, and that no other of the method beats by validation accuracy. Up and to the "
        "left is better. The axis of accuracy is cut.",
        charts=(chart,),
        columns=1,
        switch=Switch("cost", "Cost", titles, titles[0]),
    )


def draw(tables: Tables) -> Figure:
    """Draw test accuracy against every cost: a panel each, a frontier per method."""
    return draw_points(tables["frontier"], tables.methods.colours)


def draw_points(points: pd.DataFrame, colours: dict[str, str]) -> Figure:
    """Draw the points.

    Args:
        points: of `artifacts.frontier.FrontierPoints`.
        colours: by method; those of no point are left out.
    """
    colours = {name: colours[name] for name in points["method"].unique()}
    markers = marker_of(colours)
    figure = Figure(figsize=(14, 11))
    rows = panels(figure, len(COSTS) // _COLUMNS, _COLUMNS, sharey=True)
    axes = [ax for row in rows for ax in row]
    for ax, (cost, title) in zip(axes, COSTS.items(), strict=True):
        for method, of_method in points.groupby("method", sort=False):
            name = str(method)
            on = _on(of_method, cost)
            behind, best = of_method[~on], of_method[on].sort_values(cost)
            style: dict[str, Any] = {
                "color": colours[name],
                "marker": markers[name],
                "markersize": 8,
            }
            ax.plot(behind[cost], behind["test_accuracy"], ls="", mfc="none", alpha=0.5, **style)
            ax.plot(best[cost], best["test_accuracy"], **style)
            if cost == "model_kib" and name == BASELINE:
                _draw_int8(ax, best, colours[name])
        ax.set_xscale("log")
        plain_logarithmic(ax.xaxis)
        ax.set_xlabel(title)
    for ax in axes[::_COLUMNS]:
        ax.set_ylabel("test accuracy, %")
    int8 = Line2D([], [], color=colours.get(BASELINE), linestyle="--", label=f"{BASELINE}, int8")
    method_legend(figure, colours, [int8], markers)
    return figure


def _on(points: pd.DataFrame, cost: str) -> "pd.Series[bool]":
    """Say which points lie on the frontier of a cost."""
    return points["frontiers"].fillna("").str.split().map(lambda costs: cost in costs)


def _draw_int8(ax: Axes, best: pd.DataFrame, colour: str) -> None:
    rows = best.dropna(subset="int8_kib").sort_values("int8_kib")
    ax.plot(rows["int8_kib"], rows["test_accuracy"], color=colour, linestyle="--")


TOPIC = Topic(NEEDS, draw, section, {"frontier": by_cost})
