"""What training costs, of every candidate that may lie on a frontier, by the one harness."""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.artifacts.environment import write_environment
from pipeline.artifacts.tables import write_table
from pipeline.common.atomic import atomic_directory
from pipeline.common.console import echo, progress
from pipeline.common.machine import describe_machine
from pipeline.common.units import MIB
from pipeline.config.params import Params
from pipeline.data import dataset
from pipeline.frontier.pareto import undominated
from pipeline.frontier.plan import Candidate, load_plan
from pipeline.frontier.results import COSTS, EpochCosts
from pipeline.frontier.trials import TrialRows
from pipeline.profiling.sampling import Case, Sample, sample_memory, take_turns


def measure_costs(params: Params) -> None:
    """Measure the candidates that no surely cheaper one equals; write frontier/results/costs/.

    costs.csv is described by `results.EpochCosts`; environment.json describes the machine. An epoch
    takes as long whatever number of them there is: candidates that differ in it alone are measured
    once. Methods on the same layers take turns.

    Raises:
        PipelineError: trials.csv is missing or lacks a trial, missing data, or a process that
            ended.
    """
    plan = load_plan()
    dataset.check_present()
    started = time.monotonic()
    measure = plan.file.measure
    tried = TrialRows(plan).grid_results()
    chosen = undominated({each: result.accuracy for each, result in tried.items()})
    groups = _groups(chosen, measure.threads[0])
    rows: list[dict[str, Any]] = []
    total = measure.rounds.costs * sum(len(cases) for cases in groups.values())
    with progress("frontier costs", total) as advance:
        for (architecture, batch), cases in groups.items():
            memory = {
                name: sample_memory(name, case, params.data).peak / MIB
                for name, case in cases.items()
            }

            def add(
                number: int,
                name: str,
                sample: Sample,
                architecture: str = architecture,
                batch: int = batch,
                memory: Mapping[str, float] = memory,
            ) -> None:
                rows.append(
                    {
                        "method": name,
                        "architecture": architecture,
                        "batch_size": batch,
                        "threads": measure.threads[0],
                        "round": number,
                        "epoch_seconds": sample.epoch_seconds,
                        "training_memory_mib": memory[name],
                    }
                )
                advance(f"{name} {architecture}, batch {batch}: {sample.epoch_seconds:.2f} s")

            take_turns(cases, measure.rounds.costs, measure.seconds, params.data, add)
    with atomic_directory(COSTS) as folder:
        write_table(folder / "costs.csv", EpochCosts, rows)
        write_environment(folder, describe_machine(measure.threads[0], started))
    echo(f"{COSTS}/ written")


def _groups(chosen: Iterable[Candidate], threads: int) -> dict[tuple[str, int], dict[str, Case]]:
    """Return cases by network and batch size, and by method."""
    groups: dict[tuple[str, int], dict[str, Case]] = {}
    for each in chosen:
        case = Case(each.method, each.architecture, each.batch_size, threads)
        groups.setdefault((each.architecture, each.batch_size), {})[each.name] = case
    return groups
