"""Runs and profiles -> tidy tables, metrics.json and summary.md in reports/."""

import json
from typing import Any

import pandas as pd

from pipeline.common.atomic import atomic_directory, write_text
from pipeline.common.console import echo
from pipeline.config.names import BASELINE, PACKED
from pipeline.config.params import Params
from pipeline.config.paths import REPORTS, TABLES
from pipeline.report import tables
from pipeline.report.claims import claims_table, published_table, time_to_study_table
from pipeline.report.report import Report
from pipeline.report.results import (
    read_benchmark,
    read_durations,
    read_inference,
    read_profile,
    read_runs,
    read_scaling,
    read_study,
)
from pipeline.report.summary.document import render_summary
from pipeline.report.tables import fastest_other
from pipeline.report.targets import targets_table


def aggregate(params: Params) -> None:
    """Read every run and profile that `params` names and write reports/.

    Raises:
        PipelineError: a run or a profile is missing, damaged or does not belong, or
            reports/ cannot be written.
    """
    runs = read_runs(params)
    profile = read_profile(params)
    scaling = read_scaling(params)
    rounds, runtimes = read_inference(params)
    kernel_seconds, kernels_environment = read_benchmark(params)
    per_run = tables.runs_table(runs)
    curves = tables.learning_curves(runs)
    accuracy = tables.accuracy_table(per_run)
    costs = tables.costs_table(profile.measurements)
    inference = tables.inference_table(rounds, runtimes)
    kernels = tables.kernels_table(kernel_seconds)
    report = Report(
        tables={
            "runs": per_run,
            "accuracy": accuracy,
            "learning_curves": curves,
            "error_curves": tables.error_curves(curves),
            "per_class_accuracy": tables.per_class_table(runs),
            "confusion": tables.confusion_table(runs),
            "measurements": profile.measurements,
            "costs": costs,
            "phases": tables.phases_table(profile.phases),
            "ledger": tables.ledger_table(profile.ledger, profile.measurements),
            "memory_curve": profile.memory_curve,
            "scaling": tables.scaling_table(scaling),
            "time_to_accuracy": tables.time_to_accuracy(curves),
            "inference": inference,
            "runtimes": runtimes,
            "kernels": kernels,
            "claims": claims_table(per_run, profile.measurements),
            "published": published_table(accuracy, costs),
            "time_to_study": time_to_study_table(read_study(params)),
            "targets": targets_table(
                {"kernels": kernels, "costs": costs, "runs": per_run, "accuracy": accuracy},
                fastest_other(inference),
                kernels_environment["kernels_instruction_set"],
            ),
            "durations": tables.durations_table(curves, read_durations(params)),
        },
        environments=profile.environments,
        kernels_environment=kernels_environment | {"rounds": params.benchmark.rounds},
        params=params,
    )
    # All is computed before anything is written: the three outputs belong together.
    figures = json.dumps(metrics(report), indent=2) + "\n"
    summary = render_summary(report)
    with atomic_directory(TABLES) as folder:
        for name, table in report.tables.items():
            table.round(4).to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
        environments = json.dumps(profile.environments, indent=2) + "\n"
        (folder / "environments.json").write_text(environments)
    write_text(REPORTS / "metrics.json", figures)
    write_text(REPORTS / "summary.md", summary)
    echo(
        f"{TABLES}/ has {len(report.tables)} tables; {REPORTS}/metrics.json and summary.md written"
    )


def metrics(report: Report) -> dict[str, dict[str, dict[str, float]]]:
    """Return the figures that `dvc metrics show` prints: architecture -> method -> figure.

    Accuracies in percent; costs at the batch size that training uses; ratios to float,
    paired within rounds, for every method but float itself.
    """
    batch = report.params.train.batch_size
    result: dict[str, dict[str, dict[str, float]]] = {}
    for _, row in report.accuracy.iterrows():
        result.setdefault(row["architecture"], {})[row["method"]] = _accuracy_metrics(
            row, report.accuracy
        )
    costs = report.costs[report.costs["batch_size"] == batch]
    for _, row in costs.iterrows():
        figures = result[row["architecture"]][row["method"]]
        for cost in tables.COSTS:
            figures[cost] = round(row[cost], 4)
            if row["method"] != BASELINE:
                name = cost.removesuffix("_seconds").removesuffix("_mib")
                figures[f"{name}_ratio"] = round(row[f"{cost}_ratio"], 4)
    for architecture, figures in _inference_metrics(report).items():
        result[architecture][report.params.inference.method] |= figures
    return result


def _inference_metrics(report: Report) -> dict[str, dict[str, float]]:
    """Return the packed network's latency at batch 1, and its most images a second."""
    inference = report.tables["inference"]
    packed = inference[inference["runtime"] == PACKED]
    figures: dict[str, dict[str, float]] = {}
    for architecture, group in packed.groupby("architecture", sort=False):
        single = group[group["batch_size"] == 1]["microseconds"]
        figures[str(architecture)] = {"images_per_second": round(group["images_per_second"].max())}
        if not single.empty:
            figures[str(architecture)]["latency_us"] = round(float(single.min()), 2)
    return figures


def _accuracy_metrics(row: "pd.Series[Any]", accuracy: pd.DataFrame) -> dict[str, float]:
    figures = {
        "test_accuracy": round(row["test_accuracy"], 4),
        "validation_accuracy": round(row["validation_accuracy"], 4),
        "train_accuracy": round(row["training_accuracy"], 4),
        "model_kib": round(row["model_kib"], 2),
    }
    if row["seeds"] > 1:
        figures["test_accuracy_std"] = round(row["test_accuracy_std"], 4)
    if row["method"] != BASELINE:
        same = accuracy["architecture"] == row["architecture"]
        baseline = accuracy[same & (accuracy["method"] == BASELINE)]
        figures["model_ratio"] = round(row["model_kib"] / baseline["model_kib"].iloc[0], 4)
    return figures
