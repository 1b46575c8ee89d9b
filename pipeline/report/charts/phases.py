"""Where an epoch's time goes."""

import altair as alt
from matplotlib.figure import Figure

from pipeline.report.charts import vega
from pipeline.report.charts.stacks import CASE, ROW, draw_stacks, stack_chart
from pipeline.report.charts.tables import Needs, Series, Tables
from pipeline.report.charts.topic import Chart, Section, Topic

NEEDS: Needs = {"phases": (*CASE, "method", "phase", "seconds", "share")}


def section(tables: Tables) -> Section:
    """Return the section: seconds per epoch by phase."""
    tooltip = [
        alt.Tooltip("phase:N"),
        alt.Tooltip("seconds:Q", format=".3~r"),
        alt.Tooltip("share:Q", title="of the epoch", format=".0%"),
    ]
    chart = Chart(
        name="phases",
        title="An epoch by phase",
        unit="seconds, medians over rounds",
        sources=("phases",),
        spec=vega.layered(
            stack_chart(tables, "phases", "phase", "seconds", tooltip),
            keys=CASE,
            height=ROW * len(tables.methods.names),
            description="Seconds per epoch by phase, stacked, a bar per method.",
        ),
    )
    return Section(
        title="Where the time goes",
        text="Data makes a batch from stored pixels; the packed engine reads pixels where they "
        "lie. Normalization covers both passes, and in the packed engine the binarization of "
        "activations. Hooks separate torch's; they cost some time that other charts do not have. "
        "Loop is the time between steps. The packed engine's backward computes again the sums "
        "that forward did not keep.",
        charts=(chart,),
        columns=1,
        legend=Series.of(tables["phases"]["phase"], pointed=False),
    )


def draw(tables: Tables) -> Figure:
    """Draw seconds per epoch by phase: a panel per architecture and batch size."""
    figure, _ = draw_stacks(tables, "phases", "phase", "seconds", "seconds per epoch")
    return figure


TOPIC = Topic(NEEDS, draw, section)
