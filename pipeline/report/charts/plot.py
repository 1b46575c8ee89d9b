"""Tables -> figures: reports/figures/ as PNG and SVG."""

import matplotlib as mpl

from pipeline.common.atomic import atomic_directory
from pipeline.common.console import echo
from pipeline.config.paths import REPORTS
from pipeline.report.charts.style import STYLE, save
from pipeline.report.charts.tables import read_tables
from pipeline.report.charts.topics import TOPICS


def plot() -> None:
    """Draw every figure of the summary.

    Raises:
        PipelineError: a table is missing, empty or damaged, or the folder cannot be written.
    """
    folder = REPORTS / "figures"
    needs = [topic.needs for topic in TOPICS.values()]
    tables = read_tables(needs, required=[name for each in needs for name in each])
    with atomic_directory(folder) as temporary, mpl.rc_context(STYLE):
        for name, topic in TOPICS.items():
            save(topic.draw(tables), temporary, name)
    echo(f"{folder}/ has {len(TOPICS)} figures, as PNG and SVG")
