"""The values that the templates show, but for their tables."""

from typing import Any

import pandas as pd

from pipeline.config.names import BASELINE, NUMKONG, PACKED, PASSES
from pipeline.config.published import load_published
from pipeline.report.claims import LEAST_SAVED
from pipeline.report.equal_accuracy import Column
from pipeline.report.report import Report, accuracy_lost
from pipeline.report.statistics import read_estimate
from pipeline.report.summary.machine import machine_in_words
from pipeline.report.summary.markdown_tables import AXES
from pipeline.report.tables import fastest_other
from pipeline.report.verdicts import Cases, Verdict, judge_cost, judge_speed, sort_cases

AIM_VERDICTS = ("met", "missed", "undecided", "not measured")


def summary_context(report: Report) -> dict[str, Any]:
    """Return the values that summary.md.jinja shows."""
    groups = report.params.groups
    simulated = [name for name, method in groups.torch.items() if method.weights != "float32"]
    return {
        "fastest_float": _fastest_float(report),
        "equal_accuracy": _equal_accuracy(report),
        "packed": _training(report, list(groups.packed)),
        "whole_trainings": _whole_trainings(report),
        "simulated": _training(report, simulated) if simulated else None,
        "prediction": cases_of_speed(fastest_other(report.tables["inference"])),
        "study_url": load_published()["source"],
        "least_saved": LEAST_SAVED,
        "claims_held": _claims_held(report.claims),
        "unexplained": _unexplained(report.tables["memory_breakdown"]),
        "not_paying": _not_paying(report),
        "predictions": _predictions(report),
        "skipped": _skipped(report.tables["runtimes"]),
        "convolutional": report.params.connected_architectures != report.params.architectures,
        "has_numkong": NUMKONG in set(report.tables["kernels"]["kernel"]),
        "aims": _aims(report),
        "machines": _machines(report),
    }


def aims_context(report: Report) -> dict[str, Any]:
    """Return the values that aims.md.jinja shows."""
    return {"aims": _aims(report)}


def cases_of_cost(cases: pd.DataFrame, cost: str, ratio: str) -> Cases:
    """Sort ratios to float by verdict.

    Args:
        cases: a row per case.
        cost: the name of the cost.
        ratio: the column of its ratio.
    """
    ratios = [read_estimate(row, ratio) for _, row in cases.iterrows()]
    return sort_cases((judge_cost(cost, each), each.value) for each in ratios)


def cases_of_speed(cases: pd.DataFrame) -> Cases:
    """Sort how many times as fast the packed network is, a row per case, by verdict."""
    ratios = [read_estimate(row, "times_faster") for _, row in cases.iterrows()]
    return sort_cases((judge_speed(each), each.value) for each in ratios)


def _training(report: Report, methods: list[str]) -> dict[str, Any]:
    """Return what training by some methods saved, and what it lost, at the recipes' batch sizes."""
    costs = report.own_costs
    cases = costs[costs["method"].isin(methods)]
    return {
        "methods": methods,
        **{
            name: cases_of_cost(cases, cost, f"{cost}_own_ratio")
            for name, cost in (("time", "epoch_seconds"), ("memory", "training_memory_mib"))
        },
        "points": [
            accuracy_lost(report, architecture, method)
            for architecture in report.params.architectures
            for method in methods
        ],
    }


def _equal_accuracy(report: Report) -> dict[str, Any]:
    """Return what the cheapest network in bits costs beside float's of the same accuracy."""
    both = [pair for pair in report.record_pairs if not (pair.baseline.empty or pair.packed.empty)]
    shown = {
        "time": Column("", "seconds", 0, report.records_threads),
        "memory": Column("", "training_memory_mib", 0),
        "file": Column("", "model_kib", 0),
    }
    return {
        "targets": [f"{pair.target:g}" for pair in both],
        **{
            name: cases_of_cost(
                pd.DataFrame([column.of(pair.packed) for pair in both]), column.cost, "ratio"
            )
            for name, column in shown.items()
        },
    }


def _whole_trainings(report: Report) -> list[dict[str, Any]]:
    """Return how long each packed method trains in all, beside float."""
    accuracy = report.accuracy
    return [
        {
            "method": method,
            "epochs": report.epochs(method),
            "time": cases_of_cost(
                accuracy[accuracy["method"] == method], "train_seconds", "train_ratio"
            ),
        }
        for method in report.params.groups.packed
    ]


def _fastest_float(report: Report) -> list[dict[str, Any]]:
    """Return in which runtime and with how many threads float is fastest, and for whom."""
    latency = report.tables["latency"].dropna(subset="latency_us")
    by_float = latency[latency["method"] == BASELINE]
    return [
        {
            "runtime": runtime,
            "threads": int(str(threads)),
            "architectures": list(group["architecture"]),
        }
        for (runtime, threads), group in by_float.groupby(["runtime", "threads"], sort=False)
    ]


def _claims_held(claims: pd.DataFrame) -> list[dict[str, Any]]:
    """Return by quantity how many claims of the study hold, and how many point the other way."""
    return [
        {
            "quantity": quantity,
            "yes": int((holds == "yes").sum()),
            "no": int((holds == "no").sum()),
            "total": len(holds),
        }
        for quantity, holds in claims.groupby("quantity", sort=False)["holds"]
    ]


def _unexplained(breakdown: pd.DataFrame) -> dict[str, float]:
    rest = breakdown[breakdown["kind"] == "rest"]["percent_of_peak"].abs()
    return {"median": float(rest.median()), "max": float(rest.max())}


def _not_paying(report: Report) -> list[str]:
    """List where training in bits saves no time or no training memory."""
    points = report.scaling_points
    return [
        f"{row['method']} at {AXES[row['axis']]} {row['value']:,} saved no {what}"
        for _, row in points[points["method"].isin(list(report.params.groups.packed))].iterrows()
        for what, cost in (("time", "epoch_seconds"), ("training memory", "training_memory_mib"))
        if judge_cost(cost, read_estimate(row, f"{cost}_ratio")) is not Verdict.SAVED
    ]


def _predictions(report: Report) -> list[dict[str, Any]]:
    """Return by architecture how the packed network predicts, in one pass and in several."""
    found = []
    for architecture, group in report.tables["inference"].groupby("architecture", sort=False):
        single, passes = (group[group["runtime"] == name] for name in (PACKED, PASSES))
        others = group[~group["runtime"].isin((PACKED, PASSES))]
        file = single["file_kib"].iloc[0]
        found.append(
            {
                "architecture": architecture,
                "speed": cases_of_speed(fastest_other(group)),
                "file_share": others["file_kib"].max() / file,
                "test_accuracy": single["test_accuracy"].iloc[0],
                # How many times as fast one pass is, is what several cost.
                "passes_time": cases_of_cost(passes, "time", "times_faster"),
                "passes_accuracy": passes["test_accuracy"].iloc[0],
            }
        )
    return found


def _skipped(runtimes: pd.DataFrame) -> dict[str, str]:
    """Return why runtimes were not measured, by name."""
    skipped = runtimes.dropna(subset="skipped").drop_duplicates("runtime")
    return dict(zip(skipped["runtime"], skipped["skipped"], strict=True))


def _aims(report: Report) -> dict[str, Any]:
    counts = report.tables["targets"]["verdict"].value_counts()
    return {
        "total": int(counts.sum()),
        "counts": [f"{counts[verdict]} {verdict}" for verdict in AIM_VERDICTS if verdict in counts],
    }


def _machines(report: Report) -> dict[str, list[str]]:
    """Return the architectures that were measured on each machine."""
    machines: dict[str, list[str]] = {}
    for architecture, machine in report.environments.items():
        machines.setdefault(machine_in_words(machine), []).append(architecture)
    return machines
