"""The summary's section on how all was measured."""

import pandas as pd

from pipeline.report.markdown import markdown
from pipeline.report.report import Report
from pipeline.report.summary.machine import machine_in_words
from pipeline.report.text import join_words


def measured_section(report: Report) -> str:
    """Return on what and how all was measured, and how long that took."""
    machines: dict[str, list[str]] = {}
    for architecture, machine in report.environments.items():
        machines.setdefault(machine_in_words(machine), []).append(architecture)
    lines = [
        f"- {join_words(architectures)}: {machine} ([environments.json](tables/environments.json))"
        for machine, architectures in machines.items()
    ]
    return "\n\n".join(
        [
            "## How it was measured",
            "\n".join(lines),
            "Every measurement of training is a fresh process; the methods take turns, round after "
            "round, so that drift hits all alike "
            "([measurements.csv](tables/measurements.csv)). An epoch "
            "is forward, backward and update over all training images, converted from uint8 batch "
            "by batch, without evaluation; a measurement trains for a part of an epoch or more, in "
            "three parts, of which the fastest counts; scaling counts whole rounds instead, and "
            "its seconds differ from these. "
            "*Training memory* is the peak above the moment just before the network is built, in a "
            "process that has trained a tiny one by the same method, so that the libraries' code "
            "is in memory; "
            "*process memory* is the peak of the whole process. Most of float's is the import of "
            "torch (a CUDA build costs several hundred MiB more than a CPU build), which what is "
            "trained in bits does without; most of the latter's is the dataset while it is read.",
            "The test set chose nothing: accuracies are of the last epoch's network, after "
            "training. It is also what inference predicts, and what the time to the study's "
            "accuracy is measured by.",
            "How long the parts took, by wall clock; of training, evaluation and the start of "
            "processes are left out ([durations.csv](tables/durations.csv)):",
            _durations(report.tables["durations"]),
        ]
    )


def _durations(durations: pd.DataFrame) -> str:
    rows = [
        [row["part"], f"{row['seconds']:,.0f}", f"{row['seconds'] / 60:.1f}"]
        for _, row in durations.iterrows()
    ]
    return markdown(["part", "seconds", "minutes"], rows)
