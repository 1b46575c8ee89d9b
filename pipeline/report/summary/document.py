"""reports/summary.md and docs/aims.md, rendered from their templates."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.report import text
from pipeline.report.captions import figure
from pipeline.report.report import Report
from pipeline.report.summary.context import aims_context, summary_context

# A name that a template uses and nobody passes is an error, and no gap in the text.
TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
TEMPLATES.filters.update(
    number=text.format_number,
    range=text.format_range,
    percent_less=text.percent_less,
    points_lost=text.points_lost,
    interval_name=text.interval_name,
    join_words=text.join_words,
    plural=text.plural,
    chance_of_one_sign=text.chance_of_one_sign,
)
TEMPLATES.globals["figure"] = figure


def render_summary(report: Report) -> str:
    """Return the whole of summary.md."""
    return TEMPLATES.get_template("summary.md.jinja").render(summary_context(report))


def render_aims(report: Report) -> str:
    """Return the whole of aims.md."""
    return TEMPLATES.get_template("aims.md.jinja").render(aims_context(report))
