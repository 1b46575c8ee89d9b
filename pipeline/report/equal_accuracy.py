"""What an accuracy costs: float's record of it beside the cheapest binary one."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipeline.config.names import BASELINE
from pipeline.report.markdown import markdown
from pipeline.report.statistics import read_estimate
from pipeline.report.text import plural
from pipeline.report.verdicts import Verdict, judge_cost

_NO_RECORD = "not reached"


@dataclass(frozen=True)
class Column:
    """A cost as the tables show it: its title, which rows of `RecordCosts`, and digits."""

    title: str
    cost: str
    digits: int
    threads: int | None = None
    images: int | None = None

    def of(self, record: pd.DataFrame) -> "pd.Series[Any] | None":
        """Return this cost's row of a record, if there is one."""
        rows = record[record["cost"] == self.cost]
        if self.threads is not None:
            rows = rows[rows["threads"] == self.threads]
        if self.images is not None:
            rows = rows[rows["images"] == self.images]
        return None if rows.empty else rows.iloc[0]


@dataclass(frozen=True)
class Pair:
    """The records of a target, rows of `RecordCosts`: float's, and the cheapest in bits."""

    target: float
    baseline: pd.DataFrame
    packed: pd.DataFrame


def pairs(records: pd.DataFrame, targets: Iterable[float], threads: int) -> list[Pair]:
    """Return the records of each target; those that nobody has are without rows.

    Args:
        records: of `artifacts.frontier.RecordCosts`.
        targets: accuracies in percent.
        threads: with which the cheapest in bits takes the fewest seconds.
    """
    found = []
    for target in targets:
        of_target = records[records["target"] == target]
        methods = of_target["method"]
        cheapest = cheapest_packed(of_target, threads)
        found.append(Pair(target, of_target[methods == BASELINE], of_target[methods == cheapest]))
    return found


def cheapest_packed(of_target: pd.DataFrame, threads: int) -> str | None:
    """Return the packed method whose record takes the fewest seconds, if any has one.

    One that reached its target comes before one that missed it.
    """
    seconds = of_target[
        (of_target["cost"] == "seconds")
        & (of_target["threads"] == threads)
        & (of_target["method"] != BASELINE)
        # The simulated network is timed alone.
        & (of_target["reached"] != "not trained")
    ]
    if seconds.empty:
        return None
    missed = (seconds["reached"] == "no").rename("missed")
    return str(seconds.join(missed).sort_values(["missed", "value"])["method"].iloc[0])


def columns(threads: Iterable[int], images: Iterable[int]) -> list[Column]:
    """Return the costs that are shown: seconds for each number of threads, latency by batch."""
    return [
        *(
            Column(f"s to train, {plural(number, 'thread')}", "seconds", 2, number)
            for number in threads
        ),
        Column("training memory, MiB", "training_memory_mib", 1),
        Column("file, KiB", "model_kib", 1),
        Column("file, int8 for float, KiB", "int8_kib", 1),
        *(
            Column(f"latency at batch {count:,}, µs", "latency_us", 2, images=count)
            for count in images
        ),
    ]


def table(compared: Iterable[Pair], shown: list[Column]) -> str:
    """Return float's records beside the cheapest in bits, a row per target."""
    rows = [
        [
            f"{each.target:g} %",
            _network(each.baseline),
            _network(each.packed, with_method=True),
            *(_comparison(column, each) for column in shown),
        ]
        for each in compared
    ]
    return markdown(["accuracy", "float", "binary", *(each.title for each in shown)], rows)


def with_ratio(column: Column, row: "pd.Series[Any]") -> str:
    """Return a cost and its ratio to float; a word says where it is lost, or no different."""
    value = f"{row['value']:,.{column.digits}f}"
    if pd.isna(row["ratio"]):
        return value
    verdict = judge_cost(column.cost, read_estimate(row, "ratio"))
    if verdict is Verdict.NO_DIFFERENCE:
        return f"{value} ({verdict})"
    ratio = f"{row['ratio']:.2f}×"
    return f"{value} (**{ratio}, {verdict}**)" if verdict is Verdict.LOST else f"{value} ({ratio})"


def _network(record: pd.DataFrame, *, with_method: bool = False) -> str:
    if record.empty:
        return _NO_RECORD
    first = record.iloc[0]
    name = f"{first['method']} {first['architecture']}" if with_method else first["architecture"]
    missed = ", missed" if first["reached"] == "no" else ""
    return (
        f"{name}, batch {first['batch_size']}, {plural(first['epochs'], 'epoch')}: "
        f"{first['test_accuracy']:.2f}{missed}"
    )


def _comparison(column: Column, each: Pair) -> str:
    own, other = column.of(each.baseline), column.of(each.packed)
    if own is None or other is None:
        return "-"
    return f"{own['value']:,.{column.digits}f} → {with_ratio(column, other)}"
