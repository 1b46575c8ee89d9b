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
    points = plan(params, place)
    tables: dict[str, list[Row]] = {name: [] for name in SCHEMAS}
    total = sum(_units(planned) for planned in points)
    with progress(f"profile {place}", total) as advance:
        for planned in points:
            _measure(planned, params, tables, advance)
    folder = folder_of(place)
    with atomic_directory(folder) as temporary:
        for name, rows in tables.items():
            # Only an architecture's own points have a memory curve.
            if rows:
                write_table(temporary / f"{name}.csv", SCHEMAS[name], rows)
        write_environment(temporary, describe_machine(params.train.threads, started))
    echo(f"{folder}/ written")


def _units(planned: PlannedPoint) -> int:
    return len(planned.methods) * (planned.rounds + MEMORY_ROUNDS + planned.own)


def _measure(
    planned: PlannedPoint, params: Params, tables: dict[str, list[Row]], advance: Advance
) -> None:
    point = planned.point
    cases = {
        name: Case(params.methods[name], point.architecture, point.batch_size, point.threads)
        for name in planned.methods
    }
    keys = {
        "architecture": point.architecture,
        "batch_size": point.batch_size,
        "threads": point.threads,
    }
    where = f"{point.architecture}, batch {point.batch_size}, threads {point.threads}"

    def add_sample(number: int, name: str, sample: Sample) -> None:
        row = {**keys, "method": name, "round": number}
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
        advance(f"{where}, {name}: {sample.epoch_seconds:.3f} s per epoch")

    take_turns(cases, planned.rounds, params.profile.seconds, params.data, add_sample)
    for name, case in cases.items():
        for number in range(1, MEMORY_ROUNDS + 1):
            memory = sample_memory(name, case, params.data)
            mib = memory.peak / MIB
            tables["training_memory"].append(
                {**keys, "method": name, "round": number, "training_memory_mib": mib}
            )
            advance(f"{where}, {name}: {mib:.1f} MiB to train")
        tables["memory_breakdown"] += [
            {**keys, "method": name, "kind": kind, "bytes": size}
            for kind, size in memory.breakdown.items()
        ]
        if planned.own:
            curve = memory_curve(
                name, case, params.profile.seconds, params.profile.sample_seconds, params.data
            )
            tables["memory_curve"] += [
                {**keys, "method": name, "seconds": seconds, "process_memory_mib": memory_mib}
                for seconds, memory_mib in curve
            ]
            advance(f"{where}, {name}: {len(curve)} samples of memory over time")
