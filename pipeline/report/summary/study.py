"""The summary's section on the study: its claims and its printed runs, beside ours."""

from typing import Any

import pandas as pd

from pipeline.config.published import load_published
from pipeline.report.claims import LEAST_SAVED, study_batch
from pipeline.report.markdown import markdown
from pipeline.report.report import Report
from pipeline.report.summary.verdicts import interval_name
from pipeline.report.text import chance_of_one_sign, format_range


def study_section(report: Report) -> str:
    """Return each claim of the study, and each run that it printed, beside ours."""
    published = load_published()
    if report.claims.empty:
        return "## The study\n\nIts architectures or methods are not in params.yaml."
    batch = study_batch(report.costs)
    printed = report.tables["published"]
    rows = []
    for _, row in report.claims.iterrows():
        accuracy = row["quantity"] == "test accuracy"
        unit, sense = (" points", "gained") if accuracy else (" %", "saved")
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
    return "\n\n".join(
        [
            "## The study, claim by claim",
            f"[The study]({published['source']}) trained with plain gradient descent in NumPy "
            "in double precision, batch 5,000, and measured the memory of the whole process. "
            f"Below, what it printed beside ours: time and memory at batch {batch}, accuracy as "
            f"trained at batch {report.params.train.batch_size} "
            "([claims.csv](tables/claims.csv)). Minus means more time or memory, or accuracy "
            "lost. A claim holds if ours points the same way; it is undecided if our interval "
            f"(for time and memory the {interval_name(report.params.profile.rounds)}, for "
            "accuracy the range over seeds) holds 0, or less than "
            f"{LEAST_SAVED:g} % of time or memory is saved or lost. "
            f"{chance_of_one_sign(len(report.params.seeds))}",
            markdown(
                ["network", "comparison", "quantity", "study", "ours", "direction holds"], rows
            ),
            "What the study printed for every run, beside ours "
            "([published.csv](tables/published.csv), the study's figures from "
            f"[published.yaml](../pipeline/published.yaml)). Its runs had {_epochs(printed, '')} "
            f"epochs, ours {_epochs(printed, 'our_')}: seconds in all compare what was spent, not "
            f"speed; seconds an epoch, at batch {batch}, compare speed. Accuracy is in percent; "
            "memory is the peak of the process:",
            _printed(printed),
            "Seconds of training until the test accuracy was that of the study's binary network, "
            "looked at every few steps, evaluation left out: medians over the seeds that got "
            "there, with the fewest and the most ([time_to_study.csv](tables/time_to_study.csv)). "
            "The study's seconds are of its whole training:",
            _times(report.tables["time_to_study"]),
        ]
    )


def _times(table: pd.DataFrame) -> str:
    rows = [
        [
            row["architecture"],
            f"{row['target']:.1f} %",
            row["method"],
            _reached(row),
            f"{row['study_seconds']:,.0f}",
        ]
        for _, row in table.iterrows()
    ]
    return markdown(["network", "test accuracy", "method", "seconds, ours", "study"], rows)


def _reached(row: "pd.Series[Any]") -> str:
    reached, seeds = row["seeds_reached"], row["seeds"]
    if reached == 0:
        return "not reached"
    times = f"{row['seconds']:.3f} [{row['seconds_fewest']:.3f}, {row['seconds_most']:.3f}]"
    return times if reached == seeds else f"{times} ({reached} of {seeds} seeds)"


def _epochs(printed: pd.DataFrame, whose: str) -> str:
    return format_range(printed[f"{whose}epochs"], 0)


def _printed(printed: pd.DataFrame) -> str:
    rows = [
        [
            f"{row['architecture']}, {row['method']}, {row['epochs']} epochs",
            f"{row['training_accuracy']:.1f} / {row['test_accuracy']:.1f}",
            f"{row['our_training_accuracy']:.1f} / {row['our_test_accuracy']:.1f}",
            f"{_number(row['train_seconds'], 0)} / {_number(row['epoch_seconds'], 1)}",
            f"{row['our_train_seconds']:.0f} ({row['our_epochs']} epochs) / "
            f"{row['our_epoch_seconds']:.2f}",
            f"{row['memory_mb']:.0f} MB",
            f"{row['our_process_memory_mib']:.0f} MiB",
        ]
        for _, row in printed.iterrows()
    ]
    return markdown(
        [
            "study's run",
            "training / test, study",
            "ours",
            "seconds in all / an epoch, study",
            "ours",
            "memory, study",
            "ours",
        ],
        rows,
    )


def _number(value: Any, digits: int) -> str:
    """Return what the study printed, or a dash where it printed nothing."""
    return "-" if pd.isna(value) else f"{value:.{digits}f}"
