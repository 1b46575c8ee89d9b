"""Runs and profiles as tidy tables: one observation a row, units in the column's name."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.common.units import MIB
from pipeline.config.names import BASELINE, NUMKONG, PACKED, PASSES, TORCH
from pipeline.report.results import Run
from pipeline.report.statistics import paired_ratio

PARTS = ("training", "validation", "test")
COSTS = ("epoch_seconds", "process_memory_mib", "training_memory_mib")
# Validation accuracies, in percent, to which the seconds of training are reported.
TARGETS = (85, 87, 88)


def runs_table(runs: Sequence[Run]) -> pd.DataFrame:
    """Return a row a run: accuracies and losses by part, size, time to train."""
    rows = []
    for run in runs:
        metrics = run.metrics
        row = {key: metrics[key] for key in ("architecture", "method", "seed", "parameters")}
        for part in PARTS:
            row[f"{part}_accuracy"] = metrics[part]["accuracy"]
            row[f"{part}_loss"] = metrics[part]["loss"]
        row["model_kib"] = metrics["model"]["bytes"] / 1024
        row["train_seconds"] = run.history["cumulative_seconds"].iloc[-1]
        row["epochs"] = len(run.history)
        rows.append(row)
    return pd.DataFrame(rows)


def accuracy_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Return a row an architecture and method: mean over seeds, sample deviation, size."""
    aggregated = runs.groupby(["architecture", "method"], sort=False).agg(
        test_accuracy=("test_accuracy", "mean"),
        # With one seed there is no spread; 0 would claim that there is none to be had.
        test_accuracy_std=("test_accuracy", "std"),
        validation_accuracy=("validation_accuracy", "mean"),
        training_accuracy=("training_accuracy", "mean"),
        seeds=("seed", "count"),
        model_kib=("model_kib", "mean"),
        train_seconds=("train_seconds", "median"),
        epochs=("epochs", "max"),
    )
    return aggregated.reset_index()


def learning_curves(runs: Sequence[Run]) -> pd.DataFrame:
    """Return all histories, a row a run and epoch."""
    parts = []
    for run in runs:
        history = run.history.copy()
        for position, key in enumerate(("architecture", "method", "seed")):
            history.insert(position, key, run.metrics[key])
        parts.append(history)
    return pd.concat(parts, ignore_index=True)


def error_curves(curves: pd.DataFrame) -> pd.DataFrame:
    """Return error against epoch, mean over seeds, a row for each part (for DVC's plots)."""
    keys = ["architecture", "method", "epoch"]
    mean = curves.groupby(keys, sort=False)[["training_error", "validation_error"]].mean()
    long = mean.reset_index().melt(keys, var_name="part", value_name="error")
    long["part"] = long["part"].str.removesuffix("_error")
    return long


def per_class_table(runs: Sequence[Run]) -> pd.DataFrame:
    """Return test accuracy by class, mean over seeds; nothing where a class has no test images."""
    rows = [
        {
            **{key: run.metrics[key] for key in ("architecture", "method", "seed")},
            "class": name,
            "test_accuracy": accuracy,
        }
        for run in runs
        for name, accuracy in run.metrics["test"]["per_class_accuracy"].items()
    ]
    keys = ["architecture", "method", "class"]
    # Numbers, also where there is none.
    table = pd.DataFrame(rows).astype({"test_accuracy": np.float64})
    mean = table.groupby(keys, sort=False)["test_accuracy"].mean()
    return mean.reset_index()


def confusion_table(runs: Sequence[Run]) -> pd.DataFrame:
    """Return test images by actual and predicted class, mean over seeds."""
    rows = []
    for run in runs:
        names = list(run.metrics["test"]["per_class_accuracy"])
        for actual, counts in zip(names, run.metrics["test"]["confusion"], strict=True):
            for predicted, count in zip(names, counts, strict=True):
                rows.append(
                    {
                        "architecture": run.metrics["architecture"],
                        "method": run.metrics["method"],
                        "actual": actual,
                        "predicted": predicted,
                        "images": count,
                    }
                )
    keys = ["architecture", "method", "actual", "predicted"]
    return pd.DataFrame(rows).groupby(keys, sort=False)["images"].mean().reset_index()


def costs_table(measurements: pd.DataFrame) -> pd.DataFrame:
    """Return medians over rounds, and ratios to float paired within rounds.

    A row an architecture, batch size and method. For every cost there are four columns: its
    median, COST_ratio, and COST_ratio_lower and _upper, the ratio's 95 % interval.
    """
    rows = []
    for (architecture, batch), group in measurements.groupby(
        ["architecture", "batch_size"], sort=False
    ):
        for method in group["method"].unique():
            row = {"architecture": architecture, "batch_size": batch, "method": method}
            for cost in COSTS:
                values = paired_values(group, method, cost)
                row[cost] = float(np.median(values))
                ratio = paired_ratio(values, paired_values(group, BASELINE, cost))
                row[f"{cost}_ratio"] = ratio.value
                row[f"{cost}_ratio_lower"] = ratio.lower
                row[f"{cost}_ratio_upper"] = ratio.upper
            rows.append(row)
    return pd.DataFrame(rows)


def phases_table(phases: pd.DataFrame) -> pd.DataFrame:
    """Return seconds of an epoch by phase, medians over rounds, and their share of all phases."""
    keys = ["architecture", "batch_size", "method"]
    median = phases.groupby([*keys, "phase"], sort=False)["seconds"].median().reset_index()
    median["share"] = median["seconds"] / median.groupby(keys)["seconds"].transform("sum")
    return median


def paired_values(group: pd.DataFrame, method: str, column: str) -> np.ndarray:
    """Return a method's values of `column` in order of the rounds."""
    values = group[group["method"] == method].sort_values("round")[column]
    return values.to_numpy(dtype=np.float64)


def ledger_table(ledger: pd.DataFrame, measurements: pd.DataFrame) -> pd.DataFrame:
    """Return the byte ledger in MiB and percent of the measured peak, to which it adds up.

    The kinds are those of `pipeline.profiling.memory_ledger`, then freed_but_kept, by which the peak (training
    memory, the median over rounds) lies above that of a process which gives back at once what is
    freed, and the rest of the latter. Either can come out below 0: they are of different processes.
    """
    keys = ["architecture", "batch_size", "method"]
    counted = ledger.assign(mib=ledger["bytes"] / MIB)
    cases = counted.groupby(keys, sort=False).agg(named=("mib", "sum"), lean=("peak_bytes", "max"))
    cases["lean"] /= MIB
    cases["peak"] = measurements.groupby(keys)["training_memory_mib"].median()
    rows = cases.reset_index()
    freed = rows.assign(kind="freed_but_kept", mib=rows["peak"] - rows["lean"])
    rest = rows.assign(kind="rest", mib=rows["lean"] - rows["named"])
    table = pd.concat([counted, freed, rest], ignore_index=True)[[*keys, "kind", "mib"]]
    peak = table[keys].merge(rows, on=keys)["peak"]
    return table.assign(percent_of_peak=100 * table["mib"] / peak)


def durations_table(curves: pd.DataFrame, stages: dict[str, float]) -> pd.DataFrame:
    """Return how many seconds the parts of the pipeline took, and their sum.

    Args:
        curves: see `learning_curves`; evaluation is not in their seconds.
        stages: seconds by wall clock of the measuring stages, by name.
    """
    training = curves.groupby(["architecture", "method", "seed"])["cumulative_seconds"].max().sum()
    parts = {"training": float(training), **stages}
    rows = {**parts, "sum": sum(parts.values())}
    return pd.DataFrame({"part": list(rows), "seconds": list(rows.values())})


def scaling_table(rounds: pd.DataFrame) -> pd.DataFrame:
    """Return time and memory against width, batch size, depth and threads.

    A row an axis, value and method: medians over rounds, and the ratio to float, of time with its
    95 % interval over rounds. Memory is the peak of one process, so its ratio has none.
    """
    keys = ["axis", "value", "architecture", "batch_size", "threads"]
    rows = []
    for values, group in rounds.groupby(keys, sort=False):
        memory = {
            method: float(paired_values(group, method, "training_memory_mib").max())
            for method in group["method"].unique()
        }
        baseline = paired_values(group, BASELINE, "epoch_seconds")
        for method, mib in memory.items():
            seconds = paired_values(group, method, "epoch_seconds")
            ratio = paired_ratio(seconds, baseline)
            rows.append(
                {
                    **dict(zip(keys, values, strict=True)),
                    "method": method,
                    "epoch_seconds": float(np.median(seconds)),
                    "epoch_seconds_ratio": ratio.value,
                    "epoch_seconds_ratio_lower": ratio.lower,
                    "epoch_seconds_ratio_upper": ratio.upper,
                    "training_memory_mib": mib,
                    "training_memory_mib_ratio": mib / memory[BASELINE],
                }
            )
    return pd.DataFrame(rows)


def time_to_accuracy(curves: pd.DataFrame) -> pd.DataFrame:
    """Return seconds of training until validation accuracy first reaches each of TARGETS.

    A row an architecture, method and target: the median over the seeds that reached it (none: no
    number), and how many did.
    """
    rows = []
    for (architecture, method), group in curves.groupby(["architecture", "method"], sort=False):
        for target in TARGETS:
            reached = group[group["validation_error"] <= 100 - target]
            first = reached.groupby("seed")["cumulative_seconds"].min()
            rows.append(
                {
                    "architecture": architecture,
                    "method": method,
                    "target": target,
                    "seconds": first.median(),
                    "seeds_reached": len(first),
                    "seeds": group["seed"].nunique(),
                }
            )
    return pd.DataFrame(rows)


def inference_table(rounds: pd.DataFrame, runtimes: pd.DataFrame) -> pd.DataFrame:
    """Return a row an architecture, thread count, batch size and runtime that was measured.

    microseconds is of a call (median over rounds); times_faster is how many times faster the
    packed network is than the runtime, paired within rounds, with its 95 % interval.
    """
    keys = ["architecture", "threads", "batch_size"]
    rows = []
    for values, group in rounds.groupby(keys, sort=False):
        batch = int(group["batch_size"].iloc[0])
        by_runtime = {
            name: part.sort_values("round")["seconds"].to_numpy(dtype=np.float64)
            for name, part in group.groupby("runtime", sort=False)
        }
        for name, seconds in by_runtime.items():
            faster = paired_ratio(seconds, by_runtime[PACKED])
            call = float(np.median(seconds))
            rows.append(
                {
                    **dict(zip(keys, values, strict=True)),
                    "runtime": name,
                    "microseconds": 1e6 * call,
                    "microseconds_an_image": 1e6 * call / batch,
                    "images_per_second": batch / call,
                    "times_faster": faster.value,
                    "times_faster_lower": faster.lower,
                    "times_faster_upper": faster.upper,
                }
            )
    case = ["architecture", "threads", "runtime"]
    columns = [*case, "file_kib", "process_memory_mib", "test_accuracy"]
    return pd.DataFrame(rows).merge(runtimes[columns], on=case)


def fastest_other(inference: pd.DataFrame) -> pd.DataFrame:
    """Return, for every case, the row of the runtime that comes nearest to the packed network."""
    others = inference[~inference["runtime"].isin((PACKED, PASSES))]
    cases = others.groupby(["architecture", "threads", "batch_size"], sort=False)
    return others.loc[cases["times_faster"].idxmin()]


def kernels_table(seconds: pd.DataFrame) -> pd.DataFrame:
    """Return a row a shape and kernel, from the seconds a call of every round.

    microseconds is the median; gops are 2MNK operations, 10^9 a second; ratio is how many times
    as fast as torch, paired within rounds, with lower and upper, its 95 % interval; numkong_ratio
    and so on the same to numkong, where that is installed.
    """
    rows = []
    for shape, group in seconds.groupby(["m", "n", "k"], sort=False):
        m, n, k = (int(str(size)) for size in shape)
        by_kernel = {
            name: of_kernel.sort_values("round")["seconds"].to_numpy(np.float64)
            for name, of_kernel in group.groupby("kernel", sort=False)
        }
        for name, values in by_kernel.items():
            median = float(np.median(values))
            row = {"m": m, "n": n, "k": k, "kernel": name, "microseconds": 1e6 * median}
            row["gops"] = 2e-9 * m * n * k / median
            for prefix, peer in (("", TORCH), ("numkong_", NUMKONG)):
                if peer in by_kernel:
                    ratio = paired_ratio(by_kernel[peer], values)
                    row[f"{prefix}ratio"] = ratio.value
                    row[f"{prefix}lower"], row[f"{prefix}upper"] = ratio.lower, ratio.upper
            rows.append(row)
    return pd.DataFrame(rows)
