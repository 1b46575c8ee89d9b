"""How the error falls over epochs."""

import altair as alt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from pipeline.report.charts import vega
from pipeline.report.charts.style import in_order, method_legend, panels
from pipeline.report.charts.tables import Needs, Series, Tables
from pipeline.report.charts.topic import Chart, Section, Topic

NEEDS: Needs = {
    "learning_curves": (
        *("architecture", "method", "epoch"),
        *("cumulative_seconds", "training_error", "validation_error"),
    )
}


def section(tables: Tables) -> Section:
    """Return the section: error over epochs, and over seconds."""
    charts = tuple(
        Chart(
            name=f"{part}-error",
            title=f"{part.capitalize()} error",
            unit="%, over epochs",
            sources=("learning_curves",),
            spec=_over_epochs(
                f"{part}_error", tables.methods, f"Error on {part} images over epochs"
            ),
        )
        for part in ("validation", "training")
    )
    over_seconds = Chart(
        name="error-over-time",
        title="Validation error over time",
        unit="%, over seconds of training; the axis is cut",
        sources=("learning_curves",),
        spec=_over_seconds(tables),
    )
    return Section(
        title="How the error falls",
        text="Lines are means over seeds, bands their range. Point at an epoch for its figures. "
        "Seconds of training are epochs times the seconds per epoch above.",
        charts=(*charts, over_seconds),
        columns=3,
    )


def _over_epochs(column: str, methods: Series, description: str) -> alt.LayerChart:
    base = vega.rows("learning_curves", "architecture").transform_aggregate(
        mean=f"mean({column})",
        lowest=f"min({column})",
        highest=f"max({column})",
        groupby=["method", "epoch"],
    )
    x = alt.X(
        "epoch:Q",
        axis=alt.Axis(format="d", grid=False, tickMinStep=1, title="epoch"),
        scale=alt.Scale(zero=False, nice=False),
    )
    colour = vega.colour("method", methods)
    band = base.mark_area(opacity=0.18).encode(
        x=x,
        y=alt.Y("lowest:Q", axis=alt.Axis(title=None, tickCount=6)),
        y2="highest:Q",
        color=colour,
    )
    line = base.mark_line().encode(x=x, y="mean:Q", color=colour)
    points = base.mark_point(size=24, filled=True, opacity=1).encode(
        x=x,
        y="mean:Q",
        color=colour,
        shape=vega.shape("method", methods),
    )
    # Lines lie on each other: the pointer finds an epoch, with all methods, not a line.
    epochs = (
        base.transform_pivot("method", groupby=["epoch"], value="mean")
        .mark_rule(strokeWidth=24, opacity=0, aria=False)
        .encode(
            x=x,
            tooltip=[
                alt.Tooltip("epoch:Q"),
                *(alt.Tooltip(f"{name}:Q", format=".2f") for name in methods.names),
            ],
        )
    )
    return vega.layered(
        band,
        line,
        points,
        epochs,
        keys=("architecture",),
        height=vega.HEIGHT,
        description=f"{description}, a line per method.",
    )


def _over_seconds(tables: Tables) -> alt.LayerChart:
    base = vega.rows("learning_curves", "architecture").transform_aggregate(
        mean="mean(validation_error)",
        lowest="min(validation_error)",
        highest="max(validation_error)",
        groupby=["method", "epoch", "cumulative_seconds"],
    )
    x = alt.X("cumulative_seconds:Q", **vega.logarithmic("seconds of training"))
    colour = vega.colour("method", tables.methods)
    band = base.mark_area(opacity=0.18).encode(
        x=x,
        y=alt.Y(
            "lowest:Q",
            axis=alt.Axis(title=None, tickCount=6),
            scale=alt.Scale(zero=False),
        ),
        y2="highest:Q",
        color=colour,
    )
    line = base.mark_line().encode(x=x, y="mean:Q", color=colour)
    points = base.mark_point(size=24, filled=True, opacity=1).encode(
        x=x,
        y="mean:Q",
        color=colour,
        shape=vega.shape("method", tables.methods),
        tooltip=[
            alt.Tooltip("method:N"),
            alt.Tooltip("epoch:Q"),
            alt.Tooltip("cumulative_seconds:Q", title="seconds", format=".3~r"),
            alt.Tooltip("mean:Q", title="validation error, %", format=".2f"),
        ],
    )
    return vega.layered(
        band,
        line,
        points,
        keys=("architecture",),
        height=vega.HEIGHT,
        description="Error on validation images over seconds of training, a line per method.",
    )


def draw(tables: Tables) -> Figure:
    """Draw error against epoch: a panel per architecture, training dashed, validation solid."""
    curves, colours = tables["learning_curves"], tables.methods.colours
    figure, axes = panel_per_architecture(curves, "epoch", "error, %")
    for architecture, ax in axes.items():
        for method, colour in colours.items():
            chosen = select(curves, architecture, method)
            for part, line in (("training", "--"), ("validation", "-")):
                draw_band(ax, chosen, "epoch", f"{part}_error", colour, line)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        # Once all is drawn: setting one limit fixes the other where it then is.
        ax.set_xlim(left=0)
    next(iter(axes.values())).set_ylim(bottom=0)
    extra = [
        Line2D([], [], color="#555555", linestyle="--", label="training"),
        Line2D([], [], color="#555555", linestyle="-", label="validation"),
    ]
    method_legend(figure, colours, extra)
    return figure


def panel_per_architecture(curves: pd.DataFrame, x: str, y: str) -> tuple[Figure, dict[str, Axes]]:
    """Return a figure with a panel per architecture, and the panels."""
    architectures = in_order(curves["architecture"])
    figure = Figure(figsize=(6.4 * len(architectures), 5))
    (row,) = panels(figure, 1, len(architectures), sharey=True)
    for architecture, ax in zip(architectures, row, strict=True):
        ax.set(title=architecture, xlabel=x)
    row[0].set_ylabel(y)
    return figure, dict(zip(architectures, row, strict=True))


def select(curves: pd.DataFrame, architecture: str, method: str) -> pd.DataFrame:
    """Return the curves of a network."""
    return curves[(curves["architecture"] == architecture) & (curves["method"] == method)]


def draw_band(ax: Axes, runs: pd.DataFrame, x: str, y: str, colour: str, line: str) -> None:
    """Draw the mean over seeds as a line and their range as a band."""
    over_seeds = runs.groupby(x)[y]
    mean = over_seeds.mean()
    ax.plot(mean.index, mean, color=colour, linestyle=line)
    ax.fill_between(
        mean.index, over_seeds.min(), over_seeds.max(), color=colour, alpha=0.18, linewidth=0
    )


TOPIC = Topic(NEEDS, draw, section)
