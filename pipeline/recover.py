"""What a killed DVC leaves of its own.

DVC writes dvc.lock and .dvc/tmp/rwlock in place: killed just then, it refuses to start again. Both
can go. What dvc.lock said of finished stages, DVC finds again in its cache, so none of them trains
or measures anew; the other file lists what running DVCs use, and none runs.
"""

import json
from itertools import chain
from pathlib import Path

import psutil

from pipeline.errors import PipelineError
from pipeline.progress import say

_ASIDE = ".damaged"


def recover() -> None:
    """Take away those of DVC's files that it cannot read, and say which.

    Raises:
        PipelineError: this is no DVC project, or another DVC is at work in it.
        OSError: a file cannot be moved.
    """
    # Imported here: it takes a second.
    from dvc.dvcfile import LOCK_FILE, Lockfile
    from dvc.exceptions import DvcException, NotDvcRepoError
    from dvc.lock import LockError, make_lock
    from dvc.repo import Repo
    from dvc.rwlock import RWLOCK_FILE, RWLOCK_LOCK

    try:
        with Repo() as repo, repo.lock:
            root = Path(repo.root_dir)
            for lock in (root / LOCK_FILE, *root.glob(f"*/{LOCK_FILE}")):
                try:
                    Lockfile(repo, str(lock)).load()
                except DvcException:
                    aside = lock.replace(lock.with_name(lock.name + _ASIDE))
                    name = lock.relative_to(root)
                    say(f"{name} was half-written: it is {aside.name} now. Run `dvc repro`.")
            folder = Path(repo.tmp_dir)
            with make_lock(str(folder / RWLOCK_LOCK), tmp_dir=str(folder)):
                running = folder / RWLOCK_FILE
                if _is_stale(running):
                    running.unlink()
                    say(f"{running.name} was left by a killed DVC: it is removed. Run `dvc repro`.")
    except NotDvcRepoError as error:
        raise PipelineError("this is no DVC project: run the command in its folder") from error
    except LockError as error:
        raise PipelineError("DVC is at work here: wait until it has ended") from error


def _is_stale(path: Path) -> bool:
    """Return whether DVC's list of who uses what is unreadable, or names no DVC that runs.

    DVC asks only whether a process has the number that it wrote down, whatever it may be now.
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
    return bool(named) and not any(_is_dvc(user["pid"]) for user in named)


def _is_dvc(number: int) -> bool:
    try:
        return any("dvc" in argument for argument in psutil.Process(number).cmdline())
    except psutil.Error:
        return False
