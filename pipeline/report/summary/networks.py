"""The summary's sections on the networks: one an architecture, and the figures of all."""

from typing import Any

import pandas as pd

from pipeline.config.names import BASELINE
from pipeline.report.captions import figure
from pipeline.report.markdown import markdown
from pipeline.report.report import Report, accuracy_lost, find_row, ratio_of
from pipeline.report.summary.verdicts import rounds_of, with_interval


def network_section(report: Report, architecture: str) -> str:
    """Return what the networks of an architecture predict, and what training them costs."""
    accuracy = report.accuracy[report.accuracy["architecture"] == architecture]
    seeds = accuracy["seeds"].iloc[0]
    blocks = [
        f"## {architecture}",
        f"Accuracy over {seeds} seed{'s' if seeds > 1 else ''} (mean ± sample standard "
        "deviation), and the model file: float32 numbers for what torch trains, bits and integer "
        "thresholds for what is trained in bits ([accuracy.csv](tables/accuracy.csv), a row a run "
        "in [runs.csv](tables/runs.csv)):",
        _accuracy_markdown(report, accuracy),
    ]
    for batch in report.params.profiled_batch_sizes:
        used = " (training's own)" if batch == report.params.train.batch_size else ""
        blocks += [
            f"Cost of training at batch {batch}{used}, {rounds_of(report.params)} "
            "([costs.csv](tables/costs.csv)):",
            _costs_markdown(report, architecture, batch),
        ]
    return "\n\n".join(blocks)


def networks_in_figures() -> str:
    """Return the figures that show all networks side by side."""
    return "\n\n".join(
        [
            "## All networks in figures",
            "From [costs.csv](tables/costs.csv), [accuracy.csv](tables/accuracy.csv), "
            "[learning_curves.csv](tables/learning_curves.csv) and "
            "[confusion.csv](tables/confusion.csv); the last by class in "
            "[per_class_accuracy.csv](tables/per_class_accuracy.csv).",
            *(figure(name) for name in ("costs", "tradeoff", "error", "confusion")),
        ]
    )


def _accuracy_markdown(report: Report, accuracy: pd.DataFrame) -> str:
    float_kib = accuracy[accuracy["method"] == BASELINE]["model_kib"].iloc[0]
    rows = []
    for _, row in accuracy.iterrows():
        spread = f" ± {row['test_accuracy_std']:.2f}" if row["seeds"] > 1 else ""
        lost = accuracy_lost(report, row["architecture"], row["method"])
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
            "method",
            "test %",
            "to float, points",
            "validation %",
            "training %",
            "model KiB",
            "× float",
        ],
        rows,
    )


def _costs_markdown(report: Report, architecture: str, batch: int) -> str:
    rows = []
    for method in report.params.methods:
        row = find_row(report.costs, architecture=architecture, batch_size=batch, method=method)
        rows.append(
            [
                method,
                f"{row['epoch_seconds']:.3f}",
                _interval(row, "epoch_seconds"),
                f"{row['training_memory_mib']:.1f}",
                _interval(row, "training_memory_mib"),
                f"{row['process_memory_mib']:.0f}",
                _interval(row, "process_memory_mib"),
            ]
        )
    return markdown(
        ["method", "s an epoch", "× float", "training MiB", "× float", "process MiB", "× float"],
        rows,
    )


def _interval(row: "pd.Series[Any]", column: str) -> str:
    return "" if row["method"] == BASELINE else with_interval(ratio_of(row, column))
