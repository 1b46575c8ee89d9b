"""What each accuracy costs: the records of `records`, their costs and ratios to float's."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.artifacts.tables import Table, read_table
from pipeline.common.errors import PipelineError
from pipeline.config.names import BASELINE
from pipeline.frontier.choice import choose_records
from pipeline.frontier.plan import SIMULATED, Plan
from pipeline.frontier.results import (
    RECORDS,
    Chosen,
    Judged,
    RecordEpochs,
    RecordFiles,
    RecordLatencies,
)
from pipeline.frontier.tables import FLOAT32, INT8, Fastest, fastest
from pipeline.report.statistics import Estimate, estimate_columns, paired_ratio

_ADVICE = "run `make frontier` or `python -m pipeline frontier-records`"
_KEYS = ["method", "architecture", "batch_size", "epochs", "learning_rate"]


@dataclass(frozen=True)
class Series:
    """A cost of one network, (rounds) values, and how it was measured."""

    values: NDArray[np.float64]
    threads: int | None = None
    runtime: str | None = None


# What a series is of: the cost, the number of threads that is given, and images a call.
CostKey = tuple[str, int | None, int | None]


def tabulate_records(plan: Plan) -> list[dict[str, Any]]:
    """Return rows of `artifacts.frontier.RecordCosts`.

    Raises:
        PipelineError: a result is missing, damaged, or of other results before it.
    """
    measured = _Measured(plan)
    rows: list[dict[str, Any]] = []
    for target, group in measured.chosen.groupby("target", sort=False):
        costs: dict[str, dict[CostKey, Series]] = {
            str(record["method"]): measured.costs(float(str(target)), record)
            for _, record in group.iterrows()
        }
        for _, record in group.iterrows():
            named = {key: record[key] for key in _KEYS}
            own = {"target": target, **named, **measured.accuracy(record)}
            for key, series in costs[str(record["method"])].items():
                baseline = costs.get(BASELINE, {}).get(key)
                rows.append({**own, **_cost_columns(key, series, baseline)})
    return rows


def int8_gains() -> list[float]:
    """Return the points of test accuracy that each of float's records gains in int8.

    Raises:
        PipelineError: runtimes.csv is missing or damaged.
    """
    files = read_table(RECORDS / "runtimes.csv", RecordFiles, _ADVICE)
    int8, float32 = (
        _select(files, runtime=runtime).groupby("target")["test_accuracy"].first()
        for runtime in (INT8, FLOAT32)
    )
    return [float(gain) for gain in (int8 - float32).dropna()]


def _cost_columns(key: CostKey, series: Series, baseline: Series | None) -> dict[str, Any]:
    cost, _, images = key
    ratio = Estimate(math.nan, math.nan, math.nan)
    if baseline is not None and baseline is not series:
        ratio = paired_ratio(series.values, baseline.values)
    return {
        "cost": cost,
        "threads": series.threads,
        "images": images,
        "runtime": series.runtime,
        "value": float(np.median(series.values)),
        **estimate_columns("ratio", ratio),
    }


class _Measured:
    """frontier/results/records/."""

    def __init__(self, plan: Plan) -> None:
        """Read it.

        Raises:
            PipelineError: a file is missing, damaged, or of other points.
        """

        def read(name: str, schema: type[Table]) -> pd.DataFrame:
            return read_table(RECORDS / f"{name}.csv", schema, _ADVICE)

        self.chosen = read("chosen", Chosen)
        self._networks = read("networks", Judged)
        self._epochs = read("epochs", RecordEpochs)
        self._latency = read("latency", RecordLatencies)
        self._files = read("runtimes", RecordFiles)
        self._threads = plan.file.measure.threads
        found = {
            (row["target"], *row[_KEYS])
            for _, row in self.chosen.iterrows()
            if row["method"] != SIMULATED
        }
        wanted = {
            (target, *each.columns().values())
            for target, records in choose_records(plan).items()
            for each in records.values()
        }
        if found != wanted:
            raise PipelineError(f"{RECORDS}/chosen.csv is of other points: {_ADVICE}")

    def accuracy(self, record: "pd.Series[Any]") -> dict[str, Any]:
        """Return the columns of accuracy: means over seeds, in percent."""
        rows = self._of(record)
        test = rows["test_accuracy"]
        return {
            "seeds": len(rows),
            "validation_accuracy": rows["validation_accuracy"].mean(),
            "test_accuracy": test.mean(),
            "test_accuracy_std": test.std(ddof=1),
            "reached": self._reached(record),
        }

    def _reached(self, record: "pd.Series[Any]") -> str:
        rows = self._of(record)
        if rows.empty:
            return "not trained"
        return "yes" if rows["test_accuracy"].mean() >= record["target"] else "no"

    def costs(self, target: float, record: "pd.Series[Any]") -> dict[CostKey, Series]:
        """Return all costs of a record of `target`."""
        name = str(record["method"])
        found: dict[CostKey, Series] = {}
        for threads in self._threads:
            rows = _select(self._epochs, target=target, method=name, threads=threads)
            seconds = rows.sort_values("round")["epoch_seconds"].to_numpy(np.float64)
            found["seconds", threads, None] = Series(record["epochs"] * seconds, threads)
        memory = np.array([record["training_memory_mib"]])
        found["training_memory_mib", None, None] = Series(memory, self._threads[0])
        if name == SIMULATED:
            return found
        for cost, size in self._sizes(target, record):
            found[cost, None, None] = Series(np.array([size]))
        latency = _select(self._latency, target=target, method=name)
        for images, rows in latency.groupby("images"):
            best: Fastest = fastest(rows)
            count = int(str(images))
            micros = 1e6 / count * best.seconds
            found["latency_us", None, count] = Series(micros, best.threads, best.runtime)
        return found

    def _of(self, record: "pd.Series[Any]") -> pd.DataFrame:
        return _select(self._networks, **{key: record[key] for key in _KEYS})

    def _sizes(self, target: float, record: "pd.Series[Any]") -> Iterator[tuple[str, float]]:
        """Yield KiB of the model file, and of what stands beside float's file in int8."""
        size = self._of(record)["model_bytes"].max() / 1024
        yield "model_kib", size
        int8 = _select(self._files, target=target, method=record["method"], runtime=INT8)
        if record["method"] != BASELINE:
            yield "int8_kib", size
        elif len(int8):
            yield "int8_kib", float(int8["file_kib"].iloc[0])


def _select(table: pd.DataFrame, **values: object) -> pd.DataFrame:
    """Return the rows that have these values."""
    for name, value in values.items():
        table = table[table[name] == value]
    return table
