"""Read what the stages left, checked to be whole and to belong together."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.artifacts.csv_files import Columns, read_csv
from pipeline.artifacts.runs import read_metrics
from pipeline.common import checksum
from pipeline.common.errors import PipelineError
from pipeline.common.serialization import load_json
from pipeline.config.names import PACKED
from pipeline.config.params import Params
from pipeline.config.paths import (
    BENCHMARK,
    INFERENCE,
    PROFILES,
    RUNS,
    SCALING,
    STUDY,
    model_path,
    run_name,
)
from pipeline.config.published import load_published

_CASE = ("architecture", "method")
# What a measurement is of, but for the method.
_POINT = ["architecture", "batch_size", "threads"]
# What the stages write, by table; `profile` names its tables as its files.
_PROFILE = {
    "measurements": Columns(
        texts=_CASE,
        numbers=(
            *("batch_size", "round"),
            *("epoch_seconds", "process_memory_mib", "training_memory_mib"),
        ),
    ),
    "phases": Columns(texts=(*_CASE, "phase"), numbers=("batch_size", "round", "seconds")),
    "ledger": Columns(texts=(*_CASE, "kind"), numbers=("batch_size", "bytes")),
    "memory_curve": Columns(texts=_CASE, numbers=("batch_size", "process_memory_mib", "seconds")),
}
_SCALING = Columns(
    texts=(*_CASE, "axis"),
    numbers=(
        *("value", "batch_size", "threads", "round"),
        *("epoch_seconds", "process_memory_mib", "training_memory_mib"),
    ),
)
_INFERENCE_ROUNDS = Columns(
    texts=("architecture", "runtime"), numbers=("threads", "batch_size", "round", "seconds")
)
_RUNTIMES = Columns(
    texts=("architecture", "runtime"),
    numbers=("threads",),
    gaps=("test_accuracy", "file_kib", "process_memory_mib"),
    others=("skipped",),
)
_STUDY = Columns(texts=_CASE, numbers=("seed", "target", "steps", "test_accuracy"))
_KERNELS = Columns(texts=("kernel",), numbers=("m", "n", "k", "round", "seconds"))
_HISTORY = Columns(
    numbers=(
        *("epoch", "seconds", "cumulative_seconds"),
        *("training_loss", "validation_loss", "training_error", "validation_error"),
    )
)
# What the summary says of a machine.
_ENVIRONMENT = (
    *("date", "processor", "cores", "threads", "memory_gib", "system", "python", "torch"),
    *("torch_build", "torch_instruction_set", "kernels_instruction_set", "numpy"),
)


@dataclass(frozen=True)
class Run:
    """One training run: its metrics.json and its history, a row per epoch."""

    metrics: dict[str, Any]
    history: pd.DataFrame


@dataclass(frozen=True)
class Profile:
    """What training costs, as measured, and by architecture the machine.

    Attributes:
        measurements: a row per sample, of all points: the architectures' own and the grid's.
        axes: the points that lie on each axis of the grid.
        phases: seconds by phase, at the architectures' own points.
        ledger: bytes by kind, at the same points.
        memory_curve: samples of process memory over time, at the same points.
        environments: the machine, by architecture.
    """

    measurements: pd.DataFrame
    axes: pd.DataFrame
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
        _read_run(run_name(architecture, name, seed), method.epochs)
        for architecture in params.architectures
        for name, method in params.methods.items()
        for seed in params.seeds
    ]


def read_profile(params: Params) -> Profile:
    """Read the profile of every architecture in `params`, and that of the scaling grid.

    Raises:
        PipelineError: one is missing, damaged, or made with other params.
    """
    tables: dict[str, list[pd.DataFrame]] = {}
    environments = {}
    for architecture in params.architectures:
        folder = PROFILES / architecture
        advice = f"run `dvc repro` or `python -m pipeline profile --architecture {architecture}`"
        for name, columns in _PROFILE.items():
            table = read_csv(folder / f"{name}.csv", columns, advice)
            _check_cases(name, table, params, folder, advice)
            tables.setdefault(name, []).append(table.assign(threads=params.train.threads))
        environments[architecture] = _read_environment(folder, advice)
    whole = {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()}
    grid = read_scaling(params)
    measurements = whole.pop("measurements")
    # A point that both measured counts once.
    own = pd.MultiIndex.from_frame(measurements[_POINT])
    others = grid[~pd.MultiIndex.from_frame(grid[_POINT]).isin(own)]
    others = others.drop(columns=["axis", "value"]).drop_duplicates()
    return Profile(
        measurements=pd.concat([measurements, others], ignore_index=True),
        axes=grid[["axis", "value", *_POINT]].drop_duplicates(ignore_index=True),
        environments=environments,
        **whole,
    )


def read_scaling(params: Params) -> pd.DataFrame:
    """Read the samples of the scaling grid, each once per axis that its point lies on.

    Raises:
        PipelineError: they are missing, damaged, or of another grid.
    """
    advice = "run `dvc repro` or `python -m pipeline scaling`"
    rounds = read_csv(SCALING / "rounds.csv", _SCALING, advice)
    grid = params.profile.chosen_grid
    points = {
        *(("width", value) for value in grid.widths),
        *(("batch", value) for value in grid.batch_sizes),
        *(("depth", value) for value in grid.depths),
        *(("threads", value) for value in grid.threads),
    }
    expected = {
        (*point, method, number)
        for point in points
        for method in params.profile.scaling.methods
        for number in range(1, params.profile.rounds + 1)
    }
    if not _has_each_once(rounds, ["axis", "value", "method", "round"], expected):
        raise PipelineError(f"{SCALING} was measured with another grid or other params: {advice}")
    return rounds


def read_inference(params: Params) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the rounds of `inference`, and its runtimes, of every architecture in `params`.

    Raises:
        PipelineError: they are missing, damaged, or made with other params.
    """
    rounds, runtimes = [], []
    expected = {
        (threads, batch, number)
        for threads in params.inference.threads
        for batch in params.inference.batch_sizes
        for number in range(1, params.inference.rounds + 1)
    }
    for architecture in params.architectures:
        folder = INFERENCE / architecture
        advice = f"run `dvc repro` or `python -m pipeline inference --architecture {architecture}`"
        rounds.append(read_csv(folder / "rounds.csv", _INFERENCE_ROUNDS, advice))
        runtimes.append(read_csv(folder / "runtimes.csv", _RUNTIMES, advice))
        ran = dict(list(rounds[-1].groupby("runtime")))
        told = set(runtimes[-1][["threads", "runtime"]].itertuples(index=False, name=None))
        if not (
            PACKED in ran
            and all(
                _has_each_once(each, ["threads", "batch_size", "round"], expected)
                for each in ran.values()
            )
            and told >= {(threads, name) for threads in params.inference.threads for name in ran}
        ):
            raise PipelineError(f"{folder} was measured with other params: {advice}")
    return pd.concat(rounds, ignore_index=True), pd.concat(runtimes, ignore_index=True)


def read_study(params: Params) -> pd.DataFrame:
    """Read the times to the study's accuracies.

    Raises:
        PipelineError: they are missing, damaged, or of other networks.
    """
    advice = "run `dvc repro` or `python -m pipeline study`"
    times = read_csv(STUDY / "times.csv", _STUDY, advice)
    published = load_published()
    expected = {
        (architecture, method, seed)
        for architecture in params.architectures
        if architecture in published
        for method in params.methods
        for seed in params.seeds
    }
    if not _has_each_once(times, ["architecture", "method", "seed"], expected):
        raise PipelineError(f"{STUDY} was measured with other params: {advice}")
    return times


def read_benchmark(params: Params) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read the seconds of `benchmark`, and what they were measured on.

    Raises:
        PipelineError: they are missing, damaged, or of other rounds.
    """
    advice = "run `dvc repro` or `python -m pipeline benchmark`"
    seconds = read_csv(BENCHMARK / "kernels.csv", _KERNELS, advice)
    environment = _read_environment(BENCHMARK, advice)
    expected = {(number,) for number in range(1, params.benchmark.rounds + 1)}
    cases = seconds.groupby(["m", "n", "k", "kernel"])
    if seconds.empty or not all(_has_each_once(each, ["round"], expected) for _, each in cases):
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


def _check_cases(name: str, table: pd.DataFrame, params: Params, folder: Path, advice: str) -> None:
    """Raise PipelineError unless a table of `profile` has every case that `params` asks for."""
    cases = [(batch, method) for batch in params.profiled_batch_sizes for method in params.methods]
    if name == "measurements":
        rounds = range(1, params.profile.rounds + 1)
        expected = {(*case, number) for case in cases for number in rounds}
        same = _has_each_once(table, ["batch_size", "method", "round"], expected)
    else:
        found = table[["batch_size", "method"]].itertuples(index=False, name=None)
        same = set(found) == set(cases)
    if not same:
        raise PipelineError(f"{folder} was measured with other params: {advice}")


def _has_each_once(
    table: pd.DataFrame, columns: list[str], expected: AbstractSet[tuple[object, ...]]
) -> bool:
    found = set(table[columns].itertuples(index=False, name=None))
    return found == expected and len(table) == len(expected)


def _read_run(name: str, epochs: int) -> Run:
    advice = f"run `dvc repro` to train {name}"
    metrics = read_metrics(name)
    expected = metrics["model"]["sha256"]
    model = model_path(name)
    try:
        actual = checksum.sha256_file(model)
    except FileNotFoundError as error:
        raise PipelineError(f"{model} is missing: {advice}") from error
    if actual != expected:
        raise PipelineError(
            f"{model} and {RUNS / name} are of different runs: {advice} again\n"
            f"  sha256 of the model: {actual}\n  in metrics.json:     {expected}"
        )
    path = RUNS / name / "history.csv"
    history = read_csv(path, _HISTORY, advice)
    if list(history["epoch"]) != list(range(1, epochs + 1)):
        raise PipelineError(f"{path} is not of {epochs} epochs, as params.yaml is: {advice}")
    return Run(metrics, history)


def _read_environment(folder: Path, advice: str) -> dict[str, Any]:
    path = folder / "environment.json"
    environment = _read_json(path, advice)
    if lacking := [key for key in _ENVIRONMENT if key not in environment]:
        raise PipelineError(f"{path} lacks {', '.join(lacking)}: {advice} again")
    return environment


def _read_json(path: Path, advice: str) -> dict[str, Any]:
    try:
        return load_json(path)
    except FileNotFoundError as error:
        raise PipelineError(f"{path} is missing: {advice}") from error
    except (OSError, ValueError) as error:
        raise PipelineError(f"cannot read {path}: {error}; {advice} again") from error
