"""What training costs and what accuracy it buys: a row per method."""

import altair as alt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.config.names import BASELINE
from pipeline.report.charts import vega
from pipeline.report.charts.style import in_order, method_legend, panels
from pipeline.report.charts.tables import COST_NEEDS, Needs, Series, Tables
from pipeline.report.charts.topic import Chart, Section, Topic

COSTS = {
    "epoch_seconds": ("Time", "seconds per epoch"),
    "training_memory_mib": ("Training memory", "MiB"),
    "process_memory_mib": ("Process memory", "MiB, peak of the whole process"),
}
CASE = ("architecture", "batch_size")
NEEDS: Needs = {
    **COST_NEEDS,
    "accuracy": (
        *("architecture", "method", "test_accuracy", "test_accuracy_std"),
        *("seeds", "model_kib"),
    ),
}
ROW = 34
# Bars leave the rest of the width to their labels.
ROOM = 1.75
BAR_SHARE = 0.8
# So small that the labels of neighbours do not touch.
LABEL_SIZE = 9


def section(tables: Tables) -> Section:
    """Return the section: what binarization saves."""
    measured = tuple(
        Chart(
            name=cost.replace("_", "-"),
            title=title,
            unit=unit,
            sources=("costs",),
            spec=_cost(cost, title, unit, tables.methods),
        )
        for cost, (title, unit) in COSTS.items()
    )
    return Section(
        title="What it costs",
        text="Medians over rounds of fresh processes, in which the methods take turns. × is the "
        f"ratio to {BASELINE}, paired within rounds; its interval is in the tooltip. ≈ marks no "
        "difference. Accuracy and model size are those of the trained networks, whatever the "
        "batch size chosen here.",
        charts=(*measured, _accuracy_chart(tables.methods), _size_chart(tables.methods)),
        columns=5,
    )


def _cost(cost: str, title: str, unit: str, methods: Series) -> alt.LayerChart:
    tooltip = [
        alt.Tooltip("method:N"),
        alt.Tooltip(f"{cost}:Q", title=unit.split()[0], format=".4~r"),
        alt.Tooltip(f"{cost}_interval:N", title=f"× {BASELINE} [interval]"),
    ]
    base = vega.rows("costs", *CASE)
    # A column at the right end, to be read downwards.
    times = base.mark_text(align="right", color=vega.GREY, aria=False).encode(
        x=alt.value("width"), y=vega.method_axis(methods), text=f"{cost}_times:N"
    )
    bars = _bars(base, cost, methods, tooltip)
    return vega.layered(
        *bars,
        times,
        keys=CASE,
        height=ROW * len(methods.names),
        description=f"{title}, {unit}, by method.",
    )


def _size_chart(methods: Series) -> Chart:
    tooltip = [alt.Tooltip("method:N"), alt.Tooltip("model_kib:Q", title="KiB", format=",.1f")]
    bars = _bars(vega.rows("accuracy", "architecture"), "model_kib", methods, tooltip)
    return Chart(
        name="model-size",
        title="Model file",
        unit="KiB",
        sources=("accuracy",),
        spec=vega.layered(
            *bars,
            keys=("architecture",),
            height=ROW * len(methods.names),
            description="Size of the model file by method.",
        ),
    )


def _bars(
    base: alt.Chart, column: str, methods: Series, tooltip: list[alt.Tooltip]
) -> list[alt.Chart]:
    """Return layers: bars, their labels, and room for those."""
    base = base.transform_joinaggregate(largest=f"max({column})").transform_calculate(
        room=f"{ROOM} * datum.largest", label=vega.short(f"datum.{column}")
    )
    x = alt.X(f"{column}:Q", axis=None)
    y = vega.method_axis(methods)
    bars = base.mark_bar(height=18).encode(
        x=x, y=y, color=vega.colour("method", methods), tooltip=tooltip
    )
    labels = base.mark_text(align="left", dx=6, aria=False).encode(
        x=x, y=y, text="label:N", tooltip=tooltip
    )
    room = base.mark_point(opacity=0, aria=False).encode(x=alt.X("room:Q", axis=None), y=y)
    return [room, bars, labels]


def _accuracy_chart(methods: Series) -> Chart:
    tooltip = [
        alt.Tooltip("method:N"),
        alt.Tooltip("test_accuracy:Q", title="test accuracy, %", format=".2f"),
        alt.Tooltip("deviation:N", title="standard deviation"),
        alt.Tooltip("seeds:Q"),
    ]
    base = vega.rows("accuracy", "architecture").transform_calculate(
        # With one seed there is no spread, and a line without length is not seen.
        low="datum.test_accuracy - (datum.test_accuracy_std || 0)",
        high="datum.test_accuracy + (datum.test_accuracy_std || 0)",
        label="format(datum.test_accuracy, '.2f')",
        deviation="isValid(datum.test_accuracy_std) ? format(datum.test_accuracy_std, '.2f') "
        ": 'none with one seed'",
    )
    # An accuracy is not a length from 0: the axis is cut, and so a point is drawn, not a bar.
    scale = alt.Scale(zero=False, padding=24)
    x = alt.X("test_accuracy:Q", scale=scale, axis=alt.Axis(title=None, tickCount=5))
    y = vega.method_axis(methods)
    colour = vega.colour("method", methods)
    spread = base.mark_rule(strokeWidth=2).encode(x="low:Q", x2="high:Q", y=y, color=colour)
    points = base.mark_circle(size=90, opacity=1).encode(x=x, y=y, color=colour, tooltip=tooltip)
    labels = base.mark_text(dy=-13, aria=False).encode(x=x, y=y, text="label:N")
    return Chart(
        name="accuracy",
        title="Test accuracy",
        unit="%, mean and standard deviation over seeds; the axis is cut",
        sources=("accuracy",),
        spec=vega.layered(
            spread,
            points,
            labels,
            keys=("architecture",),
            height=ROW * len(methods.names),
            description="Test accuracy by method, with the standard deviation over seeds.",
        ),
    )


def draw(tables: Tables) -> Figure:
    """Draw bars by network and method: a row of panels per batch size, then accuracy and size."""
    costs, accuracy, colours = tables["costs"], tables["accuracy"], tables.methods.colours
    batches = sorted(costs["batch_size"].unique())
    # A name of an architecture has room below its bars.
    width = max(15, 7 * costs["architecture"].nunique())
    figure = Figure(figsize=(width, 4.3 * (len(batches) + 1)))
    grid = panels(figure, len(batches) + 1, len(COSTS))
    for batch, row in zip(batches, grid, strict=False):
        chosen = costs[costs["batch_size"] == batch]
        for ax, (column, (title, unit)) in zip(row, COSTS.items(), strict=True):
            _draw_bars(ax, chosen, column, colours)
            ax.set(title=f"{title}, batch {batch:,}", ylabel=unit.partition(",")[0])
    last = grid[-1]
    _accuracy_points(last[0], accuracy, colours)
    _draw_bars(last[1], accuracy, "model_kib", colours)
    last[1].set(title="Model file", ylabel="KiB")
    last[2].set_axis_off()
    method_legend(figure, colours)
    return figure


def _draw_bars(ax: Axes, table: pd.DataFrame, column: str, colours: dict[str, str]) -> None:
    for position, colour, row in _positions(table, colours):
        bar = ax.bar(position, row[column], BAR_SHARE / len(colours), color=colour)
        ax.bar_label(bar, fmt=_short, fontsize=LABEL_SIZE, padding=2)
    _name_groups(ax, table)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:#.2g}".rstrip(".")


def _accuracy_points(ax: Axes, accuracy: pd.DataFrame, colours: dict[str, str]) -> None:
    for position, colour, row in _positions(accuracy, colours):
        spread = row["test_accuracy_std"] if row["seeds"] > 1 else None
        ax.errorbar(
            position, row["test_accuracy"], spread, fmt="o", color=colour, markersize=9, capsize=5
        )
        ax.annotate(
            f"{row['test_accuracy']:.1f}",
            (position, row["test_accuracy"] + (spread or 0)),
            xytext=(0, 8),
            textcoords="offset points",
            fontsize=LABEL_SIZE,
            ha="center",
        )
    _name_groups(ax, accuracy)
    ax.set(title="Test accuracy (axis cut)", ylabel="%")
    ax.margins(x=0.15, y=0.2)


def _positions(
    table: pd.DataFrame, colours: dict[str, str]
) -> list[tuple[float, str, "pd.Series[float]"]]:
    """Place the methods of each architecture side by side around its own position."""
    architectures = in_order(table["architecture"])
    methods = list(colours)
    width = BAR_SHARE / len(methods)
    return [
        (
            architectures.index(row["architecture"])
            + (methods.index(row["method"]) - (len(methods) - 1) / 2) * width,
            colours[row["method"]],
            row,
        )
        for _, row in table.iterrows()
    ]


def _name_groups(ax: Axes, table: pd.DataFrame) -> None:
    architectures = in_order(table["architecture"])
    ax.set_xticks(range(len(architectures)), architectures)
    ax.grid(visible=False, axis="x")
    ax.margins(y=0.12)


TOPIC = Topic(NEEDS, draw, section)
