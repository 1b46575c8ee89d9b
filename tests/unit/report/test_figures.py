"""The report's figures draw what stands in their legends, and survive what is not there."""

from collections.abc import Callable

import pandas as pd
import pytest
from matplotlib.figure import Figure

from pipeline.report.figures.confusion import draw_confusion
from pipeline.report.figures.inference import draw_inference
from pipeline.report.figures.scaling import draw_scaling

NAMES = [f"method {number}" for number in range(10)]


def lines_and_legend(figure: Figure) -> tuple[list[int], list[str]]:
    """Return how many lines each panel has, and the legend's texts."""
    (legend,) = figure.legends
    return [len(ax.lines) for ax in figure.axes], [text.get_text() for text in legend.texts]


def scaling() -> Figure:
    costs = {"epoch_seconds": 1.0, "training_memory_mib": 2.0}
    rows = [
        {"axis": "width", "value": value, "method": name, **costs}
        for value in (8, 16)
        for name in NAMES
    ]
    return draw_scaling(pd.DataFrame(rows))


def inference() -> Figure:
    case = {"architecture": "mlp-8", "threads": 1}
    rows = [
        {**case, "batch_size": batch, "runtime": name, "microseconds_an_image": 3.0}
        for batch in (1, 7)
        for name in NAMES
    ]
    return draw_inference(pd.DataFrame(rows))


@pytest.mark.parametrize("draw", [scaling, inference])
def test_more_methods_than_markers_are_all_drawn(draw: Callable[[], Figure]) -> None:
    drawn, named = lines_and_legend(draw())
    assert named == NAMES
    assert set(drawn) == {len(NAMES)}


def test_a_class_without_images_is_a_blank_row() -> None:
    rows = [
        {"architecture": "mlp-8", "method": "float", "actual": a, "predicted": p, "images": n}
        for a, p, n in (("a", "a", 3), ("a", "b", 1), ("b", "a", 0), ("b", "b", 0))
    ]
    figure = draw_confusion(pd.DataFrame(rows))
    assert [text.get_text() for text in figure.axes[0].texts] == ["75", "25"]
