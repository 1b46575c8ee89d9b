"""The search for the frontiers: learning rates first, then every candidate of the grids, one seed.

A trial that has a row is not run again. Nothing here looks at the test set or at a clock: trials
run at once, on all processors, and disturb each other.
"""

from pipeline.common.console import echo, progress
from pipeline.config.params import Params
from pipeline.data import dataset
from pipeline.frontier.plan import load_plan
from pipeline.frontier.results import TRIALS
from pipeline.frontier.training import Job, train_all
from pipeline.frontier.trials import TrialRows, Tried

# So many digits of `Dataset.sha256` tell one dataset, in one split, from another.
_DATA_DIGITS = 12


def search(params: Params, workers: int | None) -> None:
    """Run every trial of frontier.yaml that has no row in frontier/results/trials.csv yet.

    Rows are added one by one: a search that is stopped goes on where it was.

    Args:
        params: of which `data` counts.
        workers: how many trials run at once, a thread each; as many as there are processors if
            None.

    Raises:
        PipelineError: frontier.yaml, trials.csv or the data is missing or not valid, or the best
            learning rate is the last of those tried.
    """
    plan = load_plan()
    rows = TrialRows(plan)
    data = dataset.load().sha256[:_DATA_DIGITS]

    def run(title: str, jobs: list[Job]) -> None:
        found = {job: rows.find(job.candidate, job.seed) for job in jobs}
        left = [job for job, tried in found.items() if tried is None or tried.data != data]
        with progress(title, len(jobs), len(jobs) - len(left)) as advance:
            for job, outcome in train_all(params, left, workers):
                result = Tried(round(outcome.validation, 4), outcome.model_bytes, data)
                rows.append(job.candidate, job.seed, result)
                advance(f"{job.candidate}: validation accuracy {outcome.validation:.2f} %")

    seeds = plan.file.rate_search.seeds
    run("learning rates", [Job(each, seed) for each in plan.rate_trials() for seed in seeds])
    run("trials", [Job(each, plan.file.trial_seed) for each in rows.grid_trials()])
    echo(f"{TRIALS} has all trials")
