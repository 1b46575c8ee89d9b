"""What a killed DVC leaves of its own, and what a damaged disk leaves of DVC's cache.

DVC writes dvc.lock and .dvc/tmp/rwlock in place: killed just then, it refuses to start again. Both
can go. What dvc.lock said of finished stages, DVC finds again in its cache, so none of them trains
or measures anew; the other file lists what running DVCs use, and none runs. What the cache holds
and should not goes, too: DVC would hand it out.
"""

import json
import sqlite3
from itertools import chain, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from pipeline.common.console import echo
from pipeline.common.errors import PipelineError
from pipeline.ops.dvc_cache import damaged_entries, look_anew

if TYPE_CHECKING:
    from dvc.repo import Repo

_ASIDE = ".damaged"
_AT_WORK = "DVC is at work here: wait until it has ended"


def recover() -> None:
    """Take away those of DVC's files that it cannot read, and damaged files of its cache.

    A line says of each what was done.

    Raises:
        PipelineError: this is not a DVC project, another DVC is at work in it, or its own files
            cannot be written.
        OSError: a file cannot be moved.
    """
    # Importing DVC takes a second.
    from dvc.dvcfile import LOCK_FILE, Lockfile
    from dvc.exceptions import DvcException, NotDvcRepoError
    from dvc.lock import LockError, make_lock
    from dvc.repo import Repo
    from dvc.rwlock import RWLOCK_FILE, RWLOCK_LOCK

    try:
        with Repo() as repo, repo.lock:
            folder = Path(repo.tmp_dir)
            # While a stage runs, its DVC lets go of the other lock.
            with make_lock(str(folder / RWLOCK_LOCK), tmp_dir=str(folder)):
                running = folder / RWLOCK_FILE
                if _is_stale(running):
                    running.unlink()
                    echo(
                        f"{running.name} was left by a killed DVC: it is removed. Run `dvc repro`."
                    )
            root = Path(repo.root_dir)
            for lock in (root / LOCK_FILE, *root.glob(f"*/{LOCK_FILE}")):
                try:
                    Lockfile(repo, str(lock)).load()
                except DvcException:
                    aside = lock.replace(lock.with_name(lock.name + _ASIDE))
                    name = lock.relative_to(root)
                    echo(f"{name} was half-written: it is {aside.name} now. Run `dvc repro`.")
            _clean_cache(repo)
    except NotDvcRepoError as error:
        raise PipelineError("this is not a DVC project: run the command in its folder") from error
    except sqlite3.Error as error:
        raise PipelineError(
            f"DVC cannot write its own files: {error}. Free space or fix the permissions of .dvc/, "
            "then run the command again."
        ) from error
    except LockError as error:
        raise PipelineError(_AT_WORK) from error


def _clean_cache(repo: "Repo") -> None:
    damaged = list(damaged_entries(Path(repo.cache.local.path)))
    if damaged:
        # Outputs may be copies of the damaged files. They go first: after a kill, what is damaged
        # is found again.
        for out in repo.index.outs:
            look_anew(Path(out.fs_path))
    for path in damaged:
        path.unlink()
        echo(
            f"{path} was damaged: it is removed from DVC's cache. Run `dvc repro`, which makes it "
            "again unless it is whole here."
        )


def _is_stale(path: Path) -> bool:
    """Return whether DVC's list of who uses what is unreadable, or names no DVC that runs.

    DVC asks only whether a process has the number that it wrote down, whatever it may be now.

    Raises:
        PipelineError: it names one that runs.
    """
    from dvc.rwlock import SCHEMA
    from voluptuous import Invalid

    try:
        users = SCHEMA(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return False
    except (ValueError, Invalid):
        return True
    named = [*users["write"].values(), *chain.from_iterable(users["read"].values())]
    for user in named:
        if _is_dvc(user["pid"]):
            raise PipelineError(f"{_AT_WORK} (process {user['pid']})")
    return bool(named)


def _is_dvc(number: int) -> bool:
    """Tell by the program's name: a path or an argument may hold "dvc" in any process."""
    try:
        command = psutil.Process(number).cmdline()
    except psutil.Error:
        return False
    # These are the program itself, or the script or module that an interpreter runs.
    named = [Path(argument).name for argument in command[:2]]
    return "dvc" in named or ("-m", "dvc") in pairwise(command)
