"""Results of the frontier -> frontier/points.csv and records.csv, and reports/frontier/."""

import matplotlib as mpl

from pipeline.artifacts.environment import read_environment
from pipeline.artifacts.frontier import (
    POINTS_TABLE,
    RECORDS_TABLE,
    FrontierPoints,
    RecordCosts,
    read_points_table,
    read_records_table,
)
from pipeline.artifacts.tables import to_csv
from pipeline.common.atomic import atomic_directory, write_text
from pipeline.common.console import echo
from pipeline.config.paths import REPORTS
from pipeline.frontier.plan import load_plan
from pipeline.frontier.record_costs import int8_gains, tabulate_records
from pipeline.frontier.results import COSTS, POINTS, RECORDS
from pipeline.frontier.summary import render
from pipeline.frontier.tables import tabulate_points
from pipeline.frontier.trials import TrialRows
from pipeline.report.charts.frontier import draw_points
from pipeline.report.charts.style import STYLE, colour_of, save

FOLDER = REPORTS / "frontier"
_ADVICE = "run `make frontier`"


def report() -> None:
    """Write frontier/points.csv and records.csv, then reports/frontier/.

    The folder has figure.png, figure.svg and summary.md.

    Raises:
        PipelineError: a result is missing, damaged, or of another plan, or an output cannot be
            written.
    """
    plan = load_plan()
    trials = TrialRows(plan)
    write_text(POINTS_TABLE, to_csv(FrontierPoints, tabulate_points(plan)))
    write_text(RECORDS_TABLE, to_csv(RecordCosts, tabulate_records(plan)))
    points, records = read_points_table(), read_records_table()
    machines = [read_environment(folder, _ADVICE) for folder in (COSTS, POINTS, RECORDS)]
    summary = render(
        plan, points, records, trials.best_rates(), trials.counts(), int8_gains(), machines
    )
    with atomic_directory(FOLDER) as folder, mpl.rc_context(STYLE):
        save(draw_points(points, colour_of(points["method"])), folder, "figure")
        (folder / "summary.md").write_text(summary, encoding="utf-8")
    echo(f"{FOLDER}/summary.md written")
