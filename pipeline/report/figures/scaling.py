"""Time and memory against width, batch size, depth and threads."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, StrMethodFormatter

from pipeline.report.figures.style import (
    colour_of,
    in_order,
    marker_of,
    method_legend,
    panels,
    plain_logarithmic,
)

_LABELS = {
    "width": "hidden width",
    "batch": "batch size",
    "depth": "hidden layers",
    "threads": "threads",
}
_COSTS = {"epoch_seconds": "s an epoch", "training_memory_mib": "training memory, MiB"}


def draw_scaling(scaling: pd.DataFrame) -> Figure:
    """Draw a column an axis, time above and training memory below, both logarithmic."""
    axes = in_order(scaling["axis"])
    colours = colour_of(scaling["method"])
    figure = Figure(figsize=(4.4 * len(axes), 8.4))
    grid = panels(figure, len(_COSTS), len(axes))
    for row, (cost, label) in zip(grid, _COSTS.items(), strict=True):
        for ax, axis in zip(row, axes, strict=True):
            chosen = scaling[scaling["axis"] == axis]
            values = sorted(chosen["value"].unique())
            for method, marker in marker_of(colours).items():
                line = chosen[chosen["method"] == method].sort_values("value")
                ax.plot(line["value"], line[cost], color=colours[method], marker=marker)
            ax.set(xscale="log", yscale="log", xlabel=_LABELS[axis])
            ax.set_xticks(values)
            ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            ax.xaxis.set_minor_locator(NullLocator())
            ax.tick_params(axis="x", rotation=45 if len(values) > 4 else 0)
            plain_logarithmic(ax.yaxis)
        row[0].set_ylabel(label)
    method_legend(figure, colours, [])
    return figure
