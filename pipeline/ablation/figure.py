"""How accuracy changes with a factor's level, seed by seed, with time and memory beside it."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.transforms import blended_transform_factory

from pipeline.ablation.comparison import BASELINE_ROW, Comparison
from pipeline.report.charts.style import COLOURS, in_order
from pipeline.report.statistics import Estimate
from pipeline.report.verdicts import Verdict

_COLOURS = {
    "lower with every seed": COLOURS[1],
    "higher with every seed": COLOURS[0],
    f"{Verdict.NO_DIFFERENCE}: seeds disagree": "#888888",
}
_GREY = "#777777"
_BAND = "#F3F3F3"
_ROW_INCHES = 0.3
# The width of a letter, for the longest label; of the changes and ratios of an architecture.
_LETTER, _CHANGES, _RATIOS = 0.12, 4.4, 2.0
_SMALL, _LARGE = 5, 10


def draw(comparisons: Sequence[Comparison]) -> Figure:
    """Draw two columns per architecture and a row per level, factor by factor.

    A row has a dot per seed, their mean and range; beside it stand the ratios of time and memory.
    """
    shown = [each for each in comparisons if each.factor != BASELINE_ROW]
    architectures = in_order(each.outcome.architecture for each in shown)
    rows = _rows(shown)
    widths = [_LETTER * max(map(len, rows.values())), *(_CHANGES, _RATIOS) * len(architectures)]
    size = (sum(widths), 1.8 + _ROW_INCHES * len(rows))
    # Side by side without gaps: bands run through.
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0, wspace=0))
    axes = figure.subplots(1, len(widths), sharey=True, width_ratios=widths)
    for ax in axes:
        _bands(ax, rows)
    _write_labels(axes[0], rows)
    for number, architecture in enumerate(architectures):
        changes, ratios = axes[2 * number + 1 : 2 * number + 3]
        if number:
            changes.sharex(axes[1])
        changes.set_title(architecture, loc="left", fontweight="bold")
        here = [each for each in shown if each.outcome.architecture == architecture]
        _draw_changes(changes, rows, here)
        _write_ratios(ratios, rows, here)
    axes[0].set_ylim(len(rows) - 0.5, -0.5)
    _legend(figure, 2 * len(architectures))
    return figure


def _rows(shown: Sequence[Comparison]) -> dict[tuple[str, str], str]:
    """Return the labels of the rows, top down, by factor and level.

    A factor has a row of its own before those of its levels: its level is empty.
    """
    rows = {}
    for each in shown:
        rows[each.factor, ""] = f"{each.factor}: {each.baseline_level}"
        rows[each.factor, each.level] = each.level
    return rows


def _positions(rows: dict[tuple[str, str], str]) -> dict[tuple[str, str], int]:
    return {key: position for position, key in enumerate(rows)}


def _bands(ax: Axes, rows: dict[tuple[str, str], str]) -> None:
    """Shade every other factor; leave the axes bare."""
    factors = in_order(factor for factor, _ in rows)
    for (factor, _), position in _positions(rows).items():
        if factors.index(factor) % 2 == 0:
            ax.axhspan(position - 0.5, position + 0.5, color=_BAND, linewidth=0)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    ax.tick_params(left=False, labelleft=False, bottom=False, labelbottom=False)


def _write_labels(ax: Axes, rows: dict[tuple[str, str], str]) -> None:
    beside = blended_transform_factory(ax.transAxes, ax.transData)
    for ((_, level), label), position in zip(rows.items(), range(len(rows)), strict=True):
        indent, weight = (0.05, "normal") if level else (0.01, "bold")
        text = ax.text(indent, position, label, transform=beside, va="center", fontweight=weight)
        # The column is as wide as they are: no room beside it.
        text.set_in_layout(False)


def _draw_changes(ax: Axes, rows: dict[tuple[str, str], str], here: Sequence[Comparison]) -> None:
    positions = _positions(rows)
    ax.axvline(0, color="#333333", linewidth=1.2, zorder=1)
    for each in here:
        position = positions[each.factor, each.level]
        colour = _colour(each.change)
        seeds = each.differences
        ax.hlines(position, each.change.lower, each.change.upper, color=colour, linewidth=2)
        ax.plot(each.change.value, position, "o", color=colour, markersize=_LARGE, alpha=0.55)
        ax.plot(seeds, [position] * len(seeds), "o", color=colour, markersize=_SMALL)
    for factor, accuracy in {each.factor: each.baseline.accuracy for each in here}.items():
        ax.annotate(
            f"{accuracy:.2f} %",
            (0, positions[factor, ""]),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize="small",
            color=_GREY,
        )
    ax.grid(visible=True, axis="x")
    ax.spines["bottom"].set_visible(True)
    ax.tick_params(bottom=True, labelbottom=True)
    ax.set_xlabel("change of test accuracy, points")


def _colour(change: Estimate) -> str:
    lower, higher, neither = _COLOURS.values()
    if change.holds(0.0):
        return neither
    return lower if change.value < 0 else higher


def _write_ratios(ax: Axes, rows: dict[tuple[str, str], str], here: Sequence[Comparison]) -> None:
    positions = _positions(rows)
    beside = blended_transform_factory(ax.transAxes, ax.transData)
    for place, name in ((0.4, "time"), (0.9, "memory")):
        ax.text(place, 1.005, name, transform=ax.transAxes, ha="right", va="bottom")
        for each in here:
            if name not in each.ratios:
                continue
            ax.text(
                place,
                positions[each.factor, each.level],
                f"×{each.ratios[name].value:.2f}",
                transform=beside,
                ha="right",
                va="center",
                color="black" if name in each.differing_costs else _GREY,
                fontweight="bold" if name in each.differing_costs else "normal",
            )


def _legend(figure: Figure, columns: int) -> None:
    handles = [
        Line2D([], [], marker="o", markersize=_LARGE, color=colour, linewidth=0, label=label)
        for label, colour in _COLOURS.items()
    ]
    seed = Line2D(
        [], [], marker="o", markersize=_SMALL, color="black", linewidth=0, label="one seed"
    )
    figure.legend(handles=[*handles, seed], loc="outside lower center", ncols=columns)
