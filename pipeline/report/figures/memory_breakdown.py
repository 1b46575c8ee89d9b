"""Where bytes and seconds go: stacked bars, a bar a method."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from pipeline.report.figures.style import PART_COLOURS, in_order, panels

CASE = ["architecture", "batch_size"]


def draw_memory_breakdown(breakdown: pd.DataFrame, costs: pd.DataFrame) -> Figure:
    """Draw the memory breakdown: a panel an architecture and batch size, a tick at the peak."""
    figure, axes = _stacked(breakdown, "kind", "mib", "MiB")
    peaks = costs.set_index([*CASE, "method"])["training_memory_mib"]
    methods = in_order(breakdown["method"])
    for (architecture, batch), ax in axes.items():
        for position, method in enumerate(methods):
            peak = float(peaks[architecture, batch, method])
            ax.hlines(peak, position - 0.4, position + 0.4, color="#000000")
    peak_line = Line2D([], [], color="#000000", label="measured peak")
    _legend(figure, breakdown, "kind", [peak_line])
    return figure


def draw_phases(phases: pd.DataFrame) -> Figure:
    """Draw seconds of an epoch by phase: a panel an architecture and batch size."""
    figure, _ = _stacked(phases, "phase", "seconds", "seconds an epoch")
    _legend(figure, phases, "phase", [])
    return figure


def _stacked(
    table: pd.DataFrame, part: str, value: str, label: str
) -> tuple[Figure, dict[tuple[str, int], Axes]]:
    architectures = in_order(table["architecture"])
    batches = sorted(table["batch_size"].unique())
    methods = in_order(table["method"])
    figure = Figure(figsize=(6.4 * len(architectures), 4.3 * len(batches)))
    grid = panels(figure, len(batches), len(architectures))
    sizes = table.pivot(index=[*CASE, "method"], columns=part, values=value).fillna(0)
    axes = {}
    for batch, row in zip(batches, grid, strict=True):
        for architecture, ax in zip(architectures, row, strict=True):
            for position, method in enumerate(methods):
                bottom = 0.0
                for name, colour in _colours(table, part).items():
                    size = float(sizes.loc[(architecture, batch, method), name])
                    ax.bar(position, size, 0.6, bottom=bottom, color=colour)
                    bottom += size
            ax.set_xticks(range(len(methods)), methods)
            ax.set(title=f"{architecture}, batch {batch}", ylabel=label)
            ax.grid(visible=False, axis="x")
            axes[architecture, batch] = ax
    return figure, axes


def _colours(table: pd.DataFrame, part: str) -> dict[str, str]:
    return dict(zip(in_order(table[part]), PART_COLOURS, strict=False))


def _legend(figure: Figure, table: pd.DataFrame, part: str, extra: list[Line2D]) -> None:
    patches = [
        Patch(color=colour, label=name.replace("_", " "))
        for name, colour in _colours(table, part).items()
    ]
    figure.legend(handles=[*patches, *extra], loc="outside lower center", ncols=5)
