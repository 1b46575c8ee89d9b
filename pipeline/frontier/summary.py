"""The text of reports/frontier/summary.md, from its template."""

from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.config.names import BASELINE
from pipeline.frontier.plan import SIMULATED, Plan, RateKey
from pipeline.report.charts.captions import CAPTIONS, captioned
from pipeline.report.equal_accuracy import columns, pairs, table, with_ratio
from pipeline.report.markdown import markdown
from pipeline.report.summary.document import render_template
from pipeline.report.summary.machine import machine_in_words
from pipeline.report.verdicts import Verdict

_POINT_HEADERS = (
    *("method", "network", "batch", "epochs", "validation, %", "test, %", "s to train"),
    *("training memory, MiB", "file, KiB", "latency, µs"),
)


def render(
    plan: Plan,
    points: pd.DataFrame,
    records: pd.DataFrame,
    rates: Mapping[RateKey, float],
    trials: Mapping[str, int],
    int8_gains: list[float],
    machines: list[dict[str, Any]],
) -> str:
    """Return the whole of summary.md.

    Args:
        plan: what was tried and compared.
        points: of `artifacts.frontier.FrontierPoints`.
        records: of `artifacts.frontier.RecordCosts`.
        rates: the best learning rate for each method and batch size.
        trials: how many there were, by method.
        int8_gains: points of test accuracy by which float's records gain in int8.
        machines: of the stages that measured, as `Machine` describes them.
    """
    return render_template(
        Path(__file__).with_name("summary.md.jinja"),
        {
            "plan": plan.file,
            "answer": _answer(plan, records),
            "records": _all_records(plan, records),
            "figure": captioned("figure", CAPTIONS["frontier"]),
            "frontier": markdown(_POINT_HEADERS, _seconds_frontier(points)),
            "rates": _rates(plan, rates),
            "trials": trials,
            "points": len(points),
            "int8_gains": [f"{gain:+.2f}" for gain in (min(int8_gains), max(int8_gains))]
            if int8_gains
            else [],
            "machines": list(dict.fromkeys(map(machine_in_words, machines))),
            "minutes": sum(machine["seconds"] for machine in machines) / 60,
            "lost": Verdict.LOST,
            "no_difference": Verdict.NO_DIFFERENCE,
        },
    )


def _answer(plan: Plan, records: pd.DataFrame) -> str:
    """Return the table of float's record beside the cheapest packed one, a row per target."""
    measure = plan.file.measure
    compared = pairs(records, plan.file.records.targets, measure.threads[0])
    return table(compared, columns(measure.threads[:1], measure.latency.batch_sizes))


def _all_records(plan: Plan, records: pd.DataFrame) -> str:
    measure = plan.file.measure
    shown = columns(measure.threads, measure.latency.batch_sizes)
    rows = []
    order = [BASELINE, SIMULATED, *plan.file.methods.packed]
    groups = dict(list(records.groupby(["target", "method"])))
    for target, method in product(plan.file.records.targets, order):
        record = groups.get((target, method))
        if record is None:
            continue
        first = record.iloc[0]
        trained = first["reached"] != "not trained"
        cells = [column.of(record) for column in shown]
        rows.append(
            [
                f"{target:g} %",
                method,
                first["architecture"],
                first["batch_size"],
                first["epochs"],
                f"{first['validation_accuracy']:.2f}" if trained else "-",
                _spread(first) if trained else "-",
                first["reached"],
                *(
                    "-" if cell is None else with_ratio(column, cell)
                    for column, cell in zip(shown, cells, strict=True)
                ),
            ]
        )
    headers = ["accuracy", "method", "network", "batch", "epochs", "validation, %", "test, %"]
    return markdown([*headers, "reached", *(each.title for each in shown)], rows)


def _seconds_frontier(points: pd.DataFrame) -> Iterator[list[str]]:
    """Yield a row per point on the frontier of seconds, by method, the cheapest first."""
    on = points[points["frontiers"].str.split().map(lambda costs: "seconds" in costs)]
    for _, rows in on.groupby("method", sort=False):
        for _, row in rows.sort_values("seconds").iterrows():
            yield [
                *(row["method"], row["architecture"], row["batch_size"], row["epochs"]),
                f"{row['validation_accuracy']:.2f}",
                _spread(row),
                f"{row['seconds']:.2f}",
                f"{row['training_memory_mib']:.1f}",
                f"{row['model_kib']:,.1f}",
                f"{row['latency_us']:.2f}",
            ]


def _spread(row: "pd.Series[Any]") -> str:
    return f"{row['test_accuracy']:.2f} ± {row['test_accuracy_std']:.2f}"


def _rates(plan: Plan, rates: Mapping[RateKey, float]) -> str:
    batches = sorted({batch for _, batch in rates})
    rows = [
        [name, *(f"{rates[name, batch]:g}" if (name, batch) in rates else "-" for batch in batches)]
        for name in plan.methods
    ]
    return markdown(["method", *(f"batch {batch:,}" for batch in batches)], rows)
