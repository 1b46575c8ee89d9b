"""The report's figures draw what stands in their legends, and survive what is not there."""

from collections.abc import Callable

import pandas as pd
import pytest
from matplotlib.figure import Figure

from pipeline.report.charts import confusion, inference, memory_breakdown, scaling
from pipeline.report.charts.tables import Tables

NAMES = [f"method {number}" for number in range(10)]


def lines_and_legend(figure: Figure) -> tuple[list[int], list[str]]:
    """Return how many lines each panel has, and the legend's texts."""
    (legend,) = figure.legends
    return [len(ax.lines) for ax in figure.axes], [text.get_text() for text in legend.texts]


def tables(name: str, rows: list[dict[str, object]]) -> Tables:
    """Return one table, and one that names its methods."""
    methods = {"method": [row["method"] for row in rows if "method" in row]}
    return Tables({"accuracy": pd.DataFrame(methods), name: pd.DataFrame(rows)})


def draw_scaling() -> Figure:
    costs = {"epoch_seconds": 1.0, "training_memory_mib": 2.0}
    rows: list[dict[str, object]] = [
        {"axis": "width", "value": value, "method": name, **costs}
        for value in (8, 16)
        for name in NAMES
    ]
    return scaling.draw(tables("scaling", rows))


def draw_inference() -> Figure:
    case = {"architecture": "mlp-8", "threads": 1}
    rows: list[dict[str, object]] = [
        {**case, "batch_size": batch, "runtime": name, "microseconds_an_image": 3.0}
        for batch in (1, 7)
        for name in NAMES
    ]
    return inference.draw(tables("inference", rows))


@pytest.mark.parametrize("draw", [draw_scaling, draw_inference])
def test_more_methods_than_markers_are_all_drawn(draw: Callable[[], Figure]) -> None:
    drawn, named = lines_and_legend(draw())
    assert named == NAMES
    assert set(drawn) == {len(NAMES)}


def test_a_class_without_images_is_a_blank_row() -> None:
    rows: list[dict[str, object]] = [
        {"architecture": "mlp-8", "method": "float", "actual": a, "predicted": p, "images": n}
        for a, p, n in (("a", "a", 3), ("a", "b", 1), ("b", "a", 0), ("b", "b", 0))
    ]
    figure = confusion.draw(tables("confusion", rows))
    assert [text.get_text() for text in figure.axes[0].texts] == ["75", "25"]


def test_a_part_below_0_hangs_below_the_stack() -> None:
    case = {"architecture": "mlp-8", "batch_size": 10, "method": "float"}
    parts = {"weights": 3.0, "rest": -1.0, "input": 2.0}
    rows: list[dict[str, object]] = [{**case, "kind": k, "mib": v} for k, v in parts.items()]
    frames = dict(tables("memory_breakdown", rows).frames)
    frames["costs"] = pd.DataFrame([{**case, "training_memory_mib": 4.0}])
    (ax,) = memory_breakdown.draw(Tables(frames)).axes
    spans = [(bar.get_y(), bar.get_height()) for bar in ax.patches]  # type: ignore[attr-defined]
    assert spans == [(0, 3), (0, -1), (3, 2)]
