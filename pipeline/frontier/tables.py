"""The frontiers' points as a table: what each network reaches, and what it costs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.artifacts.tables import read_table
from pipeline.frontier.choice import POINTS_ADVICE, mean_validation, read_costs, read_points
from pipeline.frontier.pareto import frontier
from pipeline.frontier.plan import Candidate, Plan
from pipeline.frontier.results import POINTS, Latencies, RuntimeFiles
from pipeline.report.charts.frontier import COSTS

# Float's file in int8 is that of the first of these runtimes, and in float32 of the second.
INT8, FLOAT32 = "ONNX Runtime int8", "torch"


def tabulate_points(plan: Plan) -> list[dict[str, Any]]:
    """Return rows of `artifacts.frontier.FrontierPoints`: the test set chooses nothing.

    Raises:
        PipelineError: a result is missing, damaged, or of another plan.
    """
    points = read_points(plan)
    validation = mean_validation(points)
    costs = read_costs(points)
    costs["model_kib"] = {each: rows["model_bytes"].max() / 1024 for each, rows in points.items()}
    costs["latency_us"] = _latencies(points)
    int8 = _int8_sizes()
    on: dict[Candidate, list[str]] = {each: [] for each in points}
    for name in plan.methods:
        own = [each for each in points if each.name == name]
        for cost in COSTS:
            for each in frontier(own, costs[cost], validation):
                on[each].append(cost)
    return [
        {
            **each.columns(),
            "seeds": len(rows),
            "validation_accuracy": validation[each],
            "test_accuracy": rows["test_accuracy"].mean(),
            "test_accuracy_std": rows["test_accuracy"].std(ddof=1),
            **{cost: costs[cost][each] for cost in COSTS},
            "int8_kib": int8.get((each.name, each.architecture)),
            "frontiers": " ".join(on[each]) or None,
        }
        for each, rows in points.items()
    ]


@dataclass(frozen=True)
class Fastest:
    """The fastest way to predict: its runtime, threads, and (rounds) seconds per call."""

    runtime: str
    threads: int
    seconds: NDArray[np.float64]


def fastest(rounds: pd.DataFrame) -> Fastest:
    """Return the runtime and number of threads with the smallest median over rounds.

    Args:
        rounds: of `results.Latencies`, of one network and number of images.
    """
    ways = {
        (str(runtime), int(str(threads))): rows.sort_values("round")["seconds"].to_numpy(np.float64)
        for (runtime, threads), rows in rounds.groupby(["runtime", "threads"])
    }
    best = min(ways, key=lambda way: float(np.median(ways[way])))
    return Fastest(*best, ways[best])


def _latencies(points: Mapping[Candidate, pd.DataFrame]) -> dict[Candidate, float]:
    """Return microseconds for one image by itself."""
    table = read_table(POINTS / "latency.csv", Latencies, POINTS_ADVICE)
    groups = dict(list(table[table["images"] == 1].groupby(["method", "architecture"])))
    return {
        each: 1e6 * float(np.median(fastest(groups[each.name, each.architecture]).seconds))
        for each in points
    }


def _int8_sizes() -> dict[tuple[str, str], float]:
    """Return KiB of files in int8, by method and architecture."""
    files = read_table(POINTS / "runtimes.csv", RuntimeFiles, POINTS_ADVICE)
    int8 = files[files["runtime"] == INT8]
    keys = int8[["method", "architecture"]].itertuples(index=False, name=None)
    return dict(zip(keys, int8["file_kib"], strict=True))
