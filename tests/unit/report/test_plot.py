"""Figures and page, from the tables that `aggregate` writes."""

from matplotlib import image

from pipeline.config.params import Params
from pipeline.config.paths import REPORTS
from pipeline.report.aggregate import aggregate
from pipeline.report.captions import FIGURES
from pipeline.report.page import SECTIONS, page
from pipeline.report.plot import plot


def test_all_figures_and_sections_are_made_of_the_tables_that_aggregate_writes(
    results: Params,
) -> None:
    aggregate(results)
    plot()
    page()
    for name in FIGURES:
        picture = image.imread(REPORTS / "figures" / f"{name}.png")
        # More than a blank page: the mean of white is 1.
        assert picture[..., :3].mean() < 0.99
        assert (REPORTS / "figures" / f"{name}.svg").read_text().startswith("<?xml")
    text = (REPORTS / "index.html").read_text("utf-8")
    assert text.count("<section>") == len(SECTIONS)
