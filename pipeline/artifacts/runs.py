"""runs/NAME/: the metrics and the history of a training run."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipeline.artifacts.tables import Table, read_table, write_table
from pipeline.common import checksum
from pipeline.common.errors import PipelineError
from pipeline.common.serialization import load_json
from pipeline.config.params import Params
from pipeline.config.paths import RUNS, model_path, run_name

_Count = Annotated[int, Field(ge=0)]


class _Section(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class _Part(_Section):
    loss: float
    accuracy: float
    per_class_accuracy: dict[str, float | None]
    confusion: list[list[_Count]]

    @model_validator(mode="after")
    def _square(self) -> Self:
        classes = len(self.per_class_accuracy)
        if [len(row) for row in self.confusion] != [classes] * classes or not classes:
            raise ValueError("confusion is not of as many classes as per_class_accuracy")
        return self


class _Model(_Section):
    bytes: _Count
    sha256: str


class _Metrics(_Section):
    architecture: str
    method: str
    seed: int
    parameters: _Count
    model: _Model
    training: _Part
    validation: _Part
    test: _Part


class History(Table):
    """A row per epoch, from 1: seconds of training alone; losses in nats, errors in percent."""

    epoch: int
    seconds: float
    cumulative_seconds: float
    training_loss: float
    validation_loss: float
    training_error: float
    validation_error: float


@dataclass(frozen=True)
class Run:
    """One training run: its metrics.json and its history, a row per epoch."""

    metrics: dict[str, Any]
    history: pd.DataFrame


def write_run(folder: Path, metrics: dict[str, Any], history: Sequence[dict[str, float]]) -> None:
    """Write a run's history.csv and metrics.json into `folder`.

    Raises:
        OSError: a file cannot be written.
    """
    write_table(folder / "history.csv", History, history)
    _Metrics.model_validate(metrics)
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")


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
    history = read_table(path, History, advice)
    if list(history["epoch"]) != list(range(1, epochs + 1)):
        raise PipelineError(f"{path} is not of {epochs} epochs, as params.yaml is: {advice}")
    return Run(metrics, history)


def metrics_path(run: str) -> Path:
    """Return where the metrics of the run called `run` are."""
    return RUNS / run / "metrics.json"


def read_metrics(run: str) -> dict[str, Any]:
    """Return what `train` wrote of the run called `run`.

    Raises:
        PipelineError: the file is missing or damaged.
    """
    path, advice = metrics_path(run), f"run `dvc repro` to train {run}"
    try:
        metrics = load_json(path)
    except FileNotFoundError as error:
        raise PipelineError(f"{path} is missing: {advice}") from error
    except (OSError, ValueError) as error:
        raise PipelineError(f"cannot read {path}: {error}; {advice} again") from error
    try:
        _Metrics.model_validate(metrics)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise PipelineError(
            f"{path} does not hold the metrics of a run ({where}: {first['msg']}): {advice}"
        ) from None
    return metrics
