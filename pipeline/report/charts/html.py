"""The page as HTML: its parts are filled into template.html."""

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template

import vl_convert

from pipeline.report.charts import vega
from pipeline.report.charts.answer import answers
from pipeline.report.charts.style import in_order
from pipeline.report.charts.tables import COMPUTED, SHAPES, Series, Tables
from pipeline.report.charts.topic import Chart, Choice, Section, Switch

FOLDER = Path(__file__).parent
# What page.js uses of the library.
EXPORT = "window.vegaEmbed = vegaEmbed;"
# Methods of params.yaml; a further one explains itself or not.
MEANINGS = {
    "float": "float32, in torch: the baseline",
    "simulated": "+1 and -1 held in float32, in torch",
    "deterministic": "trained in bits, by sign",
    "stochastic": "trained in bits, at random",
}


def render(tables: Tables, sections: Sequence[Section]) -> str:
    """Return the whole page."""
    charts = [chart for section in sections for chart in section.charts]
    used = [name for name in tables.frames if any(name in chart.sources for chart in charts)]
    template = Template((FOLDER / "template.html").read_text("utf-8"))
    return template.substitute(
        style=(FOLDER / "style.css").read_text("utf-8"),
        answers="\n".join(_paragraph(*answer) for answer in answers(tables)),
        meanings=_legend(tables.methods, MEANINGS),
        methods=_legend(tables.methods, {}),
        switches="\n".join(_switch(switch) for switch in _page_switches(tables)),
        sections="\n".join(_section(section) for section in sections),
        tables=_json({name: json.loads(_split(tables, name)) for name in used}),
        charts=_json({"config": vega.CONFIG, "charts": {c.name: _embedded(c) for c in charts}}),
        library=vl_convert.javascript_bundle(EXPORT).replace("</script", r"<\/script"),
        script=(FOLDER / "page.js").read_text("utf-8"),
    )


def _page_switches(tables: Tables) -> list[Switch]:
    costs = tables["costs"]
    architectures = in_order(costs["architecture"])
    batches = in_order(sorted(costs["batch_size"].unique()))
    return [
        Switch("architecture", "Architecture", tuple(architectures), architectures[0]),
        Switch("batch_size", "Batch size", tuple(batches), batches[0]),
    ]


def _section(section: Section) -> str:
    parts = [f"<h2>{escape(section.title)}</h2>", f"<p>{escape(section.text)}</p>"]
    if section.switch:
        parts.append(_switch(section.switch))
    if section.legend:
        parts.append(_legend(section.legend, {}))
    figures = "\n".join(_figure(chart) for chart in section.charts)
    parts.append(f'<div class="charts columns-{section.columns}">\n{figures}\n</div>')
    return "<section>\n" + "\n".join(parts) + "\n</section>"


def _figure(chart: Chart) -> str:
    links = ", ".join(f'<a href="tables/{name}.csv">{name}.csv</a>' for name in _files(chart))
    notes = "".join(_paragraph(*note) for note in chart.notes)
    return (
        f'<figure id="{chart.name}">\n'
        f"<figcaption><h3>{escape(chart.title)}</h3>{escape(chart.unit)}</figcaption>\n"
        f'<div class="chart"></div>\n<p class="absent">Not measured for this choice.</p>\n'
        f'<div>{notes}<p class="source">{links}</p></div>\n</figure>'
    )


def _files(chart: Chart) -> list[str]:
    """Return the names of the tables in files that a chart is made from."""
    return in_order(file for name in chart.sources for file in COMPUTED.get(name, (name,)))


def _switch(switch: Switch) -> str:
    buttons = "".join(
        f'<label><input type="radio" name="{switch.key}" value="{escape(value)}"'
        f"{' checked' if value == switch.chosen else ''}><span>{escape(value)}</span></label>"
        for value in switch.values
    )
    return f'<fieldset class="switch"><legend>{switch.label}</legend>{buttons}</fieldset>'


def _legend(series: Series, meanings: dict[str, str]) -> str:
    """List the names with their colours, and their shapes for those who tell by shape."""
    items = []
    for (name, colour), shape in zip(series.colours.items(), series.shapes, strict=True):
        meaning = f" <small>{escape(meanings[name])}</small>" if name in meanings else ""
        items.append(
            f'<li><span style="color:{colour}" aria-hidden="true">{SHAPES[shape]}</span> '
            f"{escape(name.replace('_', ' '))}{meaning}</li>"
        )
    return f'<ul class="legend">{"".join(items)}</ul>'


def _paragraph(choice: Choice, html: str) -> str:
    """Return a paragraph that the page's script shows where `choice` is made."""
    return f'<p data-choice="{escape(json.dumps(choice))}" hidden>{html}</p>'


def _embedded(chart: Chart) -> dict[str, object]:
    spec = chart.spec.to_dict()
    # Altair's defaults: the page has one config for all charts.
    del spec["config"]
    return {"spec": spec, "sources": chart.sources}


def _split(tables: Tables, name: str) -> str:
    """Return a table as JSON: its columns' names once, then its rows."""
    return tables[name].to_json(orient="split", index=False, double_precision=4)


def _json(value: object) -> str:
    """Return JSON that cannot end the element that it stands in."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", r"\u003c")
