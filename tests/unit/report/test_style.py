"""What the figures share."""

from io import BytesIO

import pytest
from matplotlib import rc_context
from matplotlib.figure import Figure

from pipeline.report.charts.style import STYLE, method_legend

LONG = ["torch", "torch.compile", "torch int8", "ONNX Runtime", "ONNX Runtime int8", "packed", "9"]


@pytest.mark.parametrize(("names", "width"), [(LONG, 13.2), (LONG, 6), (["float"], 5)])
def test_a_legend_lies_within_its_figure(names: list[str], width: float) -> None:
    with rc_context(STYLE):
        figure = Figure(figsize=(width, 5))
        figure.subplots()
        method_legend(figure, dict.fromkeys(names, "#000000"), [])
        figure.savefig(BytesIO())
        (legend,) = figure.legends
        box = legend.get_window_extent()
    assert [text.get_text() for text in legend.get_texts()] == names
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.width
