"""The study's printed figures beside ours, and whether their direction holds."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from pipeline.config.names import BASELINE
from pipeline.config.published import load_published
from pipeline.report.statistics import Estimate, paired_difference, paired_ratio
from pipeline.report.tables import paired_values
from pipeline.report.verdicts import judge_claim

# The study's batch size. Where it was not profiled, the largest stands in.
BATCH_SIZE = 5000
# The smallest saving or loss in percent; the machine decides the sign of a smaller one.
LEAST_SAVED = 1.0
_PRINTED = ("epochs", "training_accuracy", "test_accuracy", "train_seconds", "epoch_seconds")
_PUBLISHED_COLUMNS = [
    *("architecture", "method", "batch_size", "threads"),
    *(*(f"study_{name}" for name in _PRINTED), "study_memory_mb"),
    *(*_PRINTED, "process_memory_mib"),
]


def claims_table(runs: pd.DataFrame, measurements: pd.DataFrame) -> pd.DataFrame:
    """Set each claim of the study beside ours.

    Args:
        runs: a row per run, with test_accuracy.
        measurements: a row per sample at the batch size of `study_batch` and training's threads.

    Returns:
        A row per claim: architecture, method, reference, quantity, published and ours with lower
        and upper, and holds. Time and memory are in percent saved, accuracy in points gained.
        holds is yes, no or undecided: see `pipeline.report.verdicts.judge_claim`.
    """
    published = load_published()
    rows = []
    for architecture, method, reference, section in _comparisons(published):
        printed, base = section[method], section[reference]
        ours = measurements[measurements["architecture"] == architecture]
        known = set(ours["method"])
        if method not in known or reference not in known:
            continue
        quantities = {
            # The study trained all its networks for as many epochs.
            "time per epoch": ("epoch_seconds", "epoch_seconds"),
            "process memory": ("memory_mb", "process_memory_mib"),
        }
        for quantity, (key, column) in quantities.items():
            if key in printed and key in base:
                saved = _saved(ours, method, reference, column)
                theirs = 100 * (1 - printed[key] / base[key])
                row = _row(architecture, method, reference, quantity, theirs, saved, LEAST_SAVED)
                rows.append(row)
        gained = _gained(runs[runs["architecture"] == architecture], method, reference)
        theirs = printed["test_accuracy"] - base["test_accuracy"]
        rows.append(_row(architecture, method, reference, "test accuracy", theirs, gained, 0))
    columns = ["architecture", "method", "reference", "quantity", "published", "ours", "lower"]
    return pd.DataFrame(rows, columns=[*columns, "upper", "holds"])


def published_table(accuracy: pd.DataFrame, costs: pd.DataFrame) -> pd.DataFrame:
    """Set each run that the study printed beside ours of the same network and method.

    Args:
        accuracy: a row per architecture and method.
        costs: a row per architecture and method, at the batch size of `study_batch`.

    Returns:
        A row per run: what the study printed with the prefix study_ (percent, seconds, MB of the
        process), and ours. Seconds to train are those of all epochs at the method's own batch size.
    """
    published = load_published()
    ours = accuracy.merge(costs, on=["architecture", "method"])
    rows = []
    for architecture in ours["architecture"].unique():
        of_network = ours[ours["architecture"] == architecture].set_index("method", drop=False)
        for run in runs_of(published, architecture):
            for method in of_network.index.intersection(list(run), sort=False):
                printed, own = run[method], of_network.loc[method]
                study = {
                    "study_epochs": run["epochs"],
                    "study_training_accuracy": printed["train_accuracy"],
                    "study_test_accuracy": printed["test_accuracy"],
                    "study_train_seconds": printed.get("train_seconds"),
                    "study_epoch_seconds": printed.get("epoch_seconds"),
                    "study_memory_mb": printed["memory_mb"],
                }
                rows.append({name: own.get(name) for name in _PUBLISHED_COLUMNS} | study)
    return pd.DataFrame(rows, columns=_PUBLISHED_COLUMNS)


def time_to_study_table(
    steps_taken: pd.DataFrame, own_costs: pd.DataFrame, train_images: int
) -> pd.DataFrame:
    """Set the seconds to the study's test accuracy beside the study's own.

    Our seconds are the steps that were taken times the seconds per step of the costs.

    Args:
        steps_taken: a row per run of `study`, with the steps, and whether the target was reached.
        own_costs: see `pipeline.report.tables.own_costs_table`.
        train_images: of which an epoch's steps see each once.

    Returns:
        A row per architecture and method: target (percent), study_seconds of its whole training,
        the median of ours over the seeds that got there with the smallest and the largest, steps
        (median), and how many seeds got there.
    """
    published = load_published()
    columns = ["architecture", "method", "target", "study_seconds", "seconds", "seconds_min"]
    columns += ["seconds_max", "steps", "seeds_reached", "seeds"]
    per_case = own_costs.set_index(["architecture", "method"])
    per_step = per_case["epoch_seconds"] / (train_images // per_case["batch_size"])
    rows = []
    for keys, group in steps_taken.groupby(["architecture", "method"], sort=False):
        architecture, method = map(str, keys)
        steps = group[group["reached"]]["steps"]
        seconds = steps * per_step[architecture, method]
        rows.append(
            {
                "architecture": architecture,
                "method": method,
                "target": group["target"].iloc[0],
                "study_seconds": published[architecture]["deterministic"]["train_seconds"],
                "seconds": seconds.median(),
                "seconds_min": seconds.min(),
                "seconds_max": seconds.max(),
                "steps": steps.median(),
                "seeds_reached": len(steps),
                "seeds": len(group),
            }
        )
    return pd.DataFrame(rows, columns=columns)


def study_batch(profiled_batch_sizes: Sequence[int]) -> int:
    """Return the batch size at which claims are compared."""
    return BATCH_SIZE if BATCH_SIZE in profiled_batch_sizes else max(profiled_batch_sizes)


def runs_of(published: dict[str, Any], architecture: str) -> list[dict[str, Any]]:
    """Return the study's runs of an architecture: the long one, then the short one if any."""
    names = (architecture, f"{architecture}-500-epochs")
    return [published[name] for name in names if name in published]


def _comparisons(published: dict[str, Any]) -> list[tuple[str, str, str, dict[str, Any]]]:
    """List (architecture, method, reference, section) as the study compares them."""
    found = []
    for architecture in ("mlp-128", "mlp-1024"):
        runs = runs_of(published, architecture)
        found.append((architecture, "deterministic", BASELINE, runs[0]))
        # The study trained the smaller stochastic network for half the epochs.
        found.append((architecture, "stochastic", "deterministic", runs[-1]))
    return found


def _saved(group: pd.DataFrame, method: str, reference: str, column: str) -> Estimate:
    ratio = paired_ratio(
        paired_values(group, method, column), paired_values(group, reference, column)
    )
    return Estimate(100 * (1 - ratio.value), 100 * (1 - ratio.upper), 100 * (1 - ratio.lower))


def _gained(runs: pd.DataFrame, method: str, reference: str) -> Estimate:
    by_seed = runs.pivot(index="seed", columns="method", values="test_accuracy")
    return paired_difference(
        by_seed[method].to_numpy(np.float64), by_seed[reference].to_numpy(np.float64)
    )


def _row(
    architecture: str,
    method: str,
    reference: str,
    quantity: str,
    theirs: float,
    ours: Estimate,
    least: float,
) -> dict[str, object]:
    return {
        "architecture": architecture,
        "method": method,
        "reference": reference,
        "quantity": quantity,
        "published": theirs,
        "ours": ours.value,
        "lower": ours.lower,
        "upper": ours.upper,
        "holds": judge_claim(theirs, ours, least),
    }
