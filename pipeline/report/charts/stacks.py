"""Stacked bars, a bar per method: what an epoch's time and the training memory consist of."""

from collections.abc import Sequence

import altair as alt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from pipeline.report.charts import vega
from pipeline.report.charts.style import in_order, legend_below, panels
from pipeline.report.charts.tables import Series, Tables

CASE = ("architecture", "batch_size")
BAR_WIDTH = 0.6
# The pixels of a method's row.
ROW = 40


def stack_chart(
    tables: Tables, table: str, part: str, value: str, tooltip: Sequence[alt.Tooltip]
) -> alt.Chart:
    """Return bars of `value`, stacked by `part`, a row per method."""
    parts = Series.of(tables[table][part], pointed=False)
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
            y=vega.method_axis(tables.methods),
            color=vega.colour(part, parts),
            order="position:Q",
            tooltip=[alt.Tooltip("method:N"), *tooltip],
        )
    )
    return bars


def draw_stacks(
    tables: Tables, table: str, part: str, value: str, label: str, extra: Sequence[Line2D] = ()
) -> tuple[Figure, dict[tuple[str, int], Axes]]:
    """Draw a panel per architecture and batch size, with a legend of parts and `extra` entries."""
    rows = tables[table]
    architectures = in_order(rows["architecture"])
    batches = sorted(rows["batch_size"].unique())
    colours = Series.of(rows[part], pointed=False).colours
    figure = Figure(figsize=(6.4 * len(architectures), 4.3 * len(batches)))
    grid = panels(figure, len(batches), len(architectures))
    sizes = rows.pivot(index=[*CASE, "method"], columns=part, values=value).fillna(0)
    axes = {}
    for batch, row in zip(batches, grid, strict=True):
        for architecture, ax in zip(architectures, row, strict=True):
            here = sizes.loc[(architecture, batch)].reindex(in_order(rows["method"]))
            for name, colour in colours.items():
                before = here[list(colours)[: list(colours).index(name)]]
                # What is negative hangs below 0, and covers nothing.
                bottom = before.where(here[[name]].to_numpy() * before > 0, 0).sum(axis=1)
                ax.bar(range(len(here)), here[name], BAR_WIDTH, bottom=bottom, color=colour)
            ax.set_xticks(range(len(here)), here.index)
            ax.set(title=f"{architecture}, batch {batch:,}", ylabel=label)
            ax.grid(visible=False, axis="x")
            axes[architecture, int(batch)] = ax
    patches = [
        Patch(color=colour, label=name.replace("_", " ")) for name, colour in colours.items()
    ]
    legend_below(figure, [*patches, *extra])
    return figure, axes
