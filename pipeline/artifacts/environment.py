"""environment.json: the machine that a stage measured on, beside what it measured."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.common.errors import PipelineError
from pipeline.common.machine import Machine

_NAME = "environment.json"


def write_environment(folder: Path, machine: Machine) -> None:
    """Write the description of the machine into `folder`."""
    (folder / _NAME).write_text(machine.model_dump_json(indent=2) + "\n", encoding="utf-8")


def read_environment(folder: Path, advice: str) -> dict[str, Any]:
    """Return the fields of `Machine` that `folder` was measured on.

    Raises:
        PipelineError: the file is missing or damaged; the message ends with `advice`.
    """
    path = folder / _NAME
    try:
        machine = Machine.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise PipelineError(f"{path} is missing: {advice}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise PipelineError(f"cannot read {path}: {error}; {advice}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise PipelineError(
            f"{path} does not describe a machine ({where}: {first['msg']}): {advice}"
        ) from None
    return machine.model_dump()
