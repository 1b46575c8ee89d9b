"""Where an epoch's time and a step's bytes go: stacked bars, a row a method."""

import altair as alt

from pipeline.report.captions import LEDGER as LEDGER_CAPTION
from pipeline.report.captions import PHASES as PHASES_CAPTION
from pipeline.report.page_parts import vega
from pipeline.report.page_parts.section import Chart, Needs, Section, Series, Tables

CASE = ("architecture", "batch_size")
PHASES: Needs = {"phases": (*CASE, "threads", "method", "phase", "seconds", "share")}
MEMORY_BREAKDOWN: Needs = {
    "memory_breakdown": (*CASE, "method", "kind", "mib", "percent_of_peak"),
    "costs": (*CASE, "method", "training_memory_mib"),
}
ROW = 40


def time_section(tables: Tables) -> Section:
    """Return the section: seconds of an epoch by phase."""
    phases = Series.of(tables["phases"]["phase"], pointed=False)
    tooltip = [
        alt.Tooltip("method:N"),
        alt.Tooltip("phase:N"),
        alt.Tooltip("seconds:Q", format=".3~r"),
        alt.Tooltip("share:Q", title="of the epoch", format=".0%"),
    ]
    bars = _stack("phases", "phase", "seconds", phases, tables.methods, tooltip)
    chart = Chart(
        name="phases",
        title="An epoch by phase",
        unit="seconds, medians over rounds",
        sources=("phases",),
        spec=vega.layered(
            bars,
            keys=CASE,
            height=ROW * len(tables.methods.names),
            description="Seconds of an epoch by phase, stacked, a bar a method.",
        ),
    )
    return Section(
        title="Where the time goes",
        text=PHASES_CAPTION,
        charts=(chart,),
        columns=1,
        legend=phases,
    )


def bytes_section(tables: Tables) -> Section:
    """Return the section: the bytes of a training step by kind."""
    kinds = Series.of(tables["memory_breakdown"]["kind"], pointed=False)
    tooltip = [
        alt.Tooltip("method:N"),
        alt.Tooltip("kind:N"),
        alt.Tooltip("mib:Q", title="MiB", format=".3~f"),
        alt.Tooltip("percent_of_peak:Q", title="% of the peak", format=".1f"),
    ]
    bars = _stack("memory_breakdown", "kind", "mib", kinds, tables.methods, tooltip)
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
        name="memory_breakdown",
        title="Training memory by kind",
        unit="MiB; the black tick is the measured peak",
        sources=("memory_breakdown", "costs"),
        spec=vega.layered(
            bars,
            peaks,
            keys=CASE,
            height=ROW * len(tables.methods.names),
            description="MiB that training holds by kind, stacked, a bar a method, with the "
            "measured peak.",
        ),
    )
    return Section(
        title="Where the bytes go",
        text=LEDGER_CAPTION,
        charts=(chart,),
        columns=1,
        legend=kinds,
    )


def _stack(
    table: str, part: str, value: str, parts: Series, methods: Series, tooltip: list[alt.Tooltip]
) -> alt.Chart:
    bars: alt.Chart = (
        vega.rows(table, *CASE)
        # Stacked in the order of the legend.
        .transform_calculate(position=f"indexof({parts.names}, datum.{part})")
        .mark_bar(height=22)
        .encode(
            x=alt.X(
                f"{value}:Q",
                axis=alt.Axis(title=None, tickCount=6),
                # A part just below 0 must not make room for a whole tick.
                scale=alt.Scale(nice=False),
            ),
            y=vega.method_axis(methods),
            color=vega.colour(part, parts),
            order="position:Q",
            tooltip=tooltip,
        )
    )
    return bars
