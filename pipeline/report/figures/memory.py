"""Resident memory of the process over time."""

import pandas as pd
from matplotlib.figure import Figure

from pipeline.report.figures.style import colour_of, in_order, method_legend, panels


def draw_memory(curves: pd.DataFrame) -> Figure:
    """Draw a panel an architecture and batch size, a line a method."""
    architectures = in_order(curves["architecture"])
    batches = sorted(curves["batch_size"].unique())
    colours = colour_of(curves["method"])
    figure = Figure(figsize=(5.5 * len(architectures), 4.3 * len(batches)))
    grid = panels(figure, len(batches), len(architectures), sharey=True)
    for batch, row in zip(batches, grid, strict=True):
        for architecture, ax in zip(architectures, row, strict=True):
            chosen = curves[
                (curves["architecture"] == architecture) & (curves["batch_size"] == batch)
            ]
            for method, colour in colours.items():
                line = chosen[chosen["method"] == method]
                ax.plot(line["seconds"], line["process_memory_mib"], color=colour, linewidth=1.6)
            ax.axvline(0, color="#555555", linewidth=1, linestyle=":")
            ax.set(title=f"{architecture}, batch {batch}", xlabel="time, s")
        row[0].set_ylabel("process memory, MiB")
    # Once all is drawn: setting one limit fixes the other where it then is.
    grid[0][0].set_ylim(bottom=0)
    method_legend(figure, colours, [])
    return figure
