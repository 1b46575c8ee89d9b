"""The summary's beginning: the answer."""

from typing import Any

import pandas as pd

from pipeline.report import Report, accuracy_lost, binary_methods, find_row, ratio_of
from pipeline.summary_inference import fastest_other
from pipeline.words import listed, span


def answer(report: Report) -> str:
    """Return what was found, in three sentences, and then by architecture."""
    costs = report.costs[report.costs["batch_size"] == report.params.train.batch_size]
    packed = list(report.params.groups.packed)
    in_bits = costs[costs["method"].isin(packed)]
    lost = [
        accuracy_lost(report, architecture, method)
        for architecture in report.params.architectures
        for method in packed
    ]
    sentences = [
        f"**Trained in bits, binary networks saved "
        f"{_saved(in_bits, 'epoch_seconds', 'training time')} and "
        f"{_saved(in_bits, 'training_memory_mib', 'training memory')} against float32 networks of "
        f"the same layers in torch, and lost {span(lost, 1)} points of test accuracy.**",
        _of_simulated(report, costs),
        _of_inference(report),
    ]
    details = [f"- {_verdict(report, name)}" for name in report.params.architectures]
    held = _claims_held(report)
    if held:
        details.append(f"- {held}")
    return "\n\n".join([" ".join(filter(None, sentences)), "\n".join(details)])


def _of_simulated(report: Report, costs: pd.DataFrame) -> str:
    simulated = [name for name in binary_methods(report) if name in report.params.groups.torch]
    if not simulated:
        return ""
    in_floats = costs[costs["method"].isin(simulated)]
    return (
        f"*Simulated*, as most people train binary networks ({listed(simulated)}: every +1 and -1 "
        "a float32 number, every product a float32 product), they saved nothing that comes from "
        f"bits: {span(in_floats['epoch_seconds_ratio'], 2)} times the time and "
        f"{span(in_floats['training_memory_mib_ratio'], 2)} times the memory of float32 "
        "([costs.csv](tables/costs.csv), [accuracy.csv](tables/accuracy.csv))."
    )


def _of_inference(report: Report) -> str:
    faster = fastest_other(report.tables["inference"])
    if faster.empty:
        return ""
    return (
        f"Once trained, they predict {span(faster, 1)} times as fast as the fastest of torch and "
        "ONNX Runtime, int8 included ([inference.csv](tables/inference.csv))."
    )


def _saved(binary: pd.DataFrame, column: str, what: str) -> str:
    """Say how much was saved, counting only what the interval tells apart from float."""
    less = binary[binary[f"{column}_ratio_upper"] < 1]
    if less.empty:
        return f"no {what}"
    percent = span(100 * (1 - less[f"{column}_ratio"]), 0)
    where = "" if len(less) == len(binary) else f" in {len(less)} of {len(binary)} cases"
    return f"{percent} % of {what}{where}"


def _claims_held(report: Report) -> str:
    if report.claims.empty:
        return ""
    counts = []
    for quantity, holds in report.claims.groupby("quantity", sort=False)["holds"]:
        yes, no = (int((holds == verdict).sum()) for verdict in ("yes", "no"))
        counts.append(f"on {quantity} in {yes} of {len(holds)} (opposite in {no})")
    return (
        f"The direction of what the study says about these networks holds here {listed(counts)}; "
        "the rest is undecided."
    )


def _verdict(report: Report, architecture: str) -> str:
    batch = report.params.train.batch_size
    parts = []
    for method in binary_methods(report):
        cost = find_row(report.costs, architecture=architecture, batch_size=batch, method=method)
        lost = accuracy_lost(report, architecture, method)
        accuracy = find_row(report.accuracy, architecture=architecture, method=method)
        parts.append(
            f"{method}, {_compared(cost, 'epoch_seconds', 'time')}, "
            f"{_compared(cost, 'training_memory_mib', 'training memory')}, "
            f"{accuracy['test_accuracy']:.2f} % test accuracy "
            f"({abs(lost):.2f} points {'lost' if lost > 0 else 'gained'})"
        )
    return f"**{architecture}**, batch {batch}, against float32: {'; '.join(parts)}."


def _compared(row: "pd.Series[Any]", column: str, what: str) -> str:
    ratio = ratio_of(row, column)
    if ratio.holds(1):
        return f"{what} not told apart"
    change = 100 * abs(ratio.value - 1)
    return f"{change:.0f} % {'more' if ratio.value > 1 else 'less'} {what}"
