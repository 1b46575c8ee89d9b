"""Runs and profiles as tidy tables: one observation per row, units in the column's name."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.artifacts.runs import Run
from pipeline.common.units import MIB
from pipeline.config.grid import axes
from pipeline.config.names import BASELINE, NUMKONG, PACKED, PASSES, TORCH
from pipeline.config.params import Params
from pipeline.report.columns import COSTS, POINT
from pipeline.report.statistics import ENDS, estimate_columns, paired_ratio

PARTS = ("training", "validation", "test")
# Validation accuracies, in percent, to which the seconds of training are reported.
TARGETS = (85, 87, 88)


def runs_table(runs: Sequence[Run]) -> pd.DataFrame:
    """Return a row per run: accuracies and losses by part, size, epochs."""
    rows = []
    for run in runs:
        metrics = run.metrics
        row = {key: metrics[key] for key in ("architecture", "method", "seed", "parameters")}
        for part in PARTS:
            row[f"{part}_accuracy"] = metrics[part]["accuracy"]
            row[f"{part}_loss"] = metrics[part]["loss"]
        row["model_kib"] = metrics["model"]["bytes"] / 1024
        row["epochs"] = len(run.history)
        rows.append(row)
    return pd.DataFrame(rows)


def accuracy_table(runs: pd.DataFrame, own_costs: pd.DataFrame) -> pd.DataFrame:
    """Return a row per architecture and method: accuracies, model size, seconds to train.

    Accuracies are means over seeds, with the sample deviation. Seconds to train are the epochs
    times the seconds per epoch of the costs, and so is their ratio to float.

    Args:
        runs: see `runs_table`.
        own_costs: see `own_costs_table`.
    """
    aggregated = runs.groupby(["architecture", "method"], sort=False).agg(
        test_accuracy=("test_accuracy", "mean"),
        # With one seed there is no spread; 0 would claim that there is none to be had.
        test_accuracy_std=("test_accuracy", "std"),
        validation_accuracy=("validation_accuracy", "mean"),
        training_accuracy=("training_accuracy", "mean"),
        seeds=("seed", "count"),
        model_kib=("model_kib", "mean"),
        epochs=("epochs", "max"),
    )
    table = aggregated.reset_index()
    per_epoch = table[["architecture", "method"]].merge(own_costs, "left")
    table["train_seconds"] = table["epochs"] * per_epoch["epoch_seconds"]
    baseline = table[table["method"] == BASELINE].set_index("architecture")["epochs"]
    longer = table["epochs"] / table["architecture"].map(baseline)
    for end in ENDS:
        table[f"train_ratio{end}"] = longer * per_epoch[f"epoch_seconds_own_ratio{end}"]
    return table


def learning_curves(runs: Sequence[Run], own_costs: pd.DataFrame) -> pd.DataFrame:
    """Return all histories, a row per run and epoch.

    cumulative_seconds is the epoch's number times the seconds per epoch of the costs.

    Args:
        runs: those of all architectures, methods and seeds.
        own_costs: see `own_costs_table`.
    """
    per_epoch = own_costs.set_index(["architecture", "method"])["epoch_seconds"]
    parts = []
    for run in runs:
        history = run.history.drop(columns="seconds")
        case = run.metrics["architecture"], run.metrics["method"]
        history["cumulative_seconds"] = history["epoch"] * per_epoch[case]
        for position, key in enumerate(("architecture", "method", "seed")):
            history.insert(position, key, run.metrics[key])
        parts.append(history)
    return pd.concat(parts, ignore_index=True)


def error_curves(curves: pd.DataFrame) -> pd.DataFrame:
    """Return error against epoch, mean over seeds, a row per part (for DVC's plots)."""
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
    # The column is of numbers even where no class has one.
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


def costs_table(measurements: pd.DataFrame, training_memory: pd.DataFrame) -> pd.DataFrame:
    """Return medians over rounds, and ratios to float paired within rounds.

    A row per architecture, batch size, threads and method. Every cost has four columns: its
    median, COST_ratio, and COST_ratio_lower and _upper, the ratio's 95 % interval.

    Args:
        measurements: seconds per epoch and process memory, a row per point, round and method.
        training_memory: training memory, a row per point, round and method.
    """
    memory = dict(list(training_memory.groupby(POINT)))
    rows = []
    for point, group in measurements.groupby(POINT, sort=False):
        sources = dict.fromkeys(COSTS, group) | {"training_memory_mib": memory[point]}
        for method in group["method"].unique():
            keys = {**dict(zip(POINT, point, strict=True)), "method": method}
            rows.append(keys | _costs(sources, sources, method, "ratio"))
    return pd.DataFrame(rows)


def own_costs_table(
    measurements: pd.DataFrame, training_memory: pd.DataFrame, params: Params
) -> pd.DataFrame:
    """Return the costs of every architecture and method as it is trained: at its own batch size.

    A row per architecture and method, with the costs of `costs_table`. COST_own_ratio is that to
    float at float's own batch size, paired within rounds, in which all of them took turns.

    Args:
        measurements: see `costs_table`.
        training_memory: see `costs_table`.
        params: those that all was measured with.
    """
    rows = []
    threads = params.train.threads
    for architecture in params.architectures:

        def own(method: str, architecture: str = architecture) -> dict[str, pd.DataFrame]:
            batch_size = params.recipe(architecture, method).batch_size
            times, memory = (
                at_point(table[table["architecture"] == architecture], batch_size, threads)
                for table in (measurements, training_memory)
            )
            return dict.fromkeys(COSTS, times) | {"training_memory_mib": memory}

        for name in params.methods:
            keys = {
                "architecture": architecture,
                "batch_size": params.recipe(architecture, name).batch_size,
                "threads": threads,
                "method": name,
            }
            rows.append(keys | _costs(own(name), own(BASELINE), name, "own_ratio"))
    return pd.DataFrame(rows)


def _costs(
    sources: dict[str, pd.DataFrame],
    baselines: dict[str, pd.DataFrame],
    method: str,
    ratio_name: str,
) -> dict[str, float]:
    """Return a method's costs and their ratios to float, each from the table of its cost."""
    row: dict[str, float] = {}
    for cost, source in sources.items():
        values = paired_values(source, method, cost)
        row[cost] = float(np.median(values))
        ratio = paired_ratio(values, paired_values(baselines[cost], BASELINE, cost))
        row |= estimate_columns(f"{cost}_{ratio_name}", ratio)
    return row


def axes_table(params: Params) -> pd.DataFrame:
    """Return which points lie on which axis of the scaling figures, a row per axis and value."""
    rows = [
        (axis, value, point.architecture, point.batch_size, point.threads)
        for axis, value, point in axes(params)
    ]
    return pd.DataFrame(rows, columns=["axis", "value", *POINT])


def at_point(table: pd.DataFrame, batch_size: int, threads: int) -> pd.DataFrame:
    """Return the rows of a table that were measured at a batch size and number of threads."""
    here: pd.Series[bool] = table["batch_size"].eq(batch_size) & table["threads"].eq(threads)
    return table[here]


def phases_table(phases: pd.DataFrame) -> pd.DataFrame:
    """Return seconds per epoch by phase, medians over rounds, and their share of all phases."""
    keys = [*POINT, "method"]
    median = phases.groupby([*keys, "phase"], sort=False)["seconds"].median().reset_index()
    median["share"] = median["seconds"] / median.groupby(keys)["seconds"].transform("sum")
    return median


def paired_values(group: pd.DataFrame, method: str, column: str) -> np.ndarray:
    """Return a method's values of `column` in order of the rounds."""
    values = group[group["method"] == method].sort_values("round")[column]
    return values.to_numpy(dtype=np.float64)


def memory_breakdown_table(breakdown: pd.DataFrame, costs: pd.DataFrame) -> pd.DataFrame:
    """Return the memory breakdown in MiB and in percent of training memory, to which it adds up.

    The last kind is the rest: what of training memory has no name. It is negative where kinds are
    at their fullest at different moments, so that they add up to more than the peak.

    Args:
        breakdown: bytes by kind, a row per point, method and kind.
        costs: the training memory of at least the same points and methods.
    """
    keys = [*POINT, "method"]
    peaks = costs[[*keys, "training_memory_mib"]]
    named = breakdown.assign(mib=breakdown["bytes"] / MIB)[[*keys, "kind", "mib"]]
    sums = named.groupby(keys, sort=False, as_index=False)["mib"].sum()
    rest = sums.merge(peaks, on=keys)
    rest["mib"] = rest.pop("training_memory_mib") - rest["mib"]
    table: pd.DataFrame = pd.concat([named, rest.assign(kind="rest")], ignore_index=True)
    peak = table[keys].merge(peaks, on=keys)["training_memory_mib"]
    table["percent_of_peak"] = 100 * table["mib"] / peak
    return table


def durations_table(runs: Sequence[Run], stages: dict[str, float]) -> pd.DataFrame:
    """Return how many seconds the parts of the pipeline took, and their sum.

    Args:
        runs: those of all architectures, methods and seeds; evaluation is not in their seconds.
        stages: seconds by wall clock of the measuring stages, by name.
    """
    training = sum(run.history["cumulative_seconds"].iloc[-1] for run in runs)
    parts = {"training": float(training), **stages}
    rows = {**parts, "sum": sum(parts.values())}
    return pd.DataFrame({"part": list(rows), "seconds": list(rows.values())})


def scaling_points(axes: pd.DataFrame, costs: pd.DataFrame, methods: Sequence[str]) -> pd.DataFrame:
    """Return the costs of the points on each axis, a row per axis, value and method of `methods`.

    Points of the architectures' own have costs of further methods, which are left out.
    """
    return axes.merge(costs[costs["method"].isin(methods)], on=POINT)


def time_to_accuracy(curves: pd.DataFrame) -> pd.DataFrame:
    """Return seconds of training until validation accuracy first reaches each of TARGETS.

    A row per architecture, method and target: the median over the seeds that reached it, and how
    many did. There is no number where none did.

    Args:
        curves: see `learning_curves`, whose seconds count.
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
    """Return a row per architecture, thread count, batch size and runtime that was measured.

    microseconds is the median over rounds of a call's. times_faster is how many times as fast the
    packed network is as the runtime, paired within rounds, with its 95 % interval.
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
                    **estimate_columns("times_faster", faster),
                }
            )
    case = ["architecture", "threads", "runtime"]
    columns = [*case, "file_kib", "process_memory_mib", "test_accuracy"]
    return pd.DataFrame(rows).merge(runtimes[columns], on=case)


def fastest_other(inference: pd.DataFrame) -> pd.DataFrame:
    """Return the row of the runtime that comes nearest to the packed network, for every case."""
    others = inference[~inference["runtime"].isin((PACKED, PASSES))]
    cases = others.groupby(["architecture", "threads", "batch_size"], sort=False)
    return others.loc[cases["times_faster"].idxmin()]


def latency_table(rounds: pd.DataFrame, inference: pd.DataFrame, params: Params) -> pd.DataFrame:
    """Return a row per architecture and method that was measured: how fast it predicts.

    latency_us is that of one image by itself, in the method's fastest runtime, at the number of
    threads at which float is fastest. latency_ratio is its ratio to float, paired within rounds,
    with its 95 % interval. Without a batch size of 1 there is neither. images_per_second is the
    maximum over batch sizes, threads and runtimes.

    Args:
        rounds: seconds per call, a row per round, runtime, batch size and number of threads.
        inference: see `inference_table`.
        params: they name the methods that `packed` and `packed, passes` are.
    """
    methods = {PASSES: params.inference.passes_method, PACKED: params.inference.method}
    table = inference.assign(method=inference["runtime"].map(methods).fillna(BASELINE))
    rows = []
    for architecture, of_network in table.groupby("architecture", sort=False):
        single = of_network[of_network["batch_size"] == 1]
        baseline = _fastest(single[single["method"] == BASELINE])
        if baseline is not None:
            single = single[single["threads"] == baseline["threads"]]
        for method, group in of_network.groupby("method", sort=False):
            row: dict[str, object] = {"architecture": architecture, "method": method}
            row["images_per_second"] = group["images_per_second"].max()
            best = _fastest(single[single["method"] == method])
            if best is not None:
                row |= {"runtime": best["runtime"], "threads": best["threads"]}
                row["latency_us"] = best["microseconds"]
            if best is not None and baseline is not None:
                ratio = paired_ratio(
                    *(_seconds_by_round(rounds, case) for case in (best, baseline))
                )
                row |= estimate_columns("latency_ratio", ratio)
            rows.append(row)
    columns = ["architecture", "method", "runtime", "threads", "latency_us"]
    columns += [f"latency_ratio{end}" for end in ENDS]
    return pd.DataFrame(rows, columns=[*columns, "images_per_second"])


def _fastest(cases: pd.DataFrame) -> "pd.Series[Any] | None":
    return None if cases.empty else cases.sort_values("microseconds").iloc[0]


def _seconds_by_round(rounds: pd.DataFrame, case: "pd.Series[Any]") -> NDArray[np.float64]:
    keys = ["architecture", "threads", "batch_size", "runtime"]
    of_case = rounds[rounds[keys].eq(case[keys]).all(axis=1)]
    return of_case.sort_values("round")["seconds"].to_numpy(np.float64)


def kernels_table(seconds: pd.DataFrame) -> pd.DataFrame:
    """Return a row per shape and kernel, from the seconds per call of every round.

    microseconds is the median; gops counts 2MNK operations, in 10^9 per second. ratio is how many
    times as fast as torch the kernel is, paired within rounds, with lower and upper, its 95 %
    interval. numkong_ratio and so on compare it with numkong, where that is installed.
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
