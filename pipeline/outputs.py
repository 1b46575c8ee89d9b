"""Outputs that appear whole or not at all."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import PipelineError

# Partial outputs are hidden, and .dvcignore knows this ending.
PARTIAL = ".partial"


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path; rename it to `path` when the block succeeds.

    Raises:
        PipelineError: the folder cannot be written or the disk is full.
    """
    with _whole(path) as folder:
        temporary = folder / path.name
        yield temporary
        temporary.replace(path)


@contextmanager
def whole_directory(path: Path) -> Iterator[Path]:
    """Yield a temporary directory; it takes the place of `path` when the block succeeds.

    Raises:
        PipelineError: the folder cannot be written or the disk is full.
    """
    with _whole(path) as folder:
        temporary = folder / path.name
        temporary.mkdir()
        yield temporary
        if not path.exists():
            temporary.replace(path)
            return
        # Moved aside, not deleted: the old folder is whole or gone, and can come back.
        old = path.replace(folder / "replaced")
        try:
            temporary.replace(path)
        except OSError:
            old.replace(path)
            raise


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path`, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Yield a new folder on the disk of `path`; remove it, and those of killed processes."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for stale in path.parent.glob(f".{path.name}.*{PARTIAL}"):
            shutil.rmtree(stale, ignore_errors=True)
        with tempfile.TemporaryDirectory(
            prefix=f".{path.name}.", suffix=PARTIAL, dir=path.parent
        ) as folder:
            yield Path(folder)
    except OSError as error:
        reason = error.strerror or str(error)
        raise PipelineError(
            f"cannot write {path}: {reason}. Nothing was left half-written; "
            "free space or fix the permissions of that folder, then run the command again."
        ) from error
