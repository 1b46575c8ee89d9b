"""Commands of this program that measure in a process of their own and leave a file."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.common.errors import PipelineError, how_it_ended, ran_out_of_memory


def command_line(arguments: Sequence[str], output: Path) -> list[str]:
    """Return the command line that runs `arguments` and writes `output`."""
    return [sys.executable, "-m", "pipeline", *arguments, "--output", str(output)]


def output_of(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> str:
    """Run a command in a fresh process and return what it wrote to its `--output`.

    Raises:
        PipelineError: it failed; the message says how, and what it said.
    """
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "output.json"
        command = command_line(arguments, output)
        finished = subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment
        )
        return read_output(output, command, finished.returncode, finished.stderr)


def read_output(output: Path, command: Sequence[str], status: int, errors: str) -> str:
    """Return what a command that has ended wrote.

    Args:
        output: the file.
        command: its command line.
        status: as `subprocess` returns it.
        errors: what it wrote to its standard error.

    Raises:
        PipelineError: it failed, or wrote nothing.
    """
    if status != 0 or not output.exists():
        why = " (out of memory)" if ran_out_of_memory(status, errors) else ""
        raise PipelineError(
            f"a measurement ended with {how_it_ended(status)}{why}: {' '.join(command[1:])}\n"
            f"{errors.strip()}"
        )
    return output.read_text(encoding="utf-8")
