"""ablation/trials.csv: its rows, and how searches that run at once run each trial once."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pandas as pd
import pandera.pandas as pa
from filelock import FileLock, Timeout

from pipeline.artifacts.tables import Table, read_table, to_csv
from pipeline.common import checksum
from pipeline.common.atomic import write_text
from pipeline.config.paths import TRIALS

# What tells a trial from others: its architecture, seed and recipe.
Key = tuple[str, str, str]
# Locks of running searches. The system takes them from a process that ends, however it ends.
_LOCKS = TRIALS.with_name(".locks")
_ADVICE = "get it back from git"


class Trials(Table):
    """A row per trial: accuracies in percent, the loss in nats, seconds of training alone."""

    question: str
    architecture: str
    method: str
    changes: str = pa.Field(nullable=True)
    seed: int
    epochs: int
    validation_accuracy: float
    validation_loss: float = pa.Field(nullable=True)
    training_accuracy: float
    seconds: float
    recipe: str


class OpenTrials:
    """The file, as one search has it: see `open_trials`."""

    def __init__(self, claims: ExitStack) -> None:
        self._claims = claims

    def claim(self, key: Key) -> bool:
        """Return whether the trial is this search's to run: no row has it, no other runs it.

        Args:
            key: architecture, seed and recipe, as the row has them.

        Raises:
            PipelineError: the file is damaged.
        """
        name = checksum.sha256_bytes("\n".join(key).encode())
        lock = FileLock(_LOCKS / name, blocking=False)
        try:
            lock.acquire()
        except Timeout:
            return False
        # Only now: another search may have added it a moment ago.
        rows = read_trials()[["architecture", "seed", "recipe"]].astype(str)
        if key in set(rows.itertuples(index=False, name=None)):
            lock.release()
            return False
        self._claims.callback(lock.release)
        return True

    def append(self, row: dict[str, Any]) -> None:
        """Add a row. The file is replaced: a full disk leaves it as it was.

        Raises:
            PipelineError: the file is damaged, or cannot be written.
        """
        with FileLock(_LOCKS / "append"):
            before = TRIALS.read_text(encoding="utf-8") if len(read_trials()) else ""
            # An editor may have left the last line without its end.
            end = "" if before.endswith("\n") or not before else "\n"
            write_text(TRIALS, before + end + to_csv(Trials, [row], header=not before))


@contextmanager
def open_trials() -> Iterator[OpenTrials]:
    """Open ablation/trials.csv for one search, which keeps its claims until it ends.

    Raises:
        OSError: its folder cannot be written.
    """
    _LOCKS.mkdir(parents=True, exist_ok=True)
    with ExitStack() as claims:
        yield OpenTrials(claims)


def read_trials() -> pd.DataFrame:
    """Return all rows; none where there is no file yet.

    Raises:
        PipelineError: the file is damaged.
    """
    if not TRIALS.exists():
        return pd.DataFrame(columns=list(Trials.to_schema().columns))
    rows = read_table(TRIALS, Trials, _ADVICE)
    # A trial of the recipe as it was changes nothing.
    return rows.assign(changes=rows["changes"].fillna(""))
