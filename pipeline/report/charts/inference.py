"""How long a trained network takes to predict."""

import altair as alt
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, StrMethodFormatter

from pipeline.report.charts import vega
from pipeline.report.charts.style import (
    in_order,
    marker_of,
    method_legend,
    panels,
    plain_logarithmic,
)
from pipeline.report.charts.tables import Needs, Series, Tables
from pipeline.report.charts.topic import Chart, Section, Switch, Topic

NEEDS: Needs = {
    "inference": (
        *("architecture", "threads", "batch_size", "runtime", "microseconds"),
        *("microseconds_an_image", "images_per_second"),
        *("times_faster", "times_faster_lower", "times_faster_upper"),
        *("file_kib", "process_memory_mib", "test_accuracy"),
    )
}
KEYS = ("architecture", "threads")


def section(tables: Tables) -> Section:
    """Return the section: a line per runtime."""
    table = tables["inference"]
    runtimes = Series.of(table["runtime"], pointed=True)
    batches = sorted(int(batch) for batch in table["batch_size"].unique())
    threads = in_order(sorted(table["threads"].unique()))
    base = vega.rows("inference", *KEYS).transform_calculate(
        faster="format(datum.times_faster, '.2f') + ' [' + format(datum.times_faster_lower, '.2f')"
        " + ', ' + format(datum.times_faster_upper, '.2f') + ']'"
    )
    x = alt.X("batch_size:Q", **vega.logarithmic("images per call", batches))
    y = alt.Y("microseconds_an_image:Q", **vega.logarithmic(""))
    colour = vega.colour("runtime", runtimes)
    line = base.mark_line().encode(x=x, y=y, color=colour)
    points = base.mark_point(filled=True, size=60, opacity=1).encode(
        x=x,
        y=y,
        color=colour,
        shape=vega.shape("runtime", runtimes),
        tooltip=[
            alt.Tooltip("runtime:N"),
            alt.Tooltip("batch_size:Q", title="images per call"),
            alt.Tooltip("microseconds:Q", title="µs per call", format=",.4~r"),
            alt.Tooltip("microseconds_an_image:Q", title="µs per image", format=",.4~r"),
            alt.Tooltip("images_per_second:Q", title="images per second", format=",.3~r"),
            alt.Tooltip("faster:N", title="packed is faster, times [interval]"),
            alt.Tooltip("file_kib:Q", title="model file, KiB", format=",.1f"),
            alt.Tooltip("process_memory_mib:Q", title="process memory, MiB", format=",.0f"),
            alt.Tooltip("test_accuracy:Q", title="test accuracy, %", format=".2f"),
        ],
    )
    chart = Chart(
        name="inference",
        title="Time of a prediction",
        unit="microseconds per image, medians",
        sources=("inference",),
        spec=vega.layered(
            line,
            points,
            keys=KEYS,
            height=320,
            description="Microseconds per image against images per call, both logarithmic, a line "
            "per runtime.",
        ),
    )
    return Section(
        title="How fast it predicts",
        text="Both axes are logarithmic. Point at a mark for memory, size of the model file and "
        "how far packed is ahead.",
        charts=(chart,),
        columns=1,
        switch=Switch(key="threads", label="Threads", values=tuple(threads), chosen=threads[0]),
        legend=runtimes,
    )


def draw(tables: Tables) -> Figure:
    """Draw a panel per architecture (across) and number of threads (down), logarithmic."""
    inference = tables["inference"]
    architectures = in_order(inference["architecture"])
    threads = sorted(inference["threads"].unique())
    colours = Series.of(inference["runtime"], pointed=True).colours
    markers = marker_of(colours)
    figure = Figure(figsize=(6.6 * len(architectures), 4.4 * len(threads)))
    grid = panels(figure, len(threads), len(architectures), sharey=True)
    for count, row in zip(threads, grid, strict=True):
        for architecture, ax in zip(architectures, row, strict=True):
            chosen = inference[
                (inference["architecture"] == architecture) & (inference["threads"] == count)
            ]
            for runtime, marker in markers.items():
                line = chosen[chosen["runtime"] == runtime].sort_values("batch_size")
                ax.plot(
                    line["batch_size"],
                    line["microseconds_an_image"],
                    color=colours[runtime],
                    marker=marker,
                )
            ax.set(xscale="log", yscale="log", xlabel="batch size")
            ax.set_title(f"{architecture}, {count} thread{'' if count == 1 else 's'}")
            ax.set_xticks(sorted(chosen["batch_size"].unique()))
            ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
            ax.xaxis.set_minor_locator(NullLocator())
            plain_logarithmic(ax.yaxis)
        row[0].set_ylabel("µs per image")
    method_legend(figure, colours, markers=markers)
    return figure


TOPIC = Topic(NEEDS, draw, section)
