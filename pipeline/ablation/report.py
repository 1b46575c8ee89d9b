"""Results of all variants -> reports/ablation/: a table, a figure and a summary."""

import matplotlib as mpl

from pipeline.ablation.comparison import compare, tabulate
from pipeline.ablation.figure import draw
from pipeline.ablation.optimizer_plan import OPTIMIZERS_FILE, TECHNIQUES_FILE, load_optimizers
from pipeline.ablation.optimizer_results import advice, read_optimizers
from pipeline.ablation.optimizer_summary import describe_optimizers
from pipeline.ablation.plan import load_plan
from pipeline.ablation.results import COSTS, read_costs, read_result
from pipeline.ablation.summary import render
from pipeline.ablation.trials import read_trials
from pipeline.artifacts.environment import read_environment
from pipeline.common.atomic import atomic_directory
from pipeline.common.console import echo
from pipeline.config.params import Params
from pipeline.config.paths import REPORTS
from pipeline.report.charts.style import STYLE, save

FOLDER = REPORTS / "ablation"


def report(params: Params) -> None:
    """Write reports/ablation/: table.csv, figure.png, figure.svg and summary.md.

    Raises:
        PipelineError: a result is missing, damaged or of other params, or the folder cannot be
            written.
    """
    plan = load_plan(params)
    results = {
        name: read_result(name, training, params) for name, training in plan.trainings.items()
    }
    comparisons = compare(plan, results, read_costs(plan))
    others = [load_optimizers(params, path) for path in (OPTIMIZERS_FILE, TECHNIQUES_FILE)]
    compared = {each.path.stem: describe_optimizers(each, read_optimizers(each)) for each in others}
    environments = [
        read_environment(COSTS, "run `make ablation`"),
        *(read_environment(each.results, advice(each)) for each in others),
    ]
    summary = render(plan, comparisons, results, read_trials(), compared, environments)
    with atomic_directory(FOLDER) as temporary, mpl.rc_context(STYLE):
        tabulate(comparisons).to_csv(temporary / "table.csv", index=False, lineterminator="\n")
        save(draw(comparisons), temporary, "figure")
        (temporary / "summary.md").write_text(summary, encoding="utf-8")
    echo(f"{FOLDER}/summary.md written")
