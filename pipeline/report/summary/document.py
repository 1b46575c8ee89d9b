"""reports/summary.md and docs/aims.md, rendered from their templates."""

import re
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.report import text
from pipeline.report.charts.captions import figure_markdown
from pipeline.report.report import Report
from pipeline.report.summary import markdown_tables
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
TEMPLATES.globals |= {"figure": figure_markdown, "table": markdown_tables}


def render_summary(report: Report) -> str:
    """Return the whole of summary.md."""
    return _render("summary.md.jinja", report, summary_context(report))


def render_aims(report: Report) -> str:
    """Return the whole of aims.md."""
    return _render("aims.md.jinja", report, aims_context(report))


def render_template(path: Path, values: dict[str, Any]) -> str:
    """Return the template at `path` with `values`, rendered with the report's own filters."""
    return _tidy(TEMPLATES.from_string(path.read_text(encoding="utf-8")).render(values))


def _render(template: str, report: Report, values: dict[str, Any]) -> str:
    rendered = TEMPLATES.get_template(template).render(values, report=report, params=report.params)
    return _tidy(rendered)


def _tidy(rendered: str) -> str:
    # What a template leaves out leaves its blank lines behind.
    return re.sub(r"\n{3,}", "\n\n", rendered)
