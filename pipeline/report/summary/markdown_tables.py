"""The tables of summary.md and aims.md, as Markdown. The templates call them."""

import math
from typing import Any

import pandas as pd

from pipeline.config.names import BASELINE, NUMKONG, PACKED, TORCH
from pipeline.report.columns import POINT
from pipeline.report.equal_accuracy import columns
from pipeline.report.equal_accuracy import table as pairs_table
from pipeline.report.markdown import markdown
from pipeline.report.report import Report, accuracy_lost, find_row
from pipeline.report.statistics import Estimate, read_estimate
from pipeline.report.text import (
    format_number,
    plural,
    ratio_in_brackets,
    ratio_with_interval,
    with_interval,
)
from pipeline.report.verdicts import Verdict, judge_speed

AXES = {
    "width": "hidden width",
    "batch": "batch size",
    "depth": "hidden layers",
    "threads": "threads",
}


def opening(report: Report) -> str:
    """Return a row per network and method: what it predicts, and what it costs."""
    latency = report.tables["latency"]
    rows = []
    for _, row in report.accuracy.iterrows():
        case = {"architecture": row["architecture"], "method": row["method"]}
        cost = find_row(report.own_costs, **case)
        baseline = find_row(report.accuracy, **case | {"method": BASELINE})
        own = latency[latency[list(case)].eq(pd.Series(case)).all(axis=1)].dropna(
            subset="latency_us"
        )
        of_file = row["model_kib"] / baseline["model_kib"]
        gained = -accuracy_lost(report, **case)
        rows.append(
            [
                row["architecture"],
                row["method"],
                f"{row['test_accuracy']:.2f} ({gained:+.2f})",
                f"{cost['batch_size']:,}",
                _beside(cost, "epoch_seconds", 3, "epoch_seconds_own_ratio"),
                _beside(row, "train_seconds", 1, "train_ratio"),
                _beside(cost, "training_memory_mib", 1, "training_memory_mib_own_ratio"),
                _beside(cost, "process_memory_mib", 0, "process_memory_mib_own_ratio"),
                f"{row['model_kib']:,.0f} ({of_file:.2f}×)",
                "-" if own.empty else _beside(own.iloc[0], "latency_us", 1, "latency_ratio"),
            ]
        )
        if row["method"] == BASELINE:
            # Nothing stands beside the baseline itself.
            rows[-1] = [cell.partition(" (")[0] for cell in rows[-1]]
    return markdown(
        [
            *("network", "method", "test accuracy, %", "batch", "s per epoch", "s to train"),
            *("training memory, MiB", "process memory, MiB", "model file, KiB", "latency, µs"),
        ],
        rows,
    )


def equal_accuracy(report: Report) -> str:
    """Return float's record beside the cheapest in bits, for each of the highest accuracies."""
    images = report.tables["equal_accuracy"]["images"].dropna().unique()
    shown = columns([report.records_threads], sorted(int(count) for count in images))
    return pairs_table(report.record_pairs, shown)


def accuracy(report: Report, architecture: str) -> str:
    """Return a row per method: accuracies and model file."""
    table = report.accuracy[report.accuracy["architecture"] == architecture]
    float_kib = find_row(table, method=BASELINE)["model_kib"]
    rows = []
    for _, row in table.iterrows():
        spread = f" ± {row['test_accuracy_std']:.2f}" if row["seeds"] > 1 else ""
        lost = accuracy_lost(report, architecture, row["method"])
        rows.append(
            [
                row["method"],
                f"{row['test_accuracy']:.2f}{spread}",
                "" if row["method"] == BASELINE else f"{-lost:+.2f}",
                f"{row['validation_accuracy']:.2f}",
                f"{row['training_accuracy']:.2f}",
                f"{row['model_kib']:,.0f}",
                f"{row['model_kib'] / float_kib:.3f}",
            ]
        )
    return markdown(
        [
            *("method", "test %", "to float, points", "validation %", "training %"),
            *("model KiB", "× float"),
        ],
        rows,
    )


def costs(report: Report, architecture: str, batch_size: int) -> str:
    """Return a row per method: time and memory of training, with intervals."""
    table = report.costs_at(batch_size)
    digits = {"epoch_seconds": 3, "training_memory_mib": 1, "process_memory_mib": 0}
    rows = []
    for method in report.params.methods:
        row = find_row(table, architecture=architecture, method=method)
        cells = [method]
        for cost, count in digits.items():
            ratio = read_estimate(row, f"{cost}_ratio")
            cells.append(f"{row[cost]:,.{count}f}")
            cells.append("" if method == BASELINE else ratio_with_interval(cost, ratio))
        rows.append(cells)
    headers = ["s per epoch", "× float", "training MiB", "× float", "process MiB", "× float"]
    return markdown(["method", *headers], rows)


def claims(report: Report) -> str:
    """Return a row per claim of the study, beside ours."""
    rows = []
    for _, row in report.claims.iterrows():
        points = row["quantity"] == "test accuracy"
        unit, sense = (" points", "gained") if points else (" %", "saved")
        rows.append(
            [
                row["architecture"],
                f"{row['method']} against {row['reference']}",
                f"{row['quantity']} {sense}",
                f"{row['published']:+.1f}{unit}",
                f"{row['ours']:+.1f}{unit} [{row['lower']:+.1f}, {row['upper']:+.1f}]",
                row["holds"],
            ]
        )
    headers = ["network", "comparison", "quantity", "study", "ours", "direction holds"]
    return markdown(headers, rows)


def published(report: Report) -> str:
    """Return a row per run that the study printed, beside ours."""
    rows = [
        [
            f"{row['architecture']}, {row['method']}, {row['study_epochs']} epochs",
            f"{row['study_training_accuracy']:.1f} / {row['study_test_accuracy']:.1f}",
            f"{row['training_accuracy']:.1f} / {row['test_accuracy']:.1f}",
            f"{format_number(row['study_train_seconds'])} / "
            f"{format_number(row['study_epoch_seconds'], 1)}",
            f"{row['train_seconds']:.1f} ({row['epochs']} epochs) / {row['epoch_seconds']:.2f}",
            f"{row['study_memory_mb']:.0f} MB",
            f"{row['process_memory_mib']:.0f} MiB",
        ]
        for _, row in report.tables["published"].iterrows()
    ]
    return markdown(
        [
            *("study's run", "training / test %, study", "ours"),
            *("s to train / per epoch, study", "ours", "process memory, study", "ours"),
        ],
        rows,
    )


def time_to_study(report: Report) -> str:
    """Return a row per network and method: seconds to the study's test accuracy."""
    rows = [
        [
            row["architecture"],
            f"{row['target']:.1f} %",
            row["method"],
            _seconds_to_study(row),
            f"{row['study_seconds']:,.0f}",
        ]
        for _, row in report.tables["time_to_study"].iterrows()
    ]
    return markdown(["network", "test accuracy", "method", "seconds, ours", "study"], rows)


def time_to_accuracy(report: Report) -> str:
    """Return a row per network and accuracy, a column per method: seconds until it was reached."""
    methods = list(report.params.methods)
    rows = []
    for (architecture, target), group in report.tables["time_to_accuracy"].groupby(
        ["architecture", "target"], sort=False
    ):
        cells = [_seconds_to_accuracy(find_row(group, method=method)) for method in methods]
        rows.append([f"{architecture}, {target} %", *cells])
    return markdown(["network, validation accuracy", *methods], rows)


def phases(report: Report) -> str:
    """Return a row per network, batch size and method: seconds per epoch by phase."""
    table = report.tables["phases"]
    names = list(dict.fromkeys(table["phase"]))
    rows = [
        [_case(keys), *(f"{find_row(group, phase=name)['seconds']:.3f}" for name in names)]
        for keys, group in table.groupby([*POINT, "method"], sort=False)
    ]
    return markdown(["network, batch, method", *names], rows)


def memory_breakdown(report: Report) -> str:
    """Return a row per network, batch size and method: percent of training memory by kind."""
    table = report.tables["memory_breakdown"]
    kinds = list(dict.fromkeys(table["kind"]))
    rows = []
    for keys, group in table.groupby([*POINT, "method"], sort=False):
        percent = group.set_index("kind")["percent_of_peak"].reindex(kinds, fill_value=0)
        cells = [f"{round(value)}" for value in percent]
        rows.append([_case(keys), f"{group['mib'].sum():.1f}", *cells])
    headers = [kind.replace("_", " ") for kind in kinds]
    return markdown(["network, batch, method", "training MiB", *headers], rows)


def scaling(report: Report) -> str:
    """Return a row per value of each axis: float's costs, and the others' ratios to them."""
    points = report.scaling_points
    others = [method for method in dict.fromkeys(points["method"]) if method != BASELINE]
    rows = []
    for (axis, value), group in points.groupby(["axis", "value"], sort=False):
        baseline = find_row(group, method=BASELINE)
        rows.append(
            [
                f"{AXES[str(axis)]} {value:,}",
                f"{baseline['epoch_seconds']:.2f}",
                f"{baseline['training_memory_mib']:.0f}",
            ]
        )
        for method in others:
            row = find_row(group, method=method)
            rows[-1] += [
                ratio_with_interval(cost, read_estimate(row, f"{cost}_ratio"))
                for cost in ("epoch_seconds", "training_memory_mib")
            ]
    headers = [f"{name}, {what}" for name in others for what in ("time × float", "memory × float")]
    return markdown(["", "float, s per epoch", "float, MiB", *headers], rows)


def inference(report: Report) -> dict[str, str]:
    """Return a table by network and number of threads: runtimes against batch sizes."""
    cases = {}
    for (architecture, threads), group in report.tables["inference"].groupby(
        ["architecture", "threads"], sort=False
    ):
        batches = list(dict.fromkeys(group["batch_size"]))
        rows = []
        for name, of_runtime in group.groupby("runtime", sort=False):
            first = of_runtime.iloc[0]
            rows.append(
                [
                    name,
                    *(_time_per_image(find_row(of_runtime, batch_size=each)) for each in batches),
                    f"{first['file_kib']:,.0f}",
                    f"{first['process_memory_mib']:.0f}",
                    f"{first['test_accuracy']:.2f}",
                ]
            )
        headers = [f"batch {batch:,}" for batch in batches]
        headers = ["runtime", *headers, "file KiB", "memory MiB", "test %"]
        title = f"{architecture}, {plural(int(str(threads)), 'thread')}"
        cases[title] = markdown(headers, rows)
    return cases


def kernels(report: Report) -> str:
    """Return a row per shape and kernel: time, operations, and speed beside torch and numkong."""
    rows = [
        [
            f"{row['m']} × {row['n']} × {row['k']}, {row['kernel']}",
            f"{row['microseconds']:,.1f}",
            f"{row['gops']:,.0f}",
            "" if row["kernel"] == TORCH else _speed(row, ""),
            "" if row["kernel"] in (TORCH, NUMKONG) else _speed(row, "numkong_"),
        ]
        for _, row in report.tables["kernels"].iterrows()
    ]
    return markdown(["M × N × K, kernel", "µs", "Gop/s", "× torch", "× numkong"], rows)


def recipes(report: Report) -> str:
    """Return a row per key of the recipes, a column per method."""
    methods = {name: _flat(method.model_dump()) for name, method in report.params.methods.items()}
    keys = dict.fromkeys(
        key for method in methods.values() for key, value in method.items() if value is not None
    )
    rows = [
        [key.replace("_", " "), *("-" if m.get(key) is None else m[key] for m in methods.values())]
        for key in keys
    ]
    engines = ["torch" if name in report.params.groups.torch else "packed" for name in methods]
    return markdown(["", *methods], [["engine", *engines], *rows])


def _flat(recipe: dict[str, Any]) -> dict[str, Any]:
    """Return a recipe with the keys of convolutional networks among the others."""
    differing = recipe.pop("convolutional") or {}
    return recipe | {f"{key}, with convolutions": value for key, value in differing.items()}


def durations(report: Report) -> str:
    """Return a row per part of the pipeline: how long it took."""
    rows = [
        [row["part"], f"{row['seconds']:,.0f}", f"{row['seconds'] / 60:.1f}"]
        for _, row in report.tables["durations"].iterrows()
    ]
    return markdown(["part", "seconds", "minutes"], rows)


def aims(report: Report) -> str:
    """Return a row per figure that the project aimed at, beside ours."""
    rows = []
    for _, row in report.tables["targets"].iterrows():
        source = f"[{row['source']}](../reports/tables/{row['source']}.csv)"
        aim = f"{row['sense']} {row['aim']:g}"
        rows.append([row["what"], row["case"], aim, _beside_aim(row), row["verdict"], source])
    return markdown(["what", "where", "aim", "ours", "verdict", "table"], rows)


def _beside(row: "pd.Series[Any]", cost: str, digits: int, ratio: str | None = None) -> str:
    """Return a cost with its ratio to float in brackets, where there is one."""
    estimate = read_estimate(row, ratio or f"{cost}_ratio")
    brackets = "" if math.isnan(estimate.value) else f" {ratio_in_brackets(cost, estimate)}"
    return f"{row[cost]:,.{digits}f}{brackets}"


def _case(keys: Any) -> str:
    architecture, batch_size, _, method = keys
    return f"{architecture}, {batch_size}, {method}"


def _seconds_to_study(row: "pd.Series[Any]") -> str:
    if row["seeds_reached"] == 0:
        return "not reached"
    times = Estimate(row["seconds"], row["seconds_min"], row["seconds_max"])
    return with_interval(times, 3) + _some_seeds(row)


def _seconds_to_accuracy(row: "pd.Series[Any]") -> str:
    return "never" if row["seeds_reached"] == 0 else f"{row['seconds']:.1f}{_some_seeds(row)}"


def _some_seeds(row: "pd.Series[Any]") -> str:
    reached, seeds = row["seeds_reached"], row["seeds"]
    return "" if reached == seeds else f" ({reached} of {seeds} seeds)"


def _time_per_image(row: "pd.Series[Any]") -> str:
    time = f"{row['microseconds_an_image']:.2f}"
    if row["runtime"] == PACKED:
        return time
    faster = read_estimate(row, "times_faster")
    same = judge_speed(faster) is Verdict.NO_DIFFERENCE
    return f"{time} ({Verdict.NO_DIFFERENCE if same else f'{faster.value:.1f}×'})"


def _speed(row: "pd.Series[Any]", prefix: str) -> str:
    if f"{prefix}ratio" not in row:
        return "-"
    ratio = Estimate(*(row[f"{prefix}{end}"] for end in ("ratio", "lower", "upper")))
    same = judge_speed(ratio) is Verdict.NO_DIFFERENCE
    return with_interval(ratio) + (f", {Verdict.NO_DIFFERENCE}" if same else "")


def _beside_aim(row: "pd.Series[Any]") -> str:
    if pd.isna(row["ours"]):
        return "-"
    digits = 3 if row["aim"] < 1 else 1
    if row["lower"] == row["upper"]:
        return f"{row['ours']:.{digits}f}"
    return with_interval(Estimate(row["ours"], row["lower"], row["upper"]), digits)
