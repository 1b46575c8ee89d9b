"""The figures that the project aimed at (targets.yaml), beside ours."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.common.serialization import load_yaml
from pipeline.config.names import BASELINE
from pipeline.report.statistics import Estimate, paired_difference
from pipeline.report.verdicts import judge_aim

SOURCE = Path(__file__).with_name("targets.yaml")
METHOD = "deterministic"
_WHAT = {
    "epoch_seconds": "time per epoch, × float",
    "training_memory_mib": "training memory, × float",
    "process_memory_mib": "process memory, × float",
}


@dataclass(frozen=True)
class Target:
    """One figure that the project aimed at.

    Attributes:
        what: the quantity, which was to be at least or at most `aim`.
        case: a shape, or a network and how it ran.
        at_least: whether more is better.
        aim: the figure itself.
        ours: what came out; None where nothing was measured.
        source: the table that ours is from.
    """

    what: str
    case: str
    at_least: bool
    aim: float
    ours: Estimate | None
    source: str

    @property
    def verdict(self) -> str:
        """Met, missed, undecided or not measured."""
        return judge_aim(self.ours, self.aim, at_least=self.at_least)


def targets_table(
    tables: Mapping[str, pd.DataFrame], fastest_others: pd.DataFrame, instruction_set: str
) -> pd.DataFrame:
    """Return a row per target: what, case, sense, aim, ours with lower and upper, verdict, source.

    Args:
        tables: kernels, costs (at training's threads), runs, accuracy, by name.
        fastest_others: the rows of inference.csv with the fastest other runtime of each case.
        instruction_set: the one that the kernels used.
    """
    aims: dict[str, Any] = load_yaml(SOURCE)
    targets = [
        *_kernels(aims, tables["kernels"]),
        *_costs(aims, tables["costs"]),
        *_accuracy(aims, tables["runs"]),
        *_inference(aims, fastest_others),
        *_files(aims, tables["accuracy"]),
    ]
    rows = []
    for target in targets:
        row = asdict(target)
        ours = row.pop("ours") or {"value": None, "lower": None, "upper": None}
        row["sense"] = "at least" if row.pop("at_least") else "at most"
        row |= {"ours": ours["value"], "lower": ours["lower"], "upper": ours["upper"]}
        rows.append({**row, "verdict": target.verdict, "instruction_set": instruction_set})
    columns = ["what", "case", "sense", "aim", "ours", "lower", "upper", "verdict"]
    return pd.DataFrame(rows)[[*columns, "source", "instruction_set"]]


def _kernels(aims: dict[str, Any], kernels: pd.DataFrame) -> Iterator[Target]:
    against_numkong = []
    for line in aims["kernels"]:
        m, n, k = line["shape"]
        shape = f"{m} × {n} × {k}"
        here = kernels[(kernels["m"] == m) & (kernels["n"] == n) & (kernels["k"] == k)]
        for kernel, aim in line.items():
            if kernel != "shape":
                ours = _estimate(here[here["kernel"] == kernel], "ratio", "lower", "upper")
                yield Target(f"{kernel}, × torch float32", shape, True, aim, ours, "kernels")
        of_bits = here[here["kernel"] == "bits by bits"]
        ours = _estimate(of_bits, "numkong_ratio", "numkong_lower", "numkong_upper")
        against_numkong.append((shape, ours))
    for shape, ours in against_numkong:
        what = "bits by bits, × numkong"
        yield Target(what, shape, True, aims["numkong"], ours, "kernels")


def _costs(aims: dict[str, Any], costs: pd.DataFrame) -> Iterator[Target]:
    for line in aims["costs"]:
        architecture, batch = line["architecture"], line["batch_size"]
        here = costs[
            (costs["architecture"] == architecture)
            & (costs["batch_size"] == batch)
            & (costs["method"] == METHOD)
        ]
        for cost, what in _WHAT.items():
            if cost in line:
                ours = _estimate(here, *(f"{cost}_ratio{end}" for end in ("", "_lower", "_upper")))
                case = f"{architecture}, batch {batch}"
                yield Target(f"{METHOD}, {what}", case, False, line[cost], ours, "costs")


def _accuracy(aims: dict[str, Any], runs: pd.DataFrame) -> Iterator[Target]:
    by_architecture = {
        str(architecture): group.pivot(index="seed", columns="method", values="test_accuracy")
        for architecture, group in runs.groupby("architecture", sort=False)
    }
    for line in aims["accuracy"]:
        method, other = line["method"], line["below"]
        what = f"{method}, points of test accuracy below {other}"
        only = line.get("architecture")
        for architecture in by_architecture if only is None else (only,):
            by_seed = by_architecture.get(architecture, pd.DataFrame())
            ours = None
            if {method, other} <= set(by_seed):
                ours = paired_difference(
                    by_seed[other].to_numpy(np.float64), by_seed[method].to_numpy(np.float64)
                )
            yield Target(what, architecture, False, line["points"], ours, "runs")


def _inference(aims: dict[str, Any], fastest_others: pd.DataFrame) -> Iterator[Target]:
    ends = ("times_faster", "times_faster_lower", "times_faster_upper")
    what = "packed network, × the fastest other"
    for architecture, aim in aims["inference"].items():
        here = fastest_others[fastest_others["architecture"] == architecture]
        if here.empty:
            yield Target(what, architecture, True, aim, None, "inference")
        for _, row in here.iterrows():
            plural = "" if row["threads"] == 1 else "s"
            case = f"{architecture}, {row['threads']} thread{plural}, batch {row['batch_size']:,}"
            ours = Estimate(*(float(row[end]) for end in ends))
            yield Target(what, case, True, aim, ours, "inference")


def _files(aims: dict[str, Any], accuracy: pd.DataFrame) -> Iterator[Target]:
    for architecture, group in accuracy.groupby("architecture", sort=False):
        size = group.set_index("method")["model_kib"]
        ours = None
        if METHOD in size:
            share = float(size[METHOD] / size[BASELINE])
            # A size is counted, not measured, so it has no interval.
            ours = Estimate(share, share, share)
        what = f"{METHOD}, model file, × float"
        yield Target(what, str(architecture), False, aims["file_share"], ours, "accuracy")


def _estimate(rows: pd.DataFrame, *columns: str) -> Estimate | None:
    """Return the value with its interval of the one row, if it was measured."""
    if rows.empty or not set(columns) <= set(rows) or rows[columns[0]].isna().all():
        return None
    return Estimate(*(float(rows[column].iloc[0]) for column in columns))
