"""Confusion matrices on the test set."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.report.figures.style import in_order, panels


def draw_confusion(confusion: pd.DataFrame) -> Figure:
    """Draw a matrix an architecture (row) and method (column), percent of the actual class."""
    architectures = in_order(confusion["architecture"])
    methods = in_order(confusion["method"])
    classes = in_order(confusion["actual"])
    figure = Figure(figsize=(6.2 * len(methods), 6.2 * len(architectures)))
    grid = panels(figure, len(architectures), len(methods))
    image = None
    for architecture, row in zip(architectures, grid, strict=True):
        for method, ax in zip(methods, row, strict=True):
            chosen = confusion[
                (confusion["architecture"] == architecture) & (confusion["method"] == method)
            ]
            matrix = chosen.pivot(index="actual", columns="predicted", values="images")
            matrix = matrix.loc[classes, classes]
            percent = 100 * matrix.div(matrix.sum(axis=1), axis=0)
            image = ax.imshow(percent, cmap="Blues", vmin=0, vmax=100)
            if len(classes) <= 12:
                _write_values(ax, percent)
            ax.set_xticks(range(len(classes)), classes, rotation=90)
            ax.set_yticks(range(len(classes)), classes)
            ax.set(title=f"{architecture}, {method}", xlabel="predicted", ylabel="actual")
            ax.grid(visible=False)
            ax.label_outer()
    if image is not None:
        figure.colorbar(
            image, ax=[ax for row in grid for ax in row], label="% of the class", shrink=0.6
        )
    return figure


def _write_values(ax: Axes, percent: pd.DataFrame) -> None:
    for i, row in enumerate(percent.to_numpy()):
        for j, value in enumerate(row):
            if value >= 0.5:
                ax.text(
                    j,
                    i,
                    f"{value:.0f}",
                    ha="center",
                    va="center",
                    fontsize=10,
                    color="white" if value > 50 else "black",
                )
