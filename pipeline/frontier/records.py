"""The time to an accuracy: each method's cheapest network that reaches it, trained and timed.

A fixed schedule per method and target, as in MLPerf Training (arXiv 1910.01500) and in the speed
records of CIFAR-10 (arXiv 2404.00498): a target is reached if the mean final test accuracy over
seeds reaches it.
"""

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.artifacts.environment import write_environment
from pipeline.artifacts.tables import write_table
from pipeline.common.atomic import atomic_directory
from pipeline.common.console import echo, progress
from pipeline.common.machine import describe_machine
from pipeline.common.units import MIB
from pipeline.config.params import Params
from pipeline.data import dataset
from pipeline.frontier.choice import Records, choose_records
from pipeline.frontier.latency import measure_latencies
from pipeline.frontier.plan import SIMULATED, Candidate, Plan, load_plan
from pipeline.frontier.points import train_and_judge
from pipeline.frontier.results import (
    RECORDS,
    Chosen,
    Judged,
    RecordEpochs,
    RecordFiles,
    RecordLatencies,
)
from pipeline.profiling.sampling import Case, Sample, sample_memory, take_turns


def measure_records(params: Params, workers: int | None) -> None:
    """Choose, train, judge and time the records; write frontier/results/records/.

    The tables are described in `results`: chosen.csv, networks.csv, epochs.csv, latency.csv and
    runtimes.csv.

    Args:
        params: of which `data` counts.
        workers: how many trainings run at once, a thread each; as many as there are processors if
            None. Nothing else runs while time is measured.

    Raises:
        PipelineError: earlier results are missing or damaged, missing data, or a process that
            ended.
    """
    plan = load_plan()
    dataset.check_present()
    started = time.monotonic()
    records = choose_records(plan)
    distinct = list(dict.fromkeys(each for group in records.values() for each in group.values()))
    distinct.sort(key=lambda each: list(plan.methods).index(each.name))
    tables: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("chosen", "epochs", "latency", "runtimes")
    }
    with tempfile.TemporaryDirectory() as temporary:
        models = {each: Path(temporary) / str(number) for number, each in enumerate(distinct)}
        networks = train_and_judge(params, distinct, plan.file.records.seeds, models, workers)
        with progress("records", len(records) * len(plan.file.measure.threads)) as advance:
            for target, group in records.items():
                for threads in plan.file.measure.threads:
                    kept = {each: models[each] for each in group.values()}
                    latencies = measure_latencies(params, plan, kept, threads)
                    tables["latency"] += [{"target": target, **row} for row in latencies.rounds]
                    tables["runtimes"] += [{"target": target, **row} for row in latencies.files]
                    timed = _with_simulated(plan, group)
                    tables["epochs"] += _epochs(params, plan, target, timed, threads)
                    advance(f"{target:g} %, threads {threads}")
                tables["chosen"] += _chosen(params, plan, target, timed)
    with atomic_directory(RECORDS) as folder:
        write_table(folder / "networks.csv", Judged, networks)
        write_table(folder / "chosen.csv", Chosen, tables["chosen"])
        write_table(folder / "epochs.csv", RecordEpochs, tables["epochs"])
        write_table(folder / "latency.csv", RecordLatencies, tables["latency"])
        write_table(folder / "runtimes.csv", RecordFiles, tables["runtimes"])
        write_environment(folder, describe_machine(plan.file.measure.threads[0], started))
    echo(f"{RECORDS}/ written")


def _with_simulated(plan: Plan, group: Mapping[str, Candidate]) -> Records:
    """Add the simulated network on the layers of the first packed record, if there is one."""
    packed = [each for each in group.values() if each.name in plan.file.methods.packed]
    if not packed:
        return dict(group)
    return {**group, SIMULATED: plan.simulated(packed[0])}


def _epochs(
    params: Params, plan: Plan, target: float, group: Mapping[str, Candidate], threads: int
) -> list[dict[str, Any]]:
    """Return rows of `results.RecordEpochs`: all methods in turns."""
    rows: list[dict[str, Any]] = []

    def add(number: int, name: str, sample: Sample) -> None:
        rows.append(
            {
                "target": target,
                "method": name,
                "threads": threads,
                "round": number,
                "epoch_seconds": sample.epoch_seconds,
            }
        )

    cases = {name: _case(each, threads) for name, each in group.items()}
    measure = plan.file.measure
    take_turns(cases, measure.rounds.records, measure.seconds, params.data, add)
    return rows


def _chosen(
    params: Params, plan: Plan, target: float, group: Mapping[str, Candidate]
) -> list[dict[str, Any]]:
    """Return rows of `results.Chosen`, and count what each holds in memory."""
    threads = plan.file.measure.threads[0]
    return [
        {
            "target": target,
            **each.columns(),
            "training_memory_mib": sample_memory(name, _case(each, threads), params.data).peak
            / MIB,
        }
        for name, each in group.items()
    ]


def _case(each: Candidate, threads: int) -> Case:
    return Case(each.method, each.architecture, each.batch_size, threads)
