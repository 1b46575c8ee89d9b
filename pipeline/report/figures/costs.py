"""What training costs and what accuracy it buys: bars side by side, and the trade-off."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pipeline.report.figures.style import (
    colour_of,
    in_order,
    marker_of,
    method_legend,
    panels,
    plain_logarithmic,
)

LABELS = {
    "epoch_seconds": "time, s an epoch",
    "training_memory_mib": "training memory, MiB",
    "process_memory_mib": "process memory, MiB",
}
BAR_SHARE = 0.8
# So small that the labels of neighbours do not touch.
LABEL_SIZE = 9


def draw_costs(costs: pd.DataFrame, accuracy: pd.DataFrame) -> Figure:
    """Bars by architecture and method: a row of panels a batch size, then accuracy and size."""
    colours = colour_of(costs["method"])
    batches = sorted(costs["batch_size"].unique())
    figure = Figure(figsize=(15, 4.3 * (len(batches) + 1)))
    grid = panels(figure, len(batches) + 1, len(LABELS))
    for batch, row in zip(batches, grid, strict=False):
        chosen = costs[costs["batch_size"] == batch]
        for ax, (column, label) in zip(row, LABELS.items(), strict=True):
            _bars(ax, chosen, column, colours)
            ax.set(title=f"batch {batch}", ylabel=label)
    last = grid[-1]
    _accuracy_points(last[0], accuracy, colours)
    _bars(last[1], accuracy, "model_kib", colours)
    last[1].set(title="model file", ylabel="size, KiB")
    last[2].set_axis_off()
    method_legend(figure, colours, [])
    return figure


def draw_tradeoff(costs: pd.DataFrame, accuracy: pd.DataFrame) -> Figure:
    """Test accuracy against time and memory: a column a batch size, a point a network."""
    colours = colour_of(costs["method"])
    architectures = in_order(costs["architecture"])
    markers = marker_of(architectures)
    batches = sorted(costs["batch_size"].unique())
    figure = Figure(figsize=(5.5 * len(batches), 9))
    grid = panels(figure, 2, len(batches), sharey=True)
    merged = costs.merge(accuracy, on=["architecture", "method"])
    for row, column in zip(grid, ("epoch_seconds", "training_memory_mib"), strict=True):
        for ax, batch in zip(row, batches, strict=True):
            for _, point in merged[merged["batch_size"] == batch].iterrows():
                ax.plot(
                    point[column],
                    point["test_accuracy"],
                    marker=markers[point["architecture"]],
                    color=colours[point["method"]],
                    markersize=12,
                )
            _logarithmic(ax)
            ax.set(xlabel=f"{LABELS[column]} (log)", title=f"batch {batch}")
        row[0].set_ylabel("test accuracy, %")
    shapes = [
        Line2D([], [], color="#555555", linestyle="", marker=marker, label=architecture)
        for architecture, marker in markers.items()
    ]
    method_legend(figure, colours, shapes)
    return figure


def _logarithmic(ax: Axes) -> None:
    """Scale the x axis logarithmically."""
    ax.set_xscale("log")
    ax.margins(x=0.2)
    plain_logarithmic(ax.xaxis)


def _bars(ax: Axes, table: pd.DataFrame, column: str, colours: dict[str, str]) -> None:
    for position, colour, row in _positions(table, colours):
        bar = ax.bar(position, row[column], BAR_SHARE / len(colours), color=colour)
        ax.bar_label(bar, fmt=_short, fontsize=LABEL_SIZE, padding=2)
    _name_groups(ax, table)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


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
    ax.set(title="accuracy (axis cut)", ylabel="test accuracy, %")
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
