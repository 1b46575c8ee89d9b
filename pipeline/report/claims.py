"""The study's printed figures beside ours, and whether their direction holds."""

from typing import Any

import numpy as np
import pandas as pd

from pipeline.config.names import BASELINE
from pipeline.config.published import load_published
from pipeline.report.statistics import Estimate, paired_difference, paired_ratio
from pipeline.report.tables import paired_values

# The study's batch size; where it was not profiled, the largest stands in.
BATCH_SIZE = 5000
# The least that is a saving or a loss, in percent: less, and the machine decides its sign.
LEAST_SAVED = 1.0
_PRINTED = ("training_accuracy", "test_accuracy", "train_seconds", "epoch_seconds")
_PUBLISHED_COLUMNS = [
    *("architecture", "method", "epochs", *_PRINTED, "memory_mb"),
    *("our_epochs", *(f"our_{name}" for name in _PRINTED), "our_process_memory_mib"),
]


def claims_table(runs: pd.DataFrame, measurements: pd.DataFrame) -> pd.DataFrame:
    """Set each claim of the study beside ours.

    Args:
        runs: a row a run, with test_accuracy.
        measurements: a row a round, architecture, batch size and method.

    Returns:
        A row a claim: architecture, method, reference, quantity, published and ours with
        lower and upper (percent saved for time and memory, points gained for accuracy), and
        holds: yes, no, or undecided where our interval holds 0, or less than LEAST_SAVED is saved
        or lost.
    """
    published = load_published()
    rows = []
    for architecture, method, reference, section in _comparisons(published):
        printed, base = section[method], section[reference]
        ours = measurements[
            (measurements["architecture"] == architecture)
            & (measurements["batch_size"] == study_batch(measurements))
        ]
        known = set(ours["method"])
        if method not in known or reference not in known:
            continue
        quantities = {
            # The study trained all its networks for as many epochs.
            "time an epoch": ("epoch_seconds", "epoch_seconds"),
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
        accuracy: a row an architecture and method.
        costs: a row an architecture, batch size and method.

    Returns:
        A row a run: architecture, method, epochs, what the study printed (percent, seconds, MB of
        the process), and the same of ours, with the prefix our_.
    """
    published, batch = load_published(), study_batch(costs)
    at_batch = costs[costs["batch_size"] == batch]
    ours = accuracy.merge(at_batch, on=["architecture", "method"])
    rows = []
    for architecture in ours["architecture"].unique():
        of_network = ours[ours["architecture"] == architecture].set_index("method")
        for run in runs_of(published, architecture):
            for method in of_network.index.intersection(list(run), sort=False):
                printed, own = run[method], of_network.loc[method]
                rows.append(
                    {
                        "architecture": architecture,
                        "method": method,
                        "epochs": run["epochs"],
                        "training_accuracy": printed["train_accuracy"],
                        "test_accuracy": printed["test_accuracy"],
                        "train_seconds": printed.get("train_seconds"),
                        "epoch_seconds": printed.get("epoch_seconds"),
                        "memory_mb": printed["memory_mb"],
                        "our_epochs": own["epochs"],
                        "our_training_accuracy": own["training_accuracy"],
                        "our_test_accuracy": own["test_accuracy"],
                        "our_train_seconds": own["train_seconds"],
                        "our_epoch_seconds": own["epoch_seconds"],
                        "our_process_memory_mib": own["process_memory_mib"],
                    }
                )
    return pd.DataFrame(rows, columns=_PUBLISHED_COLUMNS)


def time_to_study_table(times: pd.DataFrame) -> pd.DataFrame:
    """Set the seconds to the study's test accuracy beside the study's own.

    Args:
        times: a row a run of `study`.

    Returns:
        A row an architecture and method: target (percent), study_seconds of its whole training,
        the median of ours over the seeds that got there with the fewest and the most, steps
        (median), and how many seeds got there.
    """
    published = load_published()
    columns = ["architecture", "method", "target", "study_seconds", "seconds", "seconds_fewest"]
    columns += ["seconds_most", "steps", "seeds_reached", "seeds"]
    rows = []
    for keys, group in times.groupby(["architecture", "method"], sort=False):
        architecture, method = map(str, keys)
        reached = group.dropna(subset="seconds")
        rows.append(
            {
                "architecture": architecture,
                "method": method,
                "target": group["target"].iloc[0],
                "study_seconds": published[architecture]["deterministic"]["train_seconds"],
                "seconds": reached["seconds"].median(),
                "seconds_fewest": reached["seconds"].min(),
                "seconds_most": reached["seconds"].max(),
                "steps": reached["steps"].median(),
                "seeds_reached": len(reached),
                "seeds": len(group),
            }
        )
    return pd.DataFrame(rows, columns=columns)


def study_batch(measurements: pd.DataFrame) -> int:
    """Return the batch size at which claims are compared."""
    profiled = measurements["batch_size"]
    return BATCH_SIZE if (profiled == BATCH_SIZE).any() else int(profiled.max())


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
    same = (theirs > 0) == (ours.value > 0)
    undecided = ours.holds(0) or abs(ours.value) < least
    return {
        "architecture": architecture,
        "method": method,
        "reference": reference,
        "quantity": quantity,
        "published": theirs,
        "ours": ours.value,
        "lower": ours.lower,
        "upper": ours.upper,
        "holds": "undecided" if undecided else "yes" if same else "no",
    }
