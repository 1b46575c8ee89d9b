"""Figures and page, from the tables that `aggregate` writes."""

import subprocess
import sys

from matplotlib import image

from pipeline.config.params import Params
from pipeline.config.paths import REPORTS
from pipeline.report.aggregate import aggregate
from pipeline.report.charts.captions import CAPTIONS, figure_markdown
from pipeline.report.charts.page import page
from pipeline.report.charts.plot import plot
from pipeline.report.charts.topics import TOPICS


def test_all_figures_and_sections_are_made_of_the_tables_that_aggregate_writes(
    results: Params,
) -> None:
    aggregate(results)
    plot()
    page()
    for name in TOPICS:
        picture = image.imread(REPORTS / "figures" / f"{name}.png")
        # More than a blank page: the mean of white is 1.
        assert picture[..., :3].mean() < 0.99
        assert (REPORTS / "figures" / f"{name}.svg").read_text().startswith("<?xml")
    text = (REPORTS / "index.html").read_text("utf-8")
    assert text.count("<section>") == len(TOPICS)


def test_every_figure_has_a_caption_that_is_printed_once() -> None:
    assert list(CAPTIONS) == list(TOPICS)
    for name, caption in CAPTIONS.items():
        assert figure_markdown(name).split("\n") == [
            f"![{caption.alt}](figures/{name}.png)",
            "",
            f"*{caption.text}* ([SVG](figures/{name}.svg))",
        ]


def test_captions_load_no_library_for_charts() -> None:
    code = (
        "import sys, pipeline.report.summary.document; "
        "print({'matplotlib', 'altair', 'vl_convert'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert run.stdout == "set()\n"
