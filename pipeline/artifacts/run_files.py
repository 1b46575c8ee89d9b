"""runs/NAME/: the metrics and the history of a training run, written without pandas.

pandas would stay in the memory of every process that trains.
"""

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipeline.common.errors import PipelineError
from pipeline.common.serialization import load_json
from pipeline.config.paths import RUNS

# The columns of history.csv: see `pipeline.artifacts.runs.History`.
HISTORY_COLUMNS = (
    "epoch",
    "seconds",
    "cumulative_seconds",
    "training_loss",
    "validation_loss",
    "training_error",
    "validation_error",
)
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


def write_run(folder: Path, metrics: dict[str, Any], history: Sequence[dict[str, float]]) -> None:
    """Write a run's history.csv and metrics.json into `folder`.

    Raises:
        OSError: a file cannot be written.
    """
    with (folder / "history.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=HISTORY_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)
    _Metrics.model_validate(metrics)
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")


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


def chance_level(part: Mapping[str, Any]) -> float:
    """Return the accuracy, in percent, of naming the largest class for every image.

    Args:
        part: of the metrics of a run: what they say of the training, validation or test images.
    """
    images: list[int] = [sum(row) for row in part["confusion"]]
    return 100.0 * max(images) / sum(images)


def is_at_chance(part: Mapping[str, Any]) -> bool:
    """Tell whether a network knows no more of these images than which class is the largest.

    Its accuracy then lies at most three standard errors above the chance level. A network that
    guesses gets above that about once in 700 times. Where even 100 % lies below, there are too few
    images to tell, and the answer is no.

    Args:
        part: see `chance_level`.
    """
    share = chance_level(part) / 100
    images = sum(map(sum, part["confusion"]))
    most = 100 * (share + 3 * math.sqrt(share * (1 - share) / images))
    return most < 100 and bool(part["accuracy"] <= most)
