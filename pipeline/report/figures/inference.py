"""Time an image against batch size, for every runtime."""

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


def draw_inference(inference: pd.DataFrame) -> Figure:
    """Draw a panel an architecture (across) and number of threads (down), logarithmic."""
    architectures = in_order(inference["architecture"])
    threads = sorted(inference["threads"].unique())
    colours = colour_of(inference["runtime"])
    figure = Figure(figsize=(6.6 * len(architectures), 4.4 * len(threads)))
    grid = panels(figure, len(threads), len(architectures), sharey=True)
    for count, row in zip(threads, grid, strict=True):
        for architecture, ax in zip(architectures, row, strict=True):
            chosen = inference[
                (inference["architecture"] == architecture) & (inference["threads"] == count)
            ]
            for runtime, marker in marker_of(colours).items():
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
        row[0].set_ylabel("µs an image")
    method_legend(figure, colours, [])
    return figure
