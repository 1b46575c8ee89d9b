"""What `search` and `ablation` share: recipes with a few keys changed, trained without a pause."""

import time
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.data.store import Dataset
from pipeline.engine import Engine
from pipeline.errors import PipelineError
from pipeline.params import Method, Section, explain
from pipeline.train import run_epoch

_Content = TypeVar("_Content", bound=Section)


def read_yaml(path: Path, content: type[_Content]) -> _Content:
    """Read and validate a file of trials.

    Raises:
        PipelineError: it is missing, not YAML, or not what `content` says.
    """
    try:
        document = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
        return content.model_validate(document)
    except OSError as error:
        raise PipelineError(f"cannot read {path}: {error.strerror}") from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise PipelineError(f"{path} is not valid YAML: {error}") from error
    except ValidationError as error:
        raise PipelineError(f"{path} is not valid: {_problems(error)}") from None


def changed(base: Method, changes: dict[str, Any], where: str) -> Method:
    """Return the recipe `base` with other values of some keys.

    Args:
        base: a method.
        changes: values by key.
        where: the changes are listed, for the message.

    Raises:
        PipelineError: a key is unknown, a value out of range, or they do not fit together.
    """
    try:
        return type(base).model_validate(base.model_dump() | changes)
    except ValidationError as error:
        raise PipelineError(f"{where}: {_problems(error)}") from None


def train_fully(
    engine: Engine, data: Dataset, method: Method, batch_size: int, seed: int
) -> list[float]:
    """Train for all epochs as `train` does, without evaluation; return the seconds of each."""
    seconds = []
    for epoch in range(method.epochs):
        started = time.perf_counter()
        run_epoch(engine, data.train, method, batch_size, seed, epoch)
        seconds.append(time.perf_counter() - started)
    return seconds


def _problems(error: ValidationError) -> str:
    return "; ".join(explain(dict(item)) for item in error.errors())
