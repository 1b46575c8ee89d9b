"""Time and memory of training, at an architecture's own points or those of the scaling figures."""

import time
from typing import Any

from pipeline.artifacts.environment import write_environment
from pipeline.artifacts.profile import SCHEMAS, folder_of
from pipeline.artifacts.tables import write_table
from pipeline.common.atomic import atomic_directory
from pipeline.common.console import Advance, echo, progress
from pipeline.common.machine import describe_machine
from pipeline.common.units import MIB
from pipeline.config.grid import SCALING, PlannedPoint, plan
from pipeline.config.params import Params
from pipeline.data import dataset
from pipeline.profiling.memory_curve import memory_curve
from pipeline.profiling.sampling import Case, Sample, sample_memory, take_turns

Row = dict[str, Any]
# Processes whose allocations are counted. The second one shows how closely they agree.
MEMORY_ROUNDS = 2


def profile(params: Params, architecture: str) -> None:
    """Measure every method at the own points of `architecture`; write profiles/ARCHITECTURE/.

    Raises:
        PipelineError: an unknown architecture, missing data, or a measurement that failed.
    """
    params.check_known(architecture)
    _measure_all(params, architecture)


def scaling(params: Params) -> None:
    """Measure the points of the scaling figures that no architecture has; write profiles/scaling/.

    Raises:
        PipelineError: missing data, or a measurement that failed.
    """
    _measure_all(params, SCALING)


def _measure_all(params: Params, place: str) -> None:
    dataset.check_present()
    started = time.monotonic()
    groups = _taking_turns(plan(params, place), params)
    tables: dict[str, list[Row]] = {name: [] for name in SCHEMAS}
    total = sum(_units(planned) for group in groups for planned in group)
    with progress(f"profile {place}", total) as advance:
        for group in groups:
            _measure_times(group, params, tables, advance)
            for planned in group:
                _measure_memory(planned, params, tables, advance)
    folder = folder_of(place)
    with atomic_directory(folder) as temporary:
        for name, rows in tables.items():
            # Only an architecture's own points have a memory curve.
            if rows:
                write_table(temporary / f"{name}.csv", SCHEMAS[name], rows)
        write_environment(temporary, describe_machine(params.train.threads, started))
    echo(f"{folder}/ written")


def _taking_turns(points: list[PlannedPoint], params: Params) -> list[list[PlannedPoint]]:
    """Group the points: those of a group take turns, and their ratios can be paired by round.

    An architecture's points at the batch sizes that methods train with are one group, because each
    method is compared with float at its own.
    """

    def trained(planned: PlannedPoint) -> bool:
        return planned.own and planned.point.batch_size in params.trained_batch_sizes

    together = [planned for planned in points if trained(planned)]
    others = [[planned] for planned in points if not trained(planned)]
    return [together, *others] if together else others


def _units(planned: PlannedPoint) -> int:
    return len(planned.methods) * (planned.rounds + MEMORY_ROUNDS + planned.own)


def _case(planned: PlannedPoint, method: str, params: Params) -> Case:
    point = planned.point
    recipe = params.recipe(point.architecture, method)
    return Case(recipe, point.architecture, point.batch_size, point.threads)


def _keys(planned: PlannedPoint, method: str) -> Row:
    point = planned.point
    return {
        "architecture": point.architecture,
        "batch_size": point.batch_size,
        "threads": point.threads,
        "method": method,
    }


def _where(planned: PlannedPoint) -> str:
    point = planned.point
    return f"{point.architecture}, batch {point.batch_size}, threads {point.threads}"


def _measure_times(
    group: list[PlannedPoint], params: Params, tables: dict[str, list[Row]], advance: Advance
) -> None:
    measured = {
        method if len(group) == 1 else f"{method} ({planned.point.batch_size})": (planned, method)
        for planned in group
        for method in planned.methods
    }
    cases = {name: _case(*each, params) for name, each in measured.items()}

    def add_sample(number: int, name: str, sample: Sample) -> None:
        planned, method = measured[name]
        row = {**_keys(planned, method), "round": number}
        tables["measurements"].append(
            {
                **row,
                "epoch_seconds": sample.epoch_seconds,
                "process_memory_mib": sample.process_memory / MIB,
            }
        )
        tables["phases"] += [
            {**row, "phase": phase, "seconds": seconds}
            for phase, seconds in sample.phase_seconds.items()
        ]
        advance(f"{_where(planned)}, {method}: {sample.epoch_seconds:.3f} s per epoch")

    take_turns(cases, group[0].rounds, params.profile.seconds, params.data, add_sample)


def _measure_memory(
    planned: PlannedPoint, params: Params, tables: dict[str, list[Row]], advance: Advance
) -> None:
    for method in planned.methods:
        case, keys = _case(planned, method, params), _keys(planned, method)
        for number in range(1, MEMORY_ROUNDS + 1):
            memory = sample_memory(method, case, params.data)
            mib = memory.peak / MIB
            tables["training_memory"].append({**keys, "round": number, "training_memory_mib": mib})
            advance(f"{_where(planned)}, {method}: {mib:.1f} MiB to train")
        tables["memory_breakdown"] += [
            {**keys, "kind": kind, "bytes": size} for kind, size in memory.breakdown.items()
        ]
        if planned.own:
            curve = memory_curve(
                method, case, params.profile.seconds, params.profile.sample_seconds, params.data
            )
            tables["memory_curve"] += [
                {**keys, "seconds": seconds, "process_memory_mib": memory_mib}
                for seconds, memory_mib in curve
            ]
            advance(f"{_where(planned)}, {method}: {len(curve)} samples of memory over time")
