"""What variants cost: every factor's variants in turns with its baseline, by the one harness."""

import time
from typing import Any

from pipeline.ablation.plan import Plan, load_plan
from pipeline.ablation.results import COSTS, VariantCosts, compared_on
from pipeline.artifacts.environment import write_environment
from pipeline.artifacts.tables import write_table
from pipeline.common.atomic import atomic_directory
from pipeline.common.console import echo, progress
from pipeline.common.machine import describe_machine
from pipeline.common.units import MIB
from pipeline.config.params import Params
from pipeline.data import dataset
from pipeline.profiling.sampling import Case, Sample, sample_memory, take_turns


def measure_costs(params: Params) -> None:
    """Measure every variant that a factor compares; write ablation/results/costs/.

    costs.csv is described by `results.VariantCosts`; environment.json describes the machine.

    Raises:
        PipelineError: missing data, or a process that ended.
    """
    plan = load_plan(params)
    dataset.check_present()
    started = time.monotonic()
    comparisons = compared_on(plan)
    rows: list[dict[str, Any]] = []
    memory: dict[tuple[str, str], float] = {}
    total = sum(len(variants) for _, _, variants in comparisons) * plan.costs.rounds
    with progress("ablation costs", total) as advance:
        for factor, architecture, variants in comparisons:
            cases = {name: _case(plan, name, architecture, params) for name in variants}
            for name, case in cases.items():
                if (name, architecture) not in memory:
                    memory[name, architecture] = sample_memory(name, case, params.data).peak / MIB

            def add(
                number: int,
                name: str,
                sample: Sample,
                factor: str = factor,
                architecture: str = architecture,
            ) -> None:
                rows.append(
                    {
                        "factor": factor,
                        "architecture": architecture,
                        "variant": name,
                        "round": number,
                        "epoch_seconds": sample.epoch_seconds,
                        "training_memory_mib": memory[name, architecture],
                    }
                )
                advance(f"{factor}, {architecture}: {name}")

            take_turns(cases, plan.costs.rounds, plan.costs.seconds, params.data, add)
    with atomic_directory(COSTS) as folder:
        write_table(folder / "costs.csv", VariantCosts, rows)
        write_environment(folder, describe_machine(params.train.threads, started))
    echo(f"{COSTS}/ written")


def _case(plan: Plan, variant: str, architecture: str, params: Params) -> Case:
    method = plan.trainings[variant].method
    return Case(method, architecture, method.batch_size, params.train.threads)
