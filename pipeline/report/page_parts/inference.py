"""How long a trained network takes to predict."""

import altair as alt

from pipeline.report.figures.style import in_order
from pipeline.report.page_parts import vega
from pipeline.report.page_parts.section import Chart, Needs, Section, Series, Switch, Tables

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
    """Return the section: a line a runtime."""
    table = tables["inference"]
    runtimes = Series.of(table["runtime"], pointed=True)
    batches = sorted(int(batch) for batch in table["batch_size"].unique())
    threads = in_order(sorted(table["threads"].unique()))
    base = vega.rows("inference", *KEYS).transform_calculate(
        faster="format(datum.times_faster, '.2f') + ' [' + format(datum.times_faster_lower, '.2f')"
        " + ', ' + format(datum.times_faster_upper, '.2f') + ']'"
    )
    x = alt.X("batch_size:Q", **vega.logarithmic("images a call", batches))
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
            alt.Tooltip("batch_size:Q", title="images a call"),
            alt.Tooltip("microseconds:Q", title="µs a call", format=",.4~r"),
            alt.Tooltip("microseconds_an_image:Q", title="µs an image", format=",.4~r"),
            alt.Tooltip("images_per_second:Q", title="images a second", format=",.3~r"),
            alt.Tooltip("faster:N", title="packed is faster, times [interval]"),
            alt.Tooltip("file_kib:Q", title="model file, KiB", format=",.1f"),
            alt.Tooltip("process_memory_mib:Q", title="process memory, MiB", format=",.0f"),
            alt.Tooltip("test_accuracy:Q", title="test accuracy, %", format=".2f"),
        ],
    )
    chart = Chart(
        name="inference",
        title="Time of a prediction",
        unit="microseconds an image, medians",
        sources=("inference",),
        spec=vega.layered(
            line,
            points,
            keys=KEYS,
            height=320,
            description="Microseconds an image against images a call, both logarithmic, a line a "
            "runtime.",
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
