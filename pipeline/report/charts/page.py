"""Tables -> reports/index.html: one page with interactive charts, which needs nothing else."""

from pipeline.common.atomic import write_text
from pipeline.common.console import echo
from pipeline.config.paths import REPORTS
from pipeline.report.charts.costs import NEEDS as REQUIRED
from pipeline.report.charts.html import render
from pipeline.report.charts.tables import Tables, read_tables
from pipeline.report.charts.topics import TOPICS

PAGE = REPORTS / "index.html"


def page() -> None:
    """Write the page from the tables that there are: without one, it has a section less.

    Raises:
        PipelineError: a table is damaged, or one without which there are no switches and no
            answer is missing, or the page cannot be written.
    """
    tables = read_tables([topic.needs for topic in TOPICS.values()], REQUIRED)
    shown = [
        topic for topic in TOPICS.values() if all(name in tables.frames for name in topic.needs)
    ]
    frames = dict(tables.frames)
    for topic in shown:
        frames |= {name: thin(frames[name]) for name, thin in topic.thin.items()}
    tables = Tables(frames)
    write_text(PAGE, render(tables, [topic.section(tables) for topic in shown]))
    echo(f"{PAGE} has {len(shown)} sections, {PAGE.stat().st_size / 1e6:.2f} MB")
