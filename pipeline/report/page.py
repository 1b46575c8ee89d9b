"""Tables -> reports/index.html: one page with interactive charts, which needs nothing else."""

from collections.abc import Callable

import pandas as pd

from pipeline.common.atomic import write_text
from pipeline.common.console import echo
from pipeline.common.errors import PipelineError
from pipeline.config.paths import REPORTS, TABLES
from pipeline.report.page_parts import (
    confusion,
    costs,
    curves,
    inference,
    scaling,
    stacks,
    time_to_accuracy,
    tradeoff,
)
from pipeline.report.page_parts.html import render
from pipeline.report.page_parts.section import Needs, Section, Tables
from pipeline.report.stored_tables import own_points, read_table, scaling_points

PAGE = REPORTS / "index.html"

# The sections from top to bottom, and what each is made from.
SECTIONS: tuple[tuple[Callable[[Tables], Section], Needs], ...] = (
    (costs.section, costs.NEEDS),
    (tradeoff.section, tradeoff.NEEDS),
    (stacks.time_section, stacks.PHASES),
    (stacks.bytes_section, stacks.MEMORY_BREAKDOWN),
    (curves.error_section, curves.CURVES),
    (curves.memory_section, curves.MEMORY),
    (confusion.section, confusion.NEEDS),
    (scaling.section, scaling.NEEDS),
    (time_to_accuracy.section, time_to_accuracy.NEEDS),
    (inference.section, inference.NEEDS),
)
# Without these there are no switches and no answer; without another, a section less.
REQUIRED = (*costs.NEEDS, *stacks.PHASES)
# Tables with more rows than the page needs.
THINNED: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "memory_curve": curves.thin,
    "confusion": confusion.thin,
}


def page() -> None:
    """Write the page from the tables that there are.

    Raises:
        PipelineError: a table is damaged, costs or accuracy is missing, or the page cannot be
            written.
    """
    tables = _read()
    sections = [
        section(tables)
        for section, needs in SECTIONS
        if all((name if name != "axes" else "scaling") in tables.frames for name in needs)
    ]
    write_text(PAGE, render(tables, sections))
    echo(f"{PAGE} has {len(sections)} sections, {PAGE.stat().st_size / 1e6:.2f} MB")


def _read() -> Tables:
    """Read the columns that the sections need of every table that there is."""
    columns: dict[str, list[str]] = {}
    for _, needs in SECTIONS:
        for name, needed in needs.items():
            known = columns.setdefault(name, [])
            known.extend(column for column in needed if column not in known)
    frames = {}
    for name, chosen in columns.items():
        if name not in REQUIRED and not (TABLES / f"{name}.csv").exists():
            continue
        table = read_table(name, chosen)[chosen]
        if not table.empty:
            frames[name] = THINNED[name](table) if name in THINNED else table
        elif name in REQUIRED:
            raise PipelineError(f"{TABLES}/{name}.csv has no rows. Run `dvc repro aggregate`.")
    if "axes" in frames:
        frames["scaling"] = scaling_points(frames.pop("axes"), frames["costs"])
    frames["costs"] = own_points(frames["costs"], frames["phases"])
    frames["costs"] = tradeoff.with_accuracy(frames["costs"], frames["accuracy"])
    return Tables(frames)
