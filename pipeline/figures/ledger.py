"""The byte ledger, stacked, beside the measured peak."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from pipeline.figures.style import COLOURS, in_order, panels


def draw_ledger(ledger: pd.DataFrame, costs: pd.DataFrame) -> Figure:
    """Draw a panel an architecture and batch size, a bar a method, and a tick at the peak."""
    architectures = in_order(ledger["architecture"])
    batches = sorted(ledger["batch_size"].unique())
    methods = in_order(ledger["method"])
    kinds = dict(zip(in_order(ledger["kind"]), COLOURS, strict=False))
    figure = Figure(figsize=(5.5 * len(architectures), 4.3 * len(batches)))
    grid = panels(figure, len(batches), len(architectures))
    keys = ["architecture", "batch_size", "method"]
    sizes = ledger.set_index([*keys, "kind"])["mib"]
    peaks = costs.set_index(keys)["training_memory_mib"]
    for batch, row in zip(batches, grid, strict=True):
        for architecture, ax in zip(architectures, row, strict=True):
            for position, method in enumerate(methods):
                bottom = 0.0
                for kind, colour in kinds.items():
                    size = float(sizes[architecture, batch, method, kind])
                    ax.bar(position, size, 0.6, bottom=bottom, color=colour)
                    bottom += size
                peak = float(peaks[architecture, batch, method])
                ax.hlines(peak, position - 0.4, position + 0.4, color="#000000")
            ax.set_xticks(range(len(methods)), methods)
            ax.set(title=f"{architecture}, batch {batch}", ylabel="MiB")
            ax.grid(visible=False, axis="x")
    patches = [Patch(color=c, label=kind.replace("_", " ")) for kind, c in kinds.items()]
    peak_line = Line2D([], [], color="#000000", label="measured peak")
    figure.legend(handles=[*patches, peak_line], loc="outside lower center", ncols=3)
    return figure
