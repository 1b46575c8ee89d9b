"""Read what `train` and `profile` left, checked to be whole and to belong together."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.errors import PipelineError
from pipeline.params import Params
from pipeline.profile import PROFILES
from pipeline.train import MODELS, RUNS, run_name


@dataclass(frozen=True)
class Run:
    """One training run: its metrics.json and its history, a row an epoch."""

    metrics: dict[str, Any]
    history: pd.DataFrame


@dataclass(frozen=True)
class Profile:
    """The measurements of all architectures, and the machine that they were made on."""

    measurements: pd.DataFrame
    ledger: pd.DataFrame
    memory_curve: pd.DataFrame
    environment: dict[str, Any]


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
        PipelineError: one is missing or damaged.
    """
    tables: dict[str, list[pd.DataFrame]] = {}
    environment: dict[str, Any] = {}
    for architecture in params.architectures:
        folder = PROFILES / architecture
        advice = f"run `dvc repro` or `python -m pipeline profile --architecture {architecture}`"
        for name in ("measurements", "ledger", "memory_curve"):
            tables.setdefault(name, []).append(_read_csv(folder / f"{name}.csv", advice))
        environment = _read_json(folder / "environment.json", advice)
    return Profile(
        **{name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()},
        environment=environment,
    )


def _read_run(name: str) -> Run:
    advice = f"run `dvc repro` to train {name}"
    metrics = _read_json(RUNS / name / "metrics.json", advice)
    model = MODELS / f"{name}.safetensors"
    if not model.exists():
        raise PipelineError(f"{model} is missing: {advice}")
    with model.open("rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    if actual != metrics["model"]["sha256"]:
        raise PipelineError(
            f"{model} and {RUNS / name} are of different runs: {advice} again\n"
            f"  sha256 of the model: {actual}\n  in metrics.json:     {metrics['model']['sha256']}"
        )
    return Run(metrics, _read_csv(RUNS / name / "history.csv", advice))


def _read_json(path: Path, advice: str) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise PipelineError(f"{path} is missing: {advice}") from error
    except (OSError, ValueError) as error:
        raise PipelineError(f"cannot read {path}: {error}; {advice} again") from error
    return content


def _read_csv(path: Path, advice: str) -> pd.DataFrame:
    try:
        return pd.read_csv(path)
    except FileNotFoundError as error:
        raise PipelineError(f"{path} is missing: {advice}") from error
    except (OSError, ValueError) as error:
        raise PipelineError(f"cannot read {path}: {error}; {advice} again") from error
