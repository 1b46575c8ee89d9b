"""ablation/results/: what came of each variant, and what the variants cost."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pandera.pandas as pa
from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.ablation.plan import Plan, Training
from pipeline.artifacts.tables import Table, read_table
from pipeline.common.atomic import write_text
from pipeline.common.errors import PipelineError
from pipeline.common.machine import Machine
from pipeline.config.params import Params

RESULTS = Path("ablation/results")
COSTS = RESULTS / "costs"


class Run(BaseModel):
    """One training: accuracies in percent, the size of the model file in bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    architecture: str
    seed: int
    validation_accuracy: float
    test_accuracy: float
    model_bytes: int


class Result(BaseModel):
    """What came of a variant.

    Attributes:
        recipe: the one it was trained by.
        train: `train` of params.yaml.
        data: `data` of params.yaml but for the source, whose images are the same.
        environment: the machine.
        runs: one per architecture and seed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: dict[str, Any]
    train: dict[str, Any]
    data: dict[str, Any]
    environment: Machine
    runs: list[Run]


class VariantCosts(Table):
    """A row per factor, architecture, variant and round: one process, in turns with the others.

    Training memory is counted in a process of its own, and is the same in every round.
    """

    factor: str
    architecture: str
    variant: str
    round: int
    epoch_seconds: float = pa.Field(gt=0)
    training_memory_mib: float = pa.Field(gt=0)


def provenance(training: Training, params: Params) -> dict[str, dict[str, Any]]:
    """Return `recipe`, `train` and `data` as the result of `training` has them."""
    return {
        "recipe": training.method.model_dump(exclude={"convolutional"}),
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
    if found != provenance(training, params) or cases != wanted:
        raise PipelineError(f"{path} is of other params: {advice}")
    return result


def compared_on(plan: Plan) -> list[tuple[str, str, list[str]]]:
    """Return each factor's name, an architecture, and the variants whose costs are compared on it.

    The baseline comes first. A recipe of params.yaml beside another is left out: the report has
    measured both. So are architectures on which nothing is left to compare.
    """
    return [
        (factor.name, architecture, [factor.baseline, *others])
        for factor in plan.factors
        for architecture in plan.trainings[factor.baseline].architectures
        if (
            others := [
                name
                for name in factor.levels
                if plan.trainings[name].changes
                and architecture in plan.trainings[name].architectures
            ]
        )
    ]


def read_costs(plan: Plan) -> pd.DataFrame:
    """Read what the variants cost.

    Raises:
        PipelineError: the file is missing, damaged, or of another plan.
    """
    path, advice = COSTS / "costs.csv", "run `make ablation` or `python -m pipeline ablation-costs`"
    costs = read_table(path, VariantCosts, advice)
    expected = [
        (factor, architecture, variant, number)
        for factor, architecture, variants in compared_on(plan)
        for variant in variants
        for number in range(1, plan.costs.rounds + 1)
    ]
    keys = ["factor", "architecture", "variant", "round"]
    found = list(costs[keys].itertuples(index=False, name=None))
    if sorted(found) != sorted(expected):
        raise PipelineError(f"{path} is of another {RESULTS.parent}/variants.yaml: {advice}")
    return costs


def _path(variant: str) -> Path:
    return RESULTS / f"{variant}.json"
