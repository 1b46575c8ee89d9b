"""All training runs, as the report reads them."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipeline.artifacts.run_files import read_metrics
from pipeline.artifacts.tables import Table, read_table
from pipeline.common import checksum
from pipeline.common.errors import PipelineError
from pipeline.config.params import Params
from pipeline.config.paths import RUNS, model_path, run_name


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


def read_runs(params: Params) -> list[Run]:
    """Read the run of every architecture, method and seed in `params`.

    Raises:
        PipelineError: one is missing, damaged, or its model is of another run.
    """
    return [
        _read_run(run_name(architecture, name, seed), params.recipe(architecture, name).epochs)
        for architecture in params.architectures
        for name in params.methods
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
