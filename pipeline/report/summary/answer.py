"""The summary's beginning: the answer."""

import pandas as pd

from pipeline.config.names import BASELINE
from pipeline.report.report import Report, accuracy_lost, binary_methods, find_row
from pipeline.report.summary.targets import targets_sentence
from pipeline.report.summary.verdicts import compared, faster, percent_saved, times_as_much
from pipeline.report.tables import fastest_other
from pipeline.report.text import format_range, join_words

_SOURCES = "([costs.csv](tables/costs.csv), [accuracy.csv](tables/accuracy.csv))"


def answer(report: Report) -> str:
    """Return what was found, in four sentences, and then by architecture."""
    costs = report.costs[report.costs["batch_size"] == report.params.train.batch_size]
    sentences = [
        _in_bits(report, costs),
        _whole_training(report, costs),
        _simulated(report, costs),
        _inference(report),
    ]
    details = [_verdict(report, name) for name in report.params.architectures]
    details += [_claims_held(report), targets_sentence(report.tables["targets"])]
    bullets = "\n".join(f"- {detail}" for detail in details if detail)
    return "\n\n".join([" ".join(filter(None, sentences)), bullets])


def _in_bits(report: Report, costs: pd.DataFrame) -> str:
    packed = list(report.params.groups.packed)
    cases = costs[costs["method"].isin(packed)]
    lost = [
        accuracy_lost(report, architecture, method)
        for architecture in report.params.architectures
        for method in packed
    ]
    return (
        f"**Trained in bits, binary networks saved "
        f"{percent_saved(cases, 'epoch_seconds', 'the time of an epoch')} and "
        f"{percent_saved(cases, 'training_memory_mib', 'training memory')} against float32 "
        f"networks of the same layers in torch, and {_points(lost)} of test accuracy** {_SOURCES}."
    )


def _whole_training(report: Report, costs: pd.DataFrame) -> str:
    """Say what of the time is left after the epochs that each method trains for."""
    epochs = {name: method.epochs for name, method in report.params.methods.items()}
    parts = []
    for method in report.params.groups.packed:
        longer = epochs[method] / epochs[BASELINE]
        cases = costs[costs["method"] == method].copy()
        for end in ("", "_lower", "_upper"):
            cases[f"training_ratio{end}"] = longer * cases[f"epoch_seconds_ratio{end}"]
        parts.append(
            f"the {epochs[method]} epochs of {method} took "
            f"{times_as_much(cases, 'training', 'time')}"
        )
    return (
        f"They train longer: {join_words(parts)} of float's {epochs[BASELINE]} "
        "([costs.csv](tables/costs.csv))."
    )


def _points(lost: list[float]) -> str:
    if min(lost) < 0 < max(lost):
        return f"changed by {-max(lost):+.1f} to {-min(lost):+.1f} points"
    verb = "lost" if max(lost) > 0 else "gained"
    return f"{verb} {format_range([abs(points) for points in lost], 1)} points"


def _simulated(report: Report, costs: pd.DataFrame) -> str:
    names = [name for name in binary_methods(report) if name in report.params.groups.torch]
    if not names:
        return ""
    cases = costs[costs["method"].isin(names)]
    saved = [
        percent_saved(cases, column, what)
        for column, what in (
            ("epoch_seconds", "the time of an epoch"),
            ("training_memory_mib", "training memory"),
        )
    ]
    nothing = all(text.startswith("nothing ") for text in saved)
    return (
        f"*Simulated*, as most people train binary networks ({join_words(names)}: every +1 and -1 a "
        f"float32 number, every product a float32 product), they saved "
        f"{'nothing' if nothing else ' and '.join(saved)}: "
        f"{times_as_much(cases, 'epoch_seconds', 'time of an epoch')} and "
        f"{times_as_much(cases, 'training_memory_mib', 'memory')} of float32 {_SOURCES}."
    )


def _inference(report: Report) -> str:
    cases = fastest_other(report.tables["inference"])
    if cases.empty:
        return ""
    said = faster(cases, "the fastest of torch and ONNX Runtime (int8 is among them)")
    return f"Once trained, the packed network {said} ([inference.csv](tables/inference.csv))."


def _claims_held(report: Report) -> str:
    if report.claims.empty:
        return ""
    counts = []
    for quantity, holds in report.claims.groupby("quantity", sort=False)["holds"]:
        yes, no = (int((holds == verdict).sum()) for verdict in ("yes", "no"))
        counts.append(f"on {quantity} in {yes} of {len(holds)} (opposite in {no})")
    return (
        f"The direction of what the study says about these networks holds here {join_words(counts)}; "
        "the rest is undecided ([claims.csv](tables/claims.csv))."
    )


def _verdict(report: Report, architecture: str) -> str:
    batch = report.params.train.batch_size
    parts = []
    for method in binary_methods(report):
        cost = find_row(report.costs, architecture=architecture, batch_size=batch, method=method)
        lost = accuracy_lost(report, architecture, method)
        accuracy = find_row(report.accuracy, architecture=architecture, method=method)
        parts.append(
            f"{method}, {compared(cost, 'epoch_seconds', 'time an epoch')}, "
            f"{compared(cost, 'training_memory_mib', 'training memory')}, "
            f"{accuracy['test_accuracy']:.2f} % test accuracy "
            f"({abs(lost):.2f} points {'lost' if lost > 0 else 'gained'})"
        )
    return f"**{architecture}**, batch {batch}, against float32: {'; '.join(parts)} {_SOURCES}."
