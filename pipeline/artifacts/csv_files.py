"""CSV files that stages leave for others, read with the columns that must be there."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.common.errors import PipelineError


@dataclass(frozen=True)
class Columns:
    """The columns that a table must have.

    Attributes:
        texts: of text in every row, also where that looks like a number or a missing value.
        numbers: of a finite number in every row.
        gaps: of numbers, or of nothing.
        others: of whatever there is.
    """

    texts: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


def read_csv(path: Path, columns: Columns, advice: str) -> pd.DataFrame:
    """Return the table in `path`.

    Args:
        path: of a CSV file.
        columns: that it must have; others may be there.
        advice: what to do about it where it is not such a table.

    Raises:
        PipelineError: it is missing or damaged; the message ends with `advice`.
    """
    try:
        table = pd.read_csv(
            path, dtype=dict.fromkeys(columns.texts, str), keep_default_na=False, na_values=[""]
        )
    except FileNotFoundError as error:
        raise PipelineError(f"{path} is missing: {advice}") from error
    except (OSError, ValueError) as error:
        raise PipelineError(f"cannot read {path}: {error}; {advice} again") from error
    require_columns(
        table, path, (*columns.texts, *columns.numbers, *columns.gaps, *columns.others), advice
    )
    for name in columns.texts:
        if table[name].isna().any():
            raise PipelineError(f"{path} lacks a text in column {name}: {advice} again")
    for name in (*columns.numbers, *columns.gaps):
        # A column of nothing has numbers for pandas; one of no rows need not.
        if len(table) and not _holds_numbers(table[name], name in columns.gaps):
            raise PipelineError(f"{path} lacks a number in column {name}: {advice} again")
    return table


def require_columns(table: pd.DataFrame, path: Path, names: Iterable[str], advice: str) -> None:
    """Raise PipelineError unless the table that `path` holds has all columns in `names`."""
    if lacking := [name for name in names if name not in table]:
        raise PipelineError(f"{path} lacks {', '.join(lacking)}: {advice} again")


def _holds_numbers(column: "pd.Series[float]", gaps: bool) -> bool:
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        return False
    given = column.dropna() if gaps else column
    return bool(np.isfinite(given).all())
