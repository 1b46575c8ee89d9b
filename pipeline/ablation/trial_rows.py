"""ablation/trials.csv: its rows, and that searches that run at once run each trial once."""

import csv
import fcntl
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pipeline.common import checksum
from pipeline.common.atomic import write_text
from pipeline.common.errors import PipelineError
from pipeline.config.paths import TRIALS

COLUMNS = (
    "question",
    "architecture",
    "method",
    "changes",
    "seed",
    "epochs",
    "validation_accuracy",
    "validation_loss",
    "training_accuracy",
    "seconds",
    "recipe",
)
# What tells a trial from others: its architecture, seed and recipe.
Key = tuple[str, str, str]
_LOCK = TRIALS.with_name(".lock")
# Bytes of _LOCK, which can be locked without being there: the first is locked while a row is
# added, one of the others from when the trial that it stands for is claimed.
_ADDING, _FIRST, _CLAIMS = 0, 1, 1 << 56


class TrialRows:
    """The file, as one search has it: see `open_trials`."""

    def __init__(self, lock: int) -> None:
        self._lock = lock

    def claim(self, key: Key) -> bool:
        """Return whether the trial is this search's to run: no row has it, no other runs it.

        The claim ends with this process, however that ends.

        Args:
            key: architecture, seed and recipe, as the row has them.

        Raises:
            PipelineError: the file is damaged.
        """
        number = int(checksum.sha256_bytes("\n".join(key).encode()), 16) % _CLAIMS
        try:
            fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _FIRST + number)
        except BlockingIOError:
            return False
        # Another search may have added it a moment ago.
        return key not in {_key(row) for row in _rows(_read())}

    def append(self, row: dict[str, Any]) -> None:
        """Add a row. The file is replaced: a full disk leaves it as it was.

        Raises:
            PipelineError: the file is damaged, or cannot be written.
        """
        fcntl.lockf(self._lock, fcntl.LOCK_EX, 1, _ADDING)
        try:
            text = _read()
            _rows(text)
            # An editor may have left the last line without its end.
            file = io.StringIO()
            file.write(text if text.endswith("\n") or not text else text + "\n")
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            if not text:
                writer.writeheader()
            writer.writerow(row)
            write_text(TRIALS, file.getvalue())
        finally:
            fcntl.lockf(self._lock, fcntl.LOCK_UN, 1, _ADDING)


@contextmanager
def open_trials() -> Iterator[TrialRows]:
    """Open ablation/trials.csv for one search.

    Raises:
        OSError: its folder cannot be written.
    """
    _LOCK.parent.mkdir(exist_ok=True)
    # Of trials.csv itself it would be gone with the first replacement.
    with _LOCK.open("w") as lock:
        yield TrialRows(lock.fileno())


def _read() -> str:
    """Return the file's text, nothing where there is none yet."""
    try:
        with TRIALS.open(newline="", encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise _damaged(str(error)) from error


def _rows(text: str) -> list[dict[str, str]]:
    # Strict: a quoted cell that is cut off is an error.
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    rows = []
    try:
        if text and tuple(reader.fieldnames or ()) != COLUMNS:
            raise _damaged(f"its columns are not {', '.join(COLUMNS)}")
        for row in reader:
            # More cells than columns are under None, and what is missing is None.
            if None in row or None in row.values():
                raise _damaged(f"line {reader.line_num} does not have {len(COLUMNS)} cells")
            rows.append(row)
    except csv.Error as error:
        raise _damaged(str(error)) from error
    return rows


def _key(row: dict[str, str]) -> Key:
    return row["architecture"], row["seed"], row["recipe"]


def _damaged(problem: str) -> PipelineError:
    return PipelineError(f"{TRIALS} cannot be read ({problem}): get it back from git")
