"""Files that list recipes with a few keys changed, as `search` and `ablation` read them."""

from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from pipeline.common import serialization
from pipeline.common.errors import PipelineError
from pipeline.config.params import Method, Section, explain

_Content = TypeVar("_Content", bound=Section)


def load_yaml(path: Path, content: type[_Content]) -> _Content:
    """Read and validate a file of recipes.

    Raises:
        PipelineError: it is missing, not YAML, or not what `content` says.
    """
    try:
        return content.model_validate(serialization.load_yaml(path))
    except OSError as error:
        raise PipelineError(f"cannot read {path}: {error.strerror}") from error
    except ValidationError as error:
        raise PipelineError(f"{path} is not valid: {_problems(error)}") from None
    except ValueError as error:
        raise PipelineError(f"{path} is not valid YAML: {error}") from error


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


def _problems(error: ValidationError) -> str:
    return "; ".join(explain(error))
