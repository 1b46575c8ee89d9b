"""profiles/PLACE/: what training costs in time and memory, measured by `profile` and `scaling`."""

from pathlib import Path
from typing import Any

import pandas as pd
import pandera.pandas as pa

from pipeline.artifacts.environment import read_environment
from pipeline.artifacts.tables import Table, read_table
from pipeline.common.errors import PipelineError
from pipeline.config.grid import SCALING, places, plan
from pipeline.config.params import Params
from pipeline.config.paths import PROFILES


class Configuration(Table):
    """What is measured: columns that every table begins with."""

    architecture: str
    batch_size: int
    threads: int
    method: str


class Measurements(Configuration):
    """A row per process that was timed; process memory is that process's peak."""

    round: int
    epoch_seconds: float = pa.Field(gt=0)
    process_memory_mib: float = pa.Field(gt=0)


class Phases(Configuration):
    """Seconds per epoch by phase, a row per phase and process that was timed."""

    round: int
    phase: str
    seconds: float


class TrainingMemory(Configuration):
    """A row per process whose allocations were counted."""

    round: int
    training_memory_mib: float = pa.Field(gt=0)


class MemoryBreakdown(Configuration):
    """Bytes by kind, a row per kind; the same in every process."""

    kind: str
    bytes: int = pa.Field(ge=0)


class MemoryCurve(Configuration):
    """Resident memory over time; 0 is just before the network is built."""

    seconds: float
    process_memory_mib: float = pa.Field(ge=0)


# The files of a place, by name. Only the architectures have a memory curve.
SCHEMAS: dict[str, type[Configuration]] = {
    "measurements": Measurements,
    "phases": Phases,
    "training_memory": TrainingMemory,
    "memory_breakdown": MemoryBreakdown,
    "memory_curve": MemoryCurve,
}


class Profile:
    """All that was measured, and by place what it was measured on.

    Attributes:
        tables: of SCHEMAS, by name, the places one after another.
        environments: by place.
    """

    def __init__(self, tables: dict[str, pd.DataFrame], environments: dict[str, Any]) -> None:
        self.tables = tables
        self.environments = environments


def folder_of(place: str) -> Path:
    """Return the folder of an architecture, or of SCALING."""
    return PROFILES / place


def read_profile(params: Params) -> Profile:
    """Read what was measured in every place that `params` asks for.

    Raises:
        PipelineError: a file is missing, damaged, or was measured with other params.
    """
    parts: dict[str, list[pd.DataFrame]] = {name: [] for name in SCHEMAS}
    environments = {}
    for place in places(params):
        folder = folder_of(place)
        command = SCALING if place == SCALING else f"profile --architecture {place}"
        advice = f"run `dvc repro` or `python -m pipeline {command}`"
        own = any(planned.own for planned in plan(params, place))
        for name, schema in SCHEMAS.items():
            if name == "memory_curve" and not own:
                continue
            table = read_table(folder / f"{name}.csv", schema, advice)
            _check_cases(name, table, params, place, advice)
            parts[name].append(table)
        environments[place] = read_environment(folder, advice)
    tables = {name: pd.concat(tables, ignore_index=True) for name, tables in parts.items()}
    return Profile(tables, environments)


def _check_cases(name: str, table: pd.DataFrame, params: Params, place: str, advice: str) -> None:
    """Raise PipelineError unless a table has every case that `params` asks for, and no other."""
    columns = ["architecture", "batch_size", "threads", "method"]
    rounds = name == "measurements"
    expected: set[tuple[object, ...]] = set()
    for planned in plan(params, place):
        if name == "memory_curve" and not planned.own:
            continue
        point = planned.point
        for method in planned.methods:
            case = (point.architecture, point.batch_size, point.threads, method)
            numbers = range(1, planned.rounds + 1)
            expected |= {(*case, number) for number in numbers} if rounds else {case}
    keys = [*columns, "round"] if rounds else columns
    found = table[keys].itertuples(index=False, name=None)
    if set(found) != expected or (rounds and len(table) != len(expected)):
        raise PipelineError(f"{folder_of(place)} was measured with other params: {advice}")
