"""The summary's sections on scaling and on the time to an accuracy."""

from typing import Any

import pandas as pd

from pipeline.config.names import BASELINE
from pipeline.config.params import Params
from pipeline.report.captions import figure
from pipeline.report.markdown import markdown
from pipeline.report.statistics import Estimate
from pipeline.report.summary.verdicts import interval_name, with_interval

_AXES = {
    "width": "hidden width",
    "batch": "batch size",
    "depth": "hidden layers",
    "threads": "threads",
}


def scaling_section(scaling: pd.DataFrame, params: Params) -> str:
    """Return time and memory against width, batch size, depth and threads, and who loses where."""
    width, batch = params.profile.scaling.width, params.train.batch_size
    blocks = [
        "## Scaling",
        f"One axis at a time; the others are one hidden layer of {width}, batch {batch} and "
        f"{params.train.threads} threads ([scaling.csv](tables/scaling.csv)). Here a process a "
        "method stays, and rounds alternate between them; × float is the ratio of time, the median "
        f"of the ratios within rounds, with its {interval_name(params.profile.rounds)}, then that "
        "of training memory, which is the peak of one process and has no interval:",
        _table(scaling),
        _stops_paying(scaling, params),
        figure("scaling"),
    ]
    return "\n\n".join(blocks)


def _table(scaling: pd.DataFrame) -> str:
    others = [method for method in dict.fromkeys(scaling["method"]) if method != BASELINE]
    rows = []
    for (axis, value), group in scaling.groupby(["axis", "value"], sort=False):
        by_method = group.set_index("method")
        baseline = by_method.loc[BASELINE]
        rows.append(
            [
                f"{_AXES[str(axis)]} {value:,}",
                f"{baseline['epoch_seconds']:.2f}",
                f"{baseline['training_memory_mib']:.0f}",
                *(_against(by_method.loc[method]) for method in others),
            ]
        )
    return markdown(["", "float, s", "float, MiB", *(f"{name}, × float" for name in others)], rows)


def _against(row: "pd.Series[Any]") -> str:
    return f"{with_interval(_time_ratio(row))}; {row['training_memory_mib_ratio']:.2f}"


def _time_ratio(row: "pd.Series[Any]") -> Estimate:
    return Estimate(*(row[f"epoch_seconds_ratio{end}"] for end in ("", "_lower", "_upper")))


def _stops_paying(scaling: pd.DataFrame, params: Params) -> str:
    """Say where training in bits saves no time or no memory."""
    packed = scaling[scaling["method"].isin(list(params.groups.packed))]
    lost = [
        f"{row['method']} at {_AXES[row['axis']]} {row['value']:,} saves no {what}"
        for _, row in packed.iterrows()
        for what, saves in (
            ("time", _time_ratio(row).upper < 1),
            ("training memory", row["training_memory_mib_ratio"] < 1),
        )
        if not saves
    ]
    if lost:
        return f"Where training in bits stops paying: {'; '.join(lost)}."
    return "Nowhere on this grid did training in bits stop paying, in time or in training memory."


def time_to_accuracy_section(table: pd.DataFrame, params: Params) -> str:
    """Return seconds of training until each validation accuracy was first reached."""
    methods = list(params.methods)
    rows = []
    for (architecture, target), group in table.groupby(["architecture", "target"], sort=False):
        by_method = {row["method"]: row for _, row in group.iterrows()}
        cells = [_seconds(by_method[method]) for method in methods]
        rows.append([f"{architecture}, {target} %", *cells])
    return "\n\n".join(
        [
            "## Time to accuracy",
            "Seconds of training, evaluation left out, until the validation accuracy after an "
            "epoch first reached this; medians over the seeds that reached it, of the training "
            "runs themselves, which ran one after the other "
            "([time_to_accuracy.csv](tables/time_to_accuracy.csv)):",
            markdown(["", *methods], rows),
            figure("time"),
        ]
    )


def _seconds(row: "pd.Series[Any]") -> str:
    reached, seeds = int(row["seeds_reached"]), int(row["seeds"])
    if reached == 0:
        return "never"
    part = "" if reached == seeds else f" ({reached} of {seeds} seeds)"
    return f"{row['seconds']:.1f}{part}"
