"""Runs and profiles -> tidy tables, metrics.json, summary.md in reports/, and docs/aims.md."""

import json
from typing import Any

import pandas as pd

from pipeline.common.atomic import atomic_directory, write_text
from pipeline.common.console import echo
from pipeline.config.names import BASELINE
from pipeline.config.params import Params
from pipeline.config.paths import AIMS, REPORTS, TABLES
from pipeline.report import claims, tables
from pipeline.report.report import Report, find_row
from pipeline.report.results import (
    read_benchmark,
    read_durations,
    read_inference,
    read_profile,
    read_runs,
    read_study,
)
from pipeline.report.summary.document import render_aims, render_summary
from pipeline.report.targets import targets_table


def aggregate(params: Params) -> None:
    """Read every run and profile that `params` names and write reports/ and docs/aims.md.

    Raises:
        PipelineError: a run or a profile is missing, damaged or does not belong, or an output
            cannot be written.
    """
    report = make_report(params)
    # All is computed before anything is written: the outputs belong together.
    figures = json.dumps(metrics(report), indent=2) + "\n"
    summary, aims = render_summary(report), render_aims(report)
    with atomic_directory(TABLES) as folder:
        for name, table in report.tables.items():
            table.round(4).to_csv(folder / f"{name}.csv", index=False, lineterminator="\n")
        environments = json.dumps(report.environments, indent=2) + "\n"
        (folder / "environments.json").write_text(environments)
    write_text(REPORTS / "metrics.json", figures)
    write_text(REPORTS / "summary.md", summary)
    write_text(AIMS, aims)
    echo(
        f"{TABLES}/ has {len(report.tables)} tables; {REPORTS}/metrics.json, {REPORTS}/summary.md "
        f"and {AIMS} written"
    )


def make_report(params: Params) -> Report:
    """Read every run and profile that `params` names, and compute all tables.

    Raises:
        PipelineError: a run or a profile is missing, damaged or does not belong.
    """
    batch_size, threads = params.train.batch_size, params.train.threads
    study_batch = claims.study_batch(params.profiled_batch_sizes)
    runs = read_runs(params)
    profile = read_profile(params)
    rounds, runtimes = read_inference(params)
    kernel_seconds, kernels_environment = read_benchmark(params)

    costs = tables.costs_table(profile.measurements)
    own_costs = tables.at_point(costs, batch_size, threads)
    per_run = tables.runs_table(runs)
    accuracy = tables.accuracy_table(per_run, own_costs)
    curves = tables.learning_curves(runs, own_costs)
    inference = tables.inference_table(rounds, runtimes)
    kernels = tables.kernels_table(kernel_seconds)
    return Report(
        tables={
            "runs": per_run,
            "accuracy": accuracy,
            "learning_curves": curves,
            "error_curves": tables.error_curves(curves),
            "per_class_accuracy": tables.per_class_table(runs),
            "confusion": tables.confusion_table(runs),
            "measurements": profile.measurements,
            "costs": costs,
            "axes": profile.axes,
            "phases": tables.phases_table(profile.phases),
            "ledger": tables.ledger_table(profile.ledger, profile.measurements),
            "memory_curve": profile.memory_curve,
            "time_to_accuracy": tables.time_to_accuracy(curves),
            "inference": inference,
            "latency": tables.latency_table(rounds, inference, params),
            "runtimes": runtimes,
            "kernels": kernels,
            "claims": claims.claims_table(
                per_run, tables.at_point(profile.measurements, study_batch, threads)
            ),
            "published": claims.published_table(
                accuracy, tables.at_point(costs, study_batch, threads)
            ),
            "time_to_study": claims.time_to_study_table(
                read_study(params), own_costs, params.data.train_images // batch_size
            ),
            "targets": targets_table(
                {
                    "kernels": kernels,
                    "costs": costs[costs["threads"] == threads],
                    "runs": per_run,
                    "accuracy": accuracy,
                },
                tables.fastest_other(inference),
                kernels_environment["kernels_instruction_set"],
            ),
            "durations": tables.durations_table(runs, read_durations(params)),
        },
        environments=profile.environments,
        kernels_environment=kernels_environment,
        params=params,
    )


def metrics(report: Report) -> dict[str, dict[str, dict[str, float]]]:
    """Return the figures that `dvc metrics show` prints: architecture -> method -> figure.

    Accuracies are in percent, costs at the batch size that training uses, seconds to train those
    of all epochs. Ratios to float, paired within rounds, stand with every method but float itself.
    """
    result: dict[str, dict[str, dict[str, float]]] = {}
    costs = report.own_costs
    for _, row in report.accuracy.iterrows():
        architecture, method = row["architecture"], row["method"]
        figures = _accuracy_metrics(row, report.accuracy)
        cost = find_row(costs, architecture=architecture, method=method)
        for name in tables.COSTS:
            figures[name] = round(cost[name], 4)
            if method != BASELINE:
                short = name.removesuffix("_seconds").removesuffix("_mib")
                figures[f"{short}_ratio"] = round(cost[f"{name}_ratio"], 4)
        result.setdefault(architecture, {})[method] = figures
    for _, row in report.tables["latency"].iterrows():
        figures = result[row["architecture"]][row["method"]]
        if pd.notna(row["latency_us"]):
            figures["latency_us"] = round(row["latency_us"], 2)
        figures["images_per_second"] = round(row["images_per_second"])
    return result


def _accuracy_metrics(row: "pd.Series[Any]", accuracy: pd.DataFrame) -> dict[str, float]:
    figures = {
        "test_accuracy": round(row["test_accuracy"], 4),
        "validation_accuracy": round(row["validation_accuracy"], 4),
        "train_accuracy": round(row["training_accuracy"], 4),
        "model_kib": round(row["model_kib"], 2),
        "train_seconds": round(row["train_seconds"], 4),
    }
    if row["seeds"] > 1:
        figures["test_accuracy_std"] = round(row["test_accuracy_std"], 4)
    if row["method"] != BASELINE:
        baseline = find_row(accuracy, architecture=row["architecture"], method=BASELINE)
        figures["model_ratio"] = round(row["model_kib"] / baseline["model_kib"], 4)
        figures["train_ratio"] = round(row["train_ratio"], 4)
    return figures
