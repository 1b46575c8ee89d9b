"""Learning curves: error and time against epoch."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from pipeline.report.figures.style import colour_of, in_order, method_legend, panels


def draw_error(curves: pd.DataFrame) -> Figure:
    """Error against epoch: a panel an architecture, training dashed, validation solid."""
    figure, axes, colours = _per_architecture(curves, "error, %")
    for architecture, ax in axes.items():
        for method, colour in colours.items():
            chosen = _select(curves, architecture, method)
            for part, line in (("training", "--"), ("validation", "-")):
                _band(ax, chosen, f"{part}_error", colour, line)
    extra = [
        Line2D([], [], color="#555555", linestyle="--", label="training"),
        Line2D([], [], color="#555555", linestyle="-", label="validation"),
    ]
    _finish(figure, axes, colours, extra)
    return figure


def draw_time(curves: pd.DataFrame) -> Figure:
    """Seconds of training, accumulated, against epoch: a panel an architecture."""
    figure, axes, colours = _per_architecture(curves, "training time, s")
    for architecture, ax in axes.items():
        for method, colour in colours.items():
            _band(ax, _select(curves, architecture, method), "cumulative_seconds", colour, "-")
    _finish(figure, axes, colours, [])
    return figure


def _finish(
    figure: Figure, axes: dict[str, Axes], colours: dict[str, str], extra: list[Line2D]
) -> None:
    # Once all is drawn: setting one limit fixes the other where it then is.
    for ax in axes.values():
        ax.set_ylim(bottom=0)
        ax.set_xlim(left=0)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    method_legend(figure, colours, extra)


def _per_architecture(
    curves: pd.DataFrame, label: str
) -> tuple[Figure, dict[str, Axes], dict[str, str]]:
    architectures = in_order(curves["architecture"])
    figure = Figure(figsize=(5.5 * len(architectures), 5))
    (row,) = panels(figure, 1, len(architectures))
    for architecture, ax in zip(architectures, row, strict=True):
        ax.set(title=architecture, xlabel="epoch", ylabel=label)
    return figure, dict(zip(architectures, row, strict=True)), colour_of(curves["method"])


def _select(curves: pd.DataFrame, architecture: str, method: str) -> pd.DataFrame:
    return curves[(curves["architecture"] == architecture) & (curves["method"] == method)]


def _band(ax: Axes, runs: pd.DataFrame, column: str, colour: str, line: str) -> None:
    """Draw the mean over seeds as a line and their range as a band."""
    by_epoch = runs.groupby("epoch")[column]
    mean = by_epoch.mean()
    ax.plot(mean.index, mean, color=colour, linestyle=line)
    ax.fill_between(
        mean.index, by_epoch.min(), by_epoch.max(), color=colour, alpha=0.18, linewidth=0
    )
