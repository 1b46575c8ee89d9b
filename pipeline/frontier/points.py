"""The points of the frontiers: chosen by their trials, trained anew with other seeds, judged."""

import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipeline.artifacts.environment import write_environment
from pipeline.artifacts.tables import write_table
from pipeline.common.atomic import atomic_directory
from pipeline.common.console import echo, progress
from pipeline.common.machine import describe_machine
from pipeline.config.params import Params
from pipeline.data import dataset
from pipeline.frontier.choice import choose_points
from pipeline.frontier.latency import measure_latencies
from pipeline.frontier.plan import Candidate, load_plan
from pipeline.frontier.results import POINTS, Judged, Latencies, RuntimeFiles
from pipeline.frontier.training import Job, train_all
from pipeline.frontier.trials import TrialRows


def measure_points(params: Params, workers: int | None) -> None:
    """Train and judge the points; write frontier/results/points/.

    points.csv has a row per network and seed (`results.Judged`), latency.csv and runtimes.csv say
    how fast a network of each method's layers predicts.

    Args:
        params: of which `data` counts.
        workers: how many trainings run at once, a thread each; as many as there are processors if
            None.

    Raises:
        PipelineError: trials or costs are missing or damaged, missing data, or a process that
            ended.
    """
    plan = load_plan()
    dataset.check_present()
    started = time.monotonic()
    chosen = choose_points(plan, TrialRows(plan).grid_results())
    threads = plan.file.measure.threads
    with tempfile.TemporaryDirectory() as temporary:
        models = _models(chosen, Path(temporary))
        rows = train_and_judge(params, chosen, plan.file.points.seeds, models, workers)
        by_layers: dict[str, dict[Candidate, Path]] = {}
        for each, path in models.items():
            by_layers.setdefault(each.architecture, {})[each] = path
        rounds: list[dict[str, Any]] = []
        files: list[dict[str, Any]] = []
        with progress("latency", len(by_layers) * len(threads)) as advance:
            for architecture, group in by_layers.items():
                for number in threads:
                    measured = measure_latencies(params, plan, group, number)
                    rounds += measured.rounds
                    files += measured.files
                    advance(f"{architecture}, threads {number}")
    with atomic_directory(POINTS) as folder:
        write_table(folder / "points.csv", Judged, rows)
        write_table(folder / "latency.csv", Latencies, rounds)
        write_table(folder / "runtimes.csv", RuntimeFiles, files)
        write_environment(folder, describe_machine(threads[0], started))
    echo(f"{POINTS}/ written")


def train_and_judge(
    params: Params,
    candidates: Iterable[Candidate],
    seeds: list[int],
    models: Mapping[Candidate, Path],
    workers: int | None,
) -> list[dict[str, Any]]:
    """Train every candidate with every seed and evaluate it on validation and test images.

    Args:
        params: of which `data` counts.
        candidates: each once, those of a method one after another.
        seeds: of each.
        models: where the network of the first seed is kept, if it is.
        workers: how many trainings run at once; as many as there are processors if None.

    Returns:
        Rows of `results.Judged`, by candidate and seed.

    Raises:
        PipelineError: missing data, or a process that ended.
    """
    jobs = [
        Job(each, seed, judged=True, model=models.get(each) if seed == seeds[0] else None)
        for each in candidates
        for seed in seeds
    ]
    rows: dict[Job, dict[str, Any]] = {}
    with progress("judged networks", len(jobs)) as advance:
        for job, outcome in train_all(params, jobs, workers):
            rows[job] = {
                **job.candidate.columns(),
                "seed": job.seed,
                "validation_accuracy": outcome.validation,
                "test_accuracy": outcome.test,
                "model_bytes": outcome.model_bytes,
            }
            advance(f"{job.candidate}, seed {job.seed}: validation {outcome.validation:.2f} %")
    return [rows[job] for job in jobs]


def _models(chosen: Iterable[Candidate], folder: Path) -> dict[Candidate, Path]:
    """Return where a network of each method's layers is kept."""
    first: dict[tuple[str, str], Candidate] = {}
    for each in chosen:
        first.setdefault((each.name, each.architecture), each)
    return {
        each: folder / f"{each.architecture}-{each.name}.safetensors" for each in first.values()
    }
