"""Outputs that appear whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import PipelineError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path; rename it to `path` when the block succeeds.

    Raises:
        PipelineError: the folder cannot be written or the disk is full.
    """
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def whole_directory(path: Path) -> Iterator[Path]:
    """Yield a temporary directory; it takes the place of `path` when the block succeeds.

    Raises:
        PipelineError: the folder cannot be written or the disk is full.
    """
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(
            tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
        )
        try:
            yield temporary
            temporary.chmod(0o777 & ~_umask())
            if path.exists():
                shutil.rmtree(path)
            temporary.replace(path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path`, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise PipelineError(
            f"cannot write {path}: {reason}. Nothing was left half-written; "
            "free space or fix the permissions of that folder, then run the command again."
        ) from error


def _umask() -> int:
    """Return the process umask: temporary files are private, finished ones are not."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
