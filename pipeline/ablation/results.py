"""What came of a variant: its file, written and read back."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.ablation.plan import Training
from pipeline.common.atomic import write_text
from pipeline.common.errors import PipelineError
from pipeline.config.params import Params

RESULTS = Path("ablation/results")


class Run(BaseModel):
    """What one process reports; memory and size in bytes, accuracies in percent.

    Attributes:
        epoch_seconds: of an epoch of training, without evaluation: the median over epochs.
        training_memory: peak of the training above the moment just before the network was built.
        model_bytes: of the model file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    architecture: str
    seed: int
    validation_accuracy: float
    test_accuracy: float
    epoch_seconds: float
    training_memory: int
    model_bytes: int


class Environment(BaseModel):
    """The machine: see `pipeline.common.machine`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    seconds: float
    date: str
    processor: str
    cores: int | None
    threads: int
    memory_gib: float
    system: str
    python: str
    torch: str
    torch_build: str
    torch_instruction_set: str
    kernels_instruction_set: str
    numpy: str


class Result(BaseModel):
    """What came of a variant.

    Attributes:
        recipe: that it was trained by.
        train: `train` of params.yaml.
        data: `data` of params.yaml but for the source, whose images are the same.
        environment: the machine.
        runs: one an architecture and seed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: dict[str, Any]
    train: dict[str, Any]
    data: dict[str, Any]
    environment: Environment
    runs: list[Run]


def settings(training: Training, params: Params) -> dict[str, dict[str, Any]]:
    """Return `recipe`, `train` and `data` as the result of `training` has them."""
    return {
        "recipe": training.method.model_dump(),
        "train": params.train.model_dump(),
        "data": params.data.model_dump(exclude={"source"}),
    }


def write_result(variant: str, result: Result) -> Path:
    """Write the result of `variant` and return its path."""
    path = _path(variant)
    write_text(path, json.dumps(result.model_dump(), indent=2) + "\n")
    return path


def read_result(variant: str, training: Training, params: Params) -> Result:
    """Read the result of `variant`.

    Raises:
        PipelineError: it is missing, damaged, or of another recipe, architecture or seed, or of
            other `train` or `data`.
    """
    path = _path(variant)
    advice = f"run `make ablation` or `python -m pipeline ablation --variant {variant}`"
    try:
        result = Result.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise PipelineError(f"{path} is missing: {advice}") from error
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise PipelineError(f"{path} cannot be read: {advice}") from error
    cases = [(run.architecture, run.seed) for run in result.runs]
    wanted = [(name, seed) for name in training.architectures for seed in params.seeds]
    found = {name: getattr(result, name) for name in ("recipe", "train", "data")}
    if found != settings(training, params) or cases != wanted:
        raise PipelineError(f"{path} is of other params: {advice}")
    return result


def _path(variant: str) -> Path:
    return RESULTS / f"{variant}.json"
