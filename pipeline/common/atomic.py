"""Outputs that appear whole or not at all."""

import fcntl
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from pipeline.common.errors import PipelineError

# Partial outputs are hidden, and .dvcignore knows this ending.
PARTIAL = ".partial"


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path; rename it to `path` when the block succeeds.

    A link is replaced, not followed: DVC may make one that leads into its cache.

    Raises:
        PipelineError: the folder cannot be written, the disk is full, or `path` exists and is
            not a file.
    """
    if path.exists() and not path.is_file():
        raise PipelineError(f"cannot write {path}: it is not a file, and would be replaced by one")
    with _whole(path) as folder:
        temporary = folder / path.name
        yield temporary
        temporary.replace(path)


@contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """Yield a temporary directory; it takes the place of `path` when the block succeeds.

    Raises:
        PipelineError: the folder cannot be written or the disk is full.
    """
    with _whole(path) as folder:
        temporary = folder / path.name
        temporary.mkdir()
        yield temporary
        # Only one process at a time: between the two steps there is no folder for others to find.
        with _locked(path.parent):
            if not path.exists():
                temporary.replace(path)
                return
            # The old folder is moved aside, not deleted: it is whole or gone, and can come back.
            old = path.replace(folder / "replaced")
            try:
                temporary.replace(path)
            except OSError:
                old.replace(path)
                raise


def write_text(path: Path, text: str) -> None:
    """Write `text` to `path`, whole or not at all.

    A pipe or a device takes the text as it comes. A link stays, and the file that it leads to is
    written.

    Raises:
        PipelineError: it cannot be written.
    """
    try:
        handle = _special(path)
        if handle is not None:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
            return
        # This comes after the special files: what /dev/stdout leads to may have no path.
        if path.is_symlink():
            path = path.resolve()
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "a link that leads to itself"
        raise PipelineError(f"cannot write {path}: {reason}") from error
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _special(path: Path) -> int | None:
    """Open what a file cannot replace: a pipe or a device, and this process's own output.

    Others may write to that output as well, before and after.
    """
    if not path.exists():
        return None
    status = path.stat()
    for stream in (1, 2):
        # Whoever started this process may have closed it.
        with suppress(OSError):
            if os.path.samestat(status, os.fstat(stream)):
                sys.stdout.flush()
                return os.dup(stream)
    if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode):
        return None
    return os.open(path, os.O_WRONLY)


@contextmanager
def _whole(path: Path) -> Iterator[Path]:
    """Yield a new folder on the disk of `path`; remove it, and those of killed processes."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            with _locked(path.parent):
                for other in path.parent.glob(f".{path.name}.*{PARTIAL}"):
                    if not _is_in_use(other):
                        shutil.rmtree(other, ignore_errors=True)
                temporary = tempfile.TemporaryDirectory(
                    prefix=f".{path.name}.", suffix=PARTIAL, dir=path.parent
                )
                folder = Path(temporary.name)
                # The lock is held until the folder is removed, lest another process removes it.
                stack.enter_context(_locked(folder))
                stack.enter_context(temporary)
            yield folder
    except OSError as error:
        reason = error.strerror or str(error)
        raise PipelineError(
            f"cannot write {path}: {reason}. Nothing was left half-written; "
            "free space or fix the permissions of that folder, then run the command again."
        ) from error


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Wait for the folder's lock and hold it. The system takes it from a process that ends."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _is_in_use(folder: Path) -> bool:
    """Return whether a process holds the folder's lock."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
