"""Read what `train` and `profile` left, checked to be whole and to belong together."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline import checksum
from pipeline.errors import PipelineError
from pipeline.params import Params
from pipeline.paths import (
    BENCHMARK,
    INFERENCE,
    PACKED,
    PROFILES,
    RUNS,
    SCALING,
    STUDY,
    model_path,
    run_name,
)
from pipeline.plain import read_json


@dataclass(frozen=True)
class Run:
    """One training run: its metrics.json and its history, a row an epoch."""

    metrics: dict[str, Any]
    history: pd.DataFrame


@dataclass(frozen=True)
class Profile:
    """The measurements of all architectures, and by architecture what they were made on."""

    measurements: pd.DataFrame
    phases: pd.DataFrame
    ledger: pd.DataFrame
    memory_curve: pd.DataFrame
    environments: dict[str, dict[str, Any]]


def read_runs(params: Params) -> list[Run]:
    """Read the run of every architecture, method and seed in `params`.

    Raises:
        PipelineError: one is missing, damaged, or its model is of another run.
    """
    return [
        _read_run(run_name(architecture, method, seed))
        for architecture in params.architectures
        for method in params.methods
        for seed in params.seeds
    ]


def read_profile(params: Params) -> Profile:
    """Read the profile of every architecture in `params`.

    Raises:
        PipelineError: one is missing, damaged, or made with other params.
    """
    tables: dict[str, list[pd.DataFrame]] = {}
    environments = {}
    for architecture in params.architectures:
        folder = PROFILES / architecture
        advice = f"run `dvc repro` or `python -m pipeline profile --architecture {architecture}`"
        for name in ("measurements", "phases", "ledger", "memory_curve"):
            tables.setdefault(name, []).append(_read_csv(folder / f"{name}.csv", advice))
        environments[architecture] = _read_json(folder / "environment.json", advice)
        _check_complete(tables["measurements"][-1], params, folder, advice)
    return Profile(
        **{name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()},
        environments=environments,
    )


def read_scaling(params: Params) -> pd.DataFrame:
    """Read the rounds of `scaling`.

    Raises:
        PipelineError: they are missing, damaged, or of another grid.
    """
    advice = "run `dvc repro` or `python -m pipeline scaling`"
    rounds = _read_csv(SCALING / "rounds.csv", advice)
    grid = params.profile.chosen_grid
    expected = {
        *(("width", value) for value in grid.widths),
        *(("batch", value) for value in grid.batch_sizes),
        *(("depth", value) for value in grid.depths),
        *(("threads", value) for value in grid.threads),
    }
    columns = ["axis", "value"]
    if not set(columns) <= set(rounds.columns) or expected != set(
        rounds[columns].itertuples(index=False, name=None)
    ):
        raise PipelineError(f"{SCALING} was measured with another grid: {advice}")
    return rounds


def read_inference(params: Params) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the rounds of `inference`, and its runtimes, of every architecture in `params`.

    Raises:
        PipelineError: they are missing, damaged, or made with other params.
    """
    rounds, runtimes = [], []
    columns = ["threads", "batch_size", "round"]
    expected = {
        (threads, batch, number)
        for threads in params.inference.threads
        for batch in params.inference.batch_sizes
        for number in range(1, params.inference.rounds + 1)
    }
    for architecture in params.architectures:
        folder = INFERENCE / architecture
        advice = f"run `dvc repro` or `python -m pipeline inference --architecture {architecture}`"
        rounds.append(_read_csv(folder / "rounds.csv", advice))
        runtimes.append(_read_csv(folder / "runtimes.csv", advice))
        packed = rounds[-1][rounds[-1]["runtime"] == PACKED]
        if expected != set(packed[columns].itertuples(index=False, name=None)):
            raise PipelineError(f"{folder} was measured with other params: {advice}")
    return pd.concat(rounds, ignore_index=True), pd.concat(runtimes, ignore_index=True)


def read_study(params: Params) -> pd.DataFrame:
    """Read the times to the study's accuracies.

    Raises:
        PipelineError: they are missing, damaged, or of other networks.
    """
    advice = "run `dvc repro` or `python -m pipeline study`"
    times = _read_csv(STUDY / "times.csv", advice)
    expected = {(name, seed) for name in params.methods for seed in params.seeds}
    for _, group in times.groupby("architecture"):
        if expected != set(group[["method", "seed"]].itertuples(index=False, name=None)):
            raise PipelineError(f"{STUDY} was measured with other params: {advice}")
    return times


def read_benchmark(params: Params) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read the seconds of `benchmark`, and what they were measured on.

    Raises:
        PipelineError: they are missing, damaged, or of other rounds.
    """
    advice = "run `dvc repro` or `python -m pipeline benchmark`"
    seconds = _read_csv(BENCHMARK / "kernels.csv", advice)
    environment = _read_json(BENCHMARK / "environment.json", advice)
    if "round" not in seconds or seconds["round"].max() != params.benchmark.rounds:
        raise PipelineError(f"{BENCHMARK} was measured with other params: {advice}")
    return seconds, environment


def read_durations(params: Params) -> dict[str, float]:
    """Read how many seconds every measuring stage took, by name.

    Raises:
        PipelineError: a stage's folder is missing or damaged.
    """
    folders = {
        "profile": [PROFILES / architecture for architecture in params.architectures],
        "scaling": [SCALING],
        "inference": [INFERENCE / architecture for architecture in params.architectures],
        "benchmark": [BENCHMARK],
        "study": [STUDY],
    }
    durations = {}
    for stage, paths in folders.items():
        advice = f"run `dvc repro` or `python -m pipeline {stage}`"
        machines = [_read_json(path / "environment.json", advice) for path in paths]
        try:
            durations[stage] = float(sum(machine["seconds"] for machine in machines))
        except (KeyError, TypeError) as error:
            raise PipelineError(
                f"environment.json of `{stage}` does not say how long it took: {advice} again"
            ) from error
    return durations


def _check_complete(measurements: pd.DataFrame, params: Params, folder: Path, advice: str) -> None:
    expected = {
        (batch, method, number)
        for batch in params.profiled_batch_sizes
        for method in params.methods
        for number in range(1, params.profile.rounds + 1)
    }
    columns = ["batch_size", "method", "round"]
    if not set(columns) <= set(measurements.columns) or expected != set(
        measurements[columns].itertuples(index=False, name=None)
    ):
        raise PipelineError(f"{folder} was measured with other params: {advice}")


def _read_run(name: str) -> Run:
    advice = f"run `dvc repro` to train {name}"
    path = RUNS / name / "metrics.json"
    metrics = _read_json(path, advice)
    try:
        expected = metrics["model"]["sha256"]
    except (KeyError, TypeError) as error:
        raise PipelineError(f"{path} does not hold the metrics of a run: {advice}") from error
    model = model_path(name)
    try:
        actual = checksum.of_file(model)
    except FileNotFoundError as error:
        raise PipelineError(f"{model} is missing: {advice}") from error
    if actual != expected:
        raise PipelineError(
            f"{model} and {RUNS / name} are of different runs: {advice} again\n"
            f"  sha256 of the model: {actual}\n  in metrics.json:     {expected}"
        )
    return Run(metrics, _read_csv(RUNS / name / "history.csv", advice))


def _read_json(path: Path, advice: str) -> dict[str, Any]:
    try:
        return read_json(path)
    except FileNotFoundError as error:
        raise PipelineError(f"{path} is missing: {advice}") from error
    except (OSError, ValueError) as error:
        raise PipelineError(f"cannot read {path}: {error}; {advice} again") from error


def _read_csv(path: Path, advice: str) -> pd.DataFrame:
    try:
        return pd.read_csv(path)
    except FileNotFoundError as error:
        raise PipelineError(f"{path} is missing: {advice}") from error
    except (OSError, ValueError) as error:
        raise PipelineError(f"cannot read {path}: {error}; {advice} again") from error
