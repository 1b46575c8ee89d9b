"""Runs and profiles -> tidy tables, metrics.json, summary.md in reports/, and docs/aims.md."""

import json
from typing import Any

import pandas as pd

from pipeline.artifacts import inference as inference_files
from pipeline.artifacts.environment import read_environment
from pipeline.artifacts.frontier import read_points_table, read_records_table
from pipeline.artifacts.kernels import read_kernels
from pipeline.artifacts.profile import Profile, read_profile
from pipeline.artifacts.run_files import is_at_chance
from pipeline.artifacts.runs import Run, read_runs
from pipeline.artifacts.study import read_study
from pipeline.common.atomic import atomic_directory, write_text
from pipeline.common.console import echo
from pipeline.config.grid import SCALING
from pipeline.config.names import BASELINE
from pipeline.config.params import Params
from pipeline.config.paths import AIMS, REPORTS, STUDY, TABLES, run_name
from pipeline.report import claims, tables
from pipeline.report.columns import COSTS
from pipeline.report.report import Report, find_row
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
        PipelineError: a run, a profile or the frontier is missing, damaged or does not belong.
    """
    threads = params.train.threads
    study_batch = claims.study_batch(params.profiled_batch_sizes)
    runs = read_runs(params)
    profile = read_profile(params)
    measured = profile.tables
    rounds, runtimes = inference_files.read_inference(params)
    kernel_seconds, kernels_environment = read_kernels(params)
    steps_to_study = read_study(params)

    costs = tables.costs_table(measured["measurements"], measured["training_memory"])
    own_costs = tables.own_costs_table(
        measured["measurements"], measured["training_memory"], params
    )
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
            "measurements": measured["measurements"],
            "training_memory": measured["training_memory"],
            "costs": costs,
            "own_costs": own_costs,
            "axes": tables.axes_table(params),
            "phases": tables.phases_table(_own_points(measured["phases"], params)),
            "memory_breakdown": tables.memory_breakdown_table(
                _own_points(measured["memory_breakdown"], params), costs
            ),
            "memory_curve": measured["memory_curve"],
            "time_to_accuracy": tables.time_to_accuracy(curves),
            "inference": inference,
            "latency": tables.latency_table(rounds, inference, params),
            "runtimes": runtimes,
            "kernels": kernels,
            "claims": claims.claims_table(
                per_run, tables.at_point(measured["measurements"], study_batch, threads)
            ),
            "published": claims.published_table(
                accuracy, tables.at_point(costs, study_batch, threads)
            ),
            "time_to_study": claims.time_to_study_table(
                steps_to_study, own_costs, params.data.train_images
            ),
            "frontier": read_points_table(),
            "equal_accuracy": read_records_table(),
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
            "durations": tables.durations_table(
                runs, _stage_seconds(params, profile, kernels_environment)
            ),
        },
        environments=profile.environments,
        kernels_environment=kernels_environment,
        at_chance=tuple(_name(run) for run in runs if is_at_chance(run.metrics["validation"])),
        params=params,
    )


def _name(run: Run) -> str:
    metrics = run.metrics
    return run_name(metrics["architecture"], metrics["method"], metrics["seed"])


def _own_points(table: pd.DataFrame, params: Params) -> pd.DataFrame:
    """Return the rows at the architectures' own batch sizes, with training's threads."""
    return table[
        table["architecture"].isin(params.architectures)
        & table["batch_size"].isin(params.profiled_batch_sizes)
        & (table["threads"] == params.train.threads)
    ]


def _stage_seconds(
    params: Params, profile: Profile, kernels_environment: dict[str, Any]
) -> dict[str, float]:
    """Return how many seconds every measuring stage took, by name.

    Raises:
        PipelineError: a stage's environment.json is missing or damaged.
    """
    seconds = {place: machine["seconds"] for place, machine in profile.environments.items()}
    scaling = seconds.pop(SCALING, 0.0)
    inference = (
        read_environment(
            inference_files.folder_of(architecture),
            f"run `dvc repro` or `python -m pipeline inference --architecture {architecture}`",
        )
        for architecture in params.architectures
    )
    study = read_environment(STUDY, "run `dvc repro` or `python -m pipeline study`")
    return {
        "profile": sum(seconds.values()),
        "scaling": scaling,
        "inference": sum(machine["seconds"] for machine in inference),
        "benchmark": kernels_environment["seconds"],
        "study": study["seconds"],
    }


def metrics(report: Report) -> dict[str, dict[str, dict[str, float]]]:
    """Return the figures that `dvc metrics show` prints: architecture -> method -> figure.

    Accuracies are in percent, costs at the batch size that the method trains with, seconds to train
    those of all epochs. Ratios to float, paired within rounds, stand with every method but float
    itself.
    """
    result: dict[str, dict[str, dict[str, float]]] = {}
    costs = report.own_costs
    for _, row in report.accuracy.iterrows():
        architecture, method = row["architecture"], row["method"]
        figures = _accuracy_metrics(row, report.accuracy)
        cost = find_row(costs, architecture=architecture, method=method)
        for name in COSTS:
            figures[name] = round(cost[name], 4)
            if method != BASELINE:
                short = name.removesuffix("_seconds").removesuffix("_mib")
                figures[f"{short}_ratio"] = round(cost[f"{name}_own_ratio"], 4)
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
