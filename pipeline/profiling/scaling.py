"""Time and memory of training against width, batch size, depth and threads."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pandas as pd

from pipeline.common.atomic import atomic_directory
from pipeline.common.console import echo, progress
from pipeline.common.machine import describe_environment
from pipeline.common.units import MIB
from pipeline.config.params import Params
from pipeline.config.paths import SCALING
from pipeline.data import dataset
from pipeline.profiling.quiet import let_threads_sleep
from pipeline.profiling.worker import Worker


@dataclass(frozen=True)
class Point:
    """A network and how it is trained."""

    architecture: str
    batch_size: int
    threads: int


def scaling(params: Params) -> None:
    """Measure the grid that `profile.grid` names; write profiles/scaling/.

    A point has a process a method, and rounds alternate between them: what differs between rounds
    is the machine's doing, what differs between processes is not seen. rounds.csv has a row an
    axis, point, method and round; environment.json the machine.

    Raises:
        PipelineError: missing data, or a process that ended.
    """
    dataset.check_present()
    started = time.monotonic()
    points: dict[Point, list[dict[str, object]]] = {}
    axes = list(_axes(params))
    distinct = list(dict.fromkeys(point for _, _, point in axes))
    with progress("scaling", len(distinct)) as advance:
        for point in distinct:
            points[point] = _measure(params, point)
            advance(f"{point.architecture}, batch {point.batch_size}, threads {point.threads}")
    rows = [
        {"axis": axis, "value": value, **row}
        for axis, value, point in axes
        for row in points[point]
    ]
    with atomic_directory(SCALING) as temporary:
        pd.DataFrame(rows).to_csv(temporary / "rounds.csv", index=False, lineterminator="\n")
        (temporary / "environment.json").write_text(
            describe_environment(params.train.threads, started)
        )
    echo(f"{SCALING}/ written")


def _axes(params: Params) -> Iterator[tuple[str, int, Point]]:
    """Yield every axis, its values, and the point of each."""
    grid, width = params.profile.chosen_grid, params.profile.scaling.width
    batch, threads = params.train.batch_size, params.train.threads
    for value in grid.widths:
        yield "width", value, Point(f"mlp-{value}", batch, threads)
    for value in grid.batch_sizes:
        yield "batch", value, Point(f"mlp-{width}", value, threads)
    for value in grid.depths:
        yield "depth", value, Point("mlp" + f"-{width}" * value, batch, threads)
    for value in grid.threads:
        yield "threads", value, Point(f"mlp-{width}", batch, value)


def _measure(params: Params, point: Point) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    with ExitStack() as stack:
        workers = {
            method: stack.enter_context(
                Worker(point.architecture, method, point.batch_size, point.threads)
            )
            for method in params.profile.scaling.methods
        }
        for worker in workers.values():
            worker.wait_until_ready()
        for number in range(1, params.profile.rounds + 1):
            for method, worker in workers.items():
                let_threads_sleep()
                answer = worker.run(params.profile.scaling.seconds)
                rows.append(
                    {
                        "architecture": point.architecture,
                        "batch_size": point.batch_size,
                        "threads": point.threads,
                        "method": method,
                        "round": number,
                        "epoch_seconds": answer.epoch_seconds,
                        "training_memory_mib": answer.training_memory / MIB,
                        "process_memory_mib": answer.process_memory / MIB,
                    }
                )
    return rows
