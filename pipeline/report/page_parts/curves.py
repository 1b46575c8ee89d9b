"""What happens over time: error over epochs, memory over seconds."""

import altair as alt
import pandas as pd

from pipeline.report.page_parts import vega
from pipeline.report.page_parts.section import Chart, Needs, Section, Series, Tables

CURVES: Needs = {
    "learning_curves": (
        *("architecture", "method", "epoch", "training_error", "validation_error"),
        "cumulative_seconds",
    )
}
CASE = ("architecture", "batch_size")
MEMORY: Needs = {"memory_curve": (*CASE, "method", "seconds", "process_memory_mib")}
# Of a curve of the memory: finer than a screen shows, and the page stays small.
POINTS = 100


def thin(curves: pd.DataFrame) -> pd.DataFrame:
    """Keep the largest of all samples in each of POINTS parts of a curve: no peak is lost."""
    curve = curves.groupby([*CASE, "method"], sort=False)["seconds"]
    first, last = curve.transform("min"), curve.transform("max")
    part = ((curves["seconds"] - first) / (last - first) * (POINTS - 1)).fillna(0).round()
    largest = curves.groupby([*(curves[key] for key in (*CASE, "method")), part], sort=False)
    return curves.loc[largest["process_memory_mib"].idxmax()]


def error_section(tables: Tables) -> Section:
    """Return the section: error over epochs."""
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
    time = Chart(
        name="training-time",
        title="Time",
        unit="seconds of training up to an epoch, evaluation left out",
        sources=("learning_curves",),
        spec=_over_epochs("cumulative_seconds", tables.methods, "Seconds of training over epochs"),
    )
    return Section(
        title="How the error falls",
        text="Lines are means over seeds, bands their range. Point at an epoch for its figures. "
        "Time is that of the training runs, one after the other; the paired rounds above are the "
        "measurement to compare by.",
        charts=(*charts, time),
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
        description=f"{description}, a line a method.",
    )


def memory_section(tables: Tables) -> Section:
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
            description="Resident memory of the process over time, a line a method.",
        ),
    )
    return Section(
        title="How the memory grows",
        text="Sampled from outside the process. What lies left of the dotted line is the start "
        "of the process: imports, and reading the dataset.",
        charts=(chart,),
        columns=1,
    )
