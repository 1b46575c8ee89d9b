"""How long it takes to train to an accuracy."""

import altair as alt
import pandas as pd
from matplotlib.figure import Figure

from pipeline.report.charts import vega
from pipeline.report.charts.learning_curves import draw_band, panel_per_architecture, select
from pipeline.report.charts.style import in_order, method_legend, plain_logarithmic
from pipeline.report.charts.tables import Needs, Tables
from pipeline.report.charts.topic import Chart, Choice, Section, Topic

NEEDS: Needs = {
    "time_to_accuracy": (
        *("architecture", "method", "target", "seconds"),
        *("seeds_reached", "seeds"),
    ),
    "learning_curves": ("architecture", "method", "cumulative_seconds", "validation_error"),
}


def section(tables: Tables) -> Section:
    """Return the section: a line per method, upwards through the targets."""
    table = tables["time_to_accuracy"]
    base = vega.rows("time_to_accuracy", "architecture").transform_filter("isValid(datum.seconds)")
    targets = sorted(table["target"].unique().tolist())
    # Of all architectures: one may have reached nothing, and has no extent of its own.
    seconds = table["seconds"].dropna()
    extent = (1.0, 10.0) if seconds.empty else (float(seconds.min()), float(seconds.max()))
    x = alt.X("seconds:Q", **vega.logarithmic("seconds of training", domain=extent))
    y = alt.Y(
        "target:Q",
        axis=alt.Axis(format="~r", title="accuracy reached, %", values=targets),
        scale=alt.Scale(zero=False, padding=12, domain=[targets[0], targets[-1]]),
    )
    line = base.mark_line().encode(
        x=x, y=y, color=vega.colour("method", tables.methods), order="target:Q"
    )
    points = base.mark_point(size=90, opacity=1, strokeWidth=2).encode(
        x=x,
        y=y,
        stroke=alt.Stroke("method:N", scale=vega.colours(tables.methods), legend=None),
        fill=alt.Fill("method:N", scale=vega.colours(tables.methods), legend=None),
        fillOpacity=alt.when("datum.seeds_reached < datum.seeds")
        .then(alt.value(0))
        .otherwise(alt.value(1)),
        shape=vega.shape("method", tables.methods),
        tooltip=[
            alt.Tooltip("method:N"),
            alt.Tooltip("target:Q", title="accuracy, %"),
            alt.Tooltip("seconds:Q", format=".3~r"),
            alt.Tooltip("seeds_reached:Q", title="seeds that reached it"),
            alt.Tooltip("seeds:Q", title="of seeds"),
        ],
    )
    chart = Chart(
        name="time-to-accuracy",
        title="Time to accuracy",
        unit="seconds of training, median over the seeds that reached it; hollow: not all did",
        sources=("time_to_accuracy",),
        spec=vega.layered(
            line,
            points,
            keys=("architecture",),
            height=300,
            description="Seconds of training until a validation accuracy is reached, a line per "
            "method.",
        ),
        notes=tuple(_not_reached(table)),
    )
    return Section(
        title="How long until it is accurate",
        text="Up and to the left is better.",
        charts=(chart,),
        columns=1,
    )


def _not_reached(table: pd.DataFrame) -> list[tuple[Choice, str]]:
    """Say, by architecture, which targets no seed reached."""
    notes: list[tuple[Choice, str]] = []
    missed = table[table["seconds"].isna()]
    for architecture in in_order(missed["architecture"]):
        chosen = missed[missed["architecture"] == architecture]
        parts = [
            f"{method}, {' and '.join(f'{target:g} %' for target in targets)}"
            for method, targets in chosen.groupby("method", sort=False)["target"]
        ]
        notes.append(({"architecture": architecture}, f"Reached by no seed: {'; '.join(parts)}."))
    return notes


def draw(tables: Tables) -> Figure:
    """Draw validation error against seconds of training: a panel per architecture."""
    curves, colours = tables["learning_curves"], tables.methods.colours
    figure, axes = panel_per_architecture(curves, "seconds of training", "validation error, %")
    for architecture, ax in axes.items():
        for method, colour in colours.items():
            chosen = select(curves, architecture, method)
            draw_band(ax, chosen, "cumulative_seconds", "validation_error", colour, "-")
        ax.set_xscale("log")
        plain_logarithmic(ax.xaxis)
    method_legend(figure, colours)
    return figure


TOPIC = Topic(NEEDS, draw, section)
