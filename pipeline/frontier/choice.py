"""What is chosen, from results before it: the points of the frontiers, and the records."""

from collections.abc import Iterable, Mapping
from statistics import fmean

import pandas as pd

from pipeline.artifacts.frontier import Candidates
from pipeline.artifacts.tables import read_table
from pipeline.common.errors import PipelineError
from pipeline.frontier.pareto import frontier
from pipeline.frontier.plan import Candidate, Plan
from pipeline.frontier.results import COSTS, POINTS, EpochCosts, Judged
from pipeline.frontier.trials import TrialRows, Tried

POINTS_ADVICE = "run `make frontier` or `python -m pipeline frontier-points`"
_COSTS_ADVICE = "run `make frontier` or `python -m pipeline frontier-costs`"

# The records of a target, by method.
Records = dict[str, Candidate]


def read_costs(candidates: Iterable[Candidate]) -> dict[str, dict[Candidate, float]]:
    """Return the seconds of the whole training, and MiB of training memory, by candidate.

    They stand under `seconds` and `training_memory_mib`. What was not measured, since a surely
    cheaper candidate is as accurate, is left out.

    Raises:
        PipelineError: the file is missing, damaged, or of other trials.
    """
    path = COSTS / "costs.csv"
    keys = ["method", "architecture", "batch_size"]
    table = read_table(path, EpochCosts, _COSTS_ADVICE).groupby(keys)
    medians = table[["epoch_seconds", "training_memory_mib"]].median()
    found: dict[str, dict[Candidate, float]] = {"seconds": {}, "training_memory_mib": {}}
    for each in candidates:
        key = each.name, each.architecture, each.batch_size
        if key in medians.index:
            epoch, memory = medians.loc[[key]].iloc[0]
            found["seconds"][each] = each.method.epochs * float(epoch)
            found["training_memory_mib"][each] = float(memory)
    return found


def choose_points(plan: Plan, tried: Mapping[Candidate, Tried]) -> list[Candidate]:
    """Return the candidates on a frontier of their method, and the cheapest for each target.

    The frontiers are those of validation accuracy against seconds of training, training memory and
    model size. Latency has none of its own here: of a method, the smaller network is the faster.

    Args:
        plan: says how far apart the points of a frontier are, and how many are near a target.
        tried: what came of each candidate.

    Raises:
        PipelineError: the costs are missing or damaged.
    """
    costs = read_costs(tried)
    costs["model_bytes"] = {each: tried[each].model_bytes for each in costs["seconds"]}
    accuracies = {each: tried[each].accuracy for each in costs["seconds"]}
    chosen: dict[Candidate, None] = {}
    for name in plan.methods:
        own = [each for each in accuracies if each.name == name]
        for values in costs.values():
            points = frontier(own, values, accuracies, plan.file.points.least_gain)
            chosen.update(dict.fromkeys(points))
        own.sort(key=costs["seconds"].__getitem__)
        for target in plan.file.records.targets:
            least = plan.least_validation(name, target)
            near = [each for each in own if accuracies[each] >= least]
            chosen.update(dict.fromkeys(near[: plan.file.points.nearest]))
    return [each for name in plan.methods for each in chosen if each.name == name]


def read_points(plan: Plan) -> dict[Candidate, pd.DataFrame]:
    """Return the rows of `results.Judged` of every point, by candidate.

    Raises:
        PipelineError: trials, costs or points are missing or damaged, or points are of other
            trials, costs or seeds.
    """
    path = POINTS / "points.csv"
    table = read_table(path, Judged, POINTS_ADVICE)
    keys = list(Candidates.to_schema().columns)
    groups = dict(list(table.groupby(keys)))
    chosen = choose_points(plan, TrialRows(plan).grid_results())
    found = {each: groups.get(tuple(each.columns().values())) for each in chosen}
    for each, rows in found.items():
        if rows is None or list(rows["seed"]) != plan.file.points.seeds:
            raise PipelineError(f"{path} is of other trials or seeds ({each}): {POINTS_ADVICE}")
    return {each: rows for each, rows in found.items() if rows is not None}


def mean_validation(points: Mapping[Candidate, pd.DataFrame]) -> dict[Candidate, float]:
    """Return the mean over seeds of validation accuracy, in percent."""
    return {each: fmean(rows["validation_accuracy"]) for each, rows in points.items()}


def choose_records(plan: Plan) -> dict[float, Records]:
    """Return the record of each target and method: the point that takes the fewest seconds.

    Its mean validation accuracy is the target and its method's margin, or more. A method of which
    no point is so accurate has no record.

    Raises:
        PipelineError: trials, costs or points are missing or damaged.
    """
    points = read_points(plan)
    accuracies, seconds = mean_validation(points), read_costs(points)["seconds"]
    found: dict[float, Records] = {}
    for target in plan.file.records.targets:
        found[target] = {}
        for each in sorted(points, key=seconds.__getitem__):
            if accuracies[each] >= plan.least_validation(each.name, target):
                found[target].setdefault(each.name, each)
    return found
