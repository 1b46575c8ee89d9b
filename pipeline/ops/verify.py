"""A reader's run against the committed one, with a verdict per line.

Models that are trained in bits must be the same to the byte, on any processor and with any number
of threads, and so must their accuracies. torch's results depend on both: its accuracies must lie
within a tolerance. Tables must have the same columns.
"""

import csv
import hashlib
import io
import subprocess
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from pipeline.common.console import echo
from pipeline.common.errors import PipelineError
from pipeline.common.serialization import parse_yaml
from pipeline.config.paths import TABLES

LOCK = Path("dvc.lock")
ACCURACY = TABLES / "accuracy.csv"
# The mean test accuracy over seeds of what torch trained may differ by so many percentage points.
# One network of torch's changes by 0.1 to 0.2 with the number of threads.
TOLERANCE = 0.5


class Verdict(NamedTuple):
    """Whether something is as committed, and what to say of it."""

    holds: bool
    text: str


def verify(revision: str) -> bool:
    """Compare this folder's results with those committed at `revision`; print a line for each.

    Returns:
        Whether all of them hold.

    Raises:
        PipelineError: there is no such commit, or it has no results to compare with.
    """
    models = _committed_models(revision)
    # A model's name is ARCHITECTURE-METHOD-SEED.
    packed = {" ".join(path.stem.rsplit("-", 2)[:2]) for path in models}
    verdicts = [*_models(models), *_accuracies(revision, packed), *_schemas(revision)]
    for verdict in verdicts:
        echo(f"{'as committed' if verdict.holds else 'DIFFERS':<13} {verdict.text}")
    failed = sum(not verdict.holds for verdict in verdicts)
    echo(
        f"{len(verdicts) - failed} of {len(verdicts)} are as committed at {revision}"
        + (f", {failed} are not" if failed else "")
    )
    return failed == 0


def _committed_models(revision: str) -> dict[Path, str]:
    """Return the checksum of every model that was trained in bits, by its path."""
    try:
        stages = parse_yaml(_committed(revision, LOCK))["stages"]
        models = {
            Path(out["path"]): str(out["md5"])
            for name, stage in stages.items()
            if name.startswith("train-packed@")
            for out in stage["outs"]
            if out["path"].endswith(".safetensors")
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        raise PipelineError(f"{LOCK} at {revision} is not DVC's: choose another commit") from None
    if not models:
        raise PipelineError(
            f"{LOCK} at {revision} has no model trained in bits to compare with: choose another "
            "commit"
        )
    return models


def _models(models: Mapping[Path, str]) -> Iterator[Verdict]:
    for path, expected in sorted(models.items()):
        if not path.is_file():
            yield Verdict(False, f"{path} is missing: run dvc repro")
            continue
        with path.open("rb") as file:
            same = hashlib.file_digest(file, "md5").hexdigest() == expected
        yield Verdict(same, f"{path}, {'byte for byte' if same else 'other bytes'}")


def _accuracies(revision: str, packed: Collection[str]) -> Iterator[Verdict]:
    ours = {_key(row): row for row in _rows(_local(ACCURACY))}
    committed = _rows(_committed(revision, ACCURACY))
    if not committed:
        raise PipelineError(f"{ACCURACY} at {revision} is empty: choose another commit")
    for row in committed:
        key = _key(row)
        tolerance = 0.0 if key in packed else TOLERANCE
        if key not in ours:
            yield Verdict(False, f"{key}: no accuracy here")
            continue
        try:
            here, there = (float(each["test_accuracy"]) for each in (ours[key], row))
        except (KeyError, TypeError, ValueError):
            yield Verdict(False, f"{key}: {ACCURACY} has no test accuracy here or there")
            continue
        off = abs(here - there)
        yield Verdict(
            off <= tolerance,
            f"{key}: test accuracy {here:.2f} %, committed {there:.2f} %, "
            f"{off:.2f} points apart (at most {tolerance:g})",
        )


def _schemas(revision: str) -> Iterator[Verdict]:
    listed = _git("ls-tree", "--name-only", revision, f"./{TABLES.as_posix()}/")
    for path in map(Path, listed.splitlines()):
        if path.suffix != ".csv":
            continue
        expected = _header(_committed(revision, path))
        if not path.is_file():
            yield Verdict(False, f"{path} is missing: run dvc repro")
            continue
        same = _header(_local(path)) == expected
        yield Verdict(same, f"{path}, {'the same columns' if same else 'other columns'}")


def _rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def _key(row: dict[str, str]) -> str:
    return f"{row.get('architecture')} {row.get('method')}"


def _header(text: str) -> str:
    return text.partition("\n")[0]


def _local(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _committed(revision: str, path: Path) -> str:
    return _git("show", f"{revision}:./{path.as_posix()}")


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments], capture_output=True, text=True, check=True, encoding="utf-8"
        )
    except FileNotFoundError:
        raise PipelineError("git is not installed, and holds what to compare with") from None
    except subprocess.CalledProcessError as error:
        raise PipelineError(
            f"git has no committed results to compare with: {error.stderr.strip()}. Run the "
            "command in a clone, or name another commit with --revision."
        ) from None
    return done.stdout
