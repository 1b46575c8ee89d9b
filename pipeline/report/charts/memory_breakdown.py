"""What training memory holds."""

import altair as alt
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pipeline.report.charts import vega
from pipeline.report.charts.stacks import CASE, ROW, draw_stacks, stack_chart
from pipeline.report.charts.style import in_order
from pipeline.report.charts.tables import COST_NEEDS, Needs, Series, Tables
from pipeline.report.charts.topic import Chart, Section, Topic

NEEDS: Needs = {
    "memory_breakdown": (*CASE, "method", "kind", "mib", "percent_of_peak"),
    **COST_NEEDS,
}


def section(tables: Tables) -> Section:
    """Return the section: training memory by kind."""
    tooltip = [
        alt.Tooltip("kind:N"),
        alt.Tooltip("mib:Q", title="MiB", format=".3~f"),
        alt.Tooltip("percent_of_peak:Q", title="% of the peak", format=".1f"),
    ]
    peaks = (
        vega.rows("costs", *CASE)
        .mark_tick(thickness=3, size=30, color="#000000", opacity=1)
        .encode(
            x="training_memory_mib:Q",
            y=vega.method_axis(tables.methods),
            tooltip=[
                alt.Tooltip("method:N"),
                alt.Tooltip("training_memory_mib:Q", title="measured peak, MiB", format=".1f"),
            ],
        )
    )
    chart = Chart(
        name="memory-breakdown",
        title="Training memory by kind",
        unit="MiB; the black tick is the measured peak",
        sources=("memory_breakdown", "costs"),
        spec=vega.layered(
            stack_chart(tables, "memory_breakdown", "kind", "mib", tooltip),
            peaks,
            keys=CASE,
            height=ROW * len(tables.methods.names),
            description="Training memory by kind in MiB, stacked, a bar per method, with the "
            "measured peak.",
        ),
    )
    return Section(
        title="Where the bytes go",
        text="Each kind of array is counted at its fullest within a step. Rest is what of "
        "training memory has no name, such as buffers of libraries. It is negative where kinds "
        "are full at different moments.",
        charts=(chart,),
        columns=1,
        legend=Series.of(tables["memory_breakdown"]["kind"], pointed=False),
    )


def draw(tables: Tables) -> Figure:
    """Draw training memory by kind: a panel per architecture and batch size, a line at the peak."""
    line = Line2D([], [], color="#000000", label="measured peak")
    figure, axes = draw_stacks(tables, "memory_breakdown", "kind", "mib", "MiB", [line])
    peaks = tables["costs"].set_index([*CASE, "method"])["training_memory_mib"]
    for (architecture, batch), ax in axes.items():
        for position, method in enumerate(in_order(tables["memory_breakdown"]["method"])):
            peak = float(peaks[architecture, batch, method])
            ax.hlines(peak, position - 0.4, position + 0.4, color="#000000")
    return figure


TOPIC = Topic(NEEDS, draw, section)
