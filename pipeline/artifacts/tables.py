"""CSV files that stages leave for others, one declared schema each for writer and reader."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaErrors

from pipeline.common.errors import PipelineError, printable


class Table(pa.DataFrameModel):
    """The columns of a file. Others may be there too: a reader takes what it needs.

    A number is finite. An empty cell is an error unless its field is nullable.
    """

    class Config:
        """Integers may be written as whole floats."""

        coerce = True

    @pa.check(".*", regex=True, name="a finite number")
    def _finite(cls, column: "pd.Series[Any]") -> "pd.Series[bool]":  # noqa: N805 - pandera's way
        finite = column.map(lambda value: not isinstance(value, float) or math.isfinite(value))
        return finite | column.isna()


def write_table(path: Path, schema: type[Table], rows: Iterable[dict[str, Any]]) -> None:
    """Write rows as a CSV file of `schema`, its columns in the schema's order.

    Raises:
        pandera.errors.SchemaErrors: the rows are not of that schema, which is a fault of ours.
        OSError: the file cannot be written.
    """
    path.write_text(to_csv(schema, rows), encoding="utf-8")


def to_csv(schema: type[Table], rows: Iterable[dict[str, Any]], *, header: bool = True) -> str:
    """Return rows as CSV: see `write_table`."""
    columns = list(schema.to_schema().columns)
    table = schema.validate(pd.DataFrame(list(rows), columns=columns), lazy=True)
    return table.to_csv(index=False, lineterminator="\n", header=header)


def read_table(path: Path, schema: type[Table], advice: str) -> pd.DataFrame:
    """Return the table in `path`.

    Args:
        path: of a CSV file.
        schema: that it must fulfil.
        advice: what to do about it where it does not.

    Raises:
        PipelineError: it is missing or damaged; the message names the column, and ends with
            `advice`.
    """
    columns = schema.to_schema().columns
    # Text stays text, also where it looks like a number or a missing value.
    types = {name: _type(str(column.dtype)) for name, column in columns.items()}
    try:
        table = pd.read_csv(path, dtype=types, keep_default_na=False, na_values=[""])
    except FileNotFoundError as error:
        raise PipelineError(f"{path} is missing: {advice}") from error
    except (OSError, ValueError) as error:
        raise PipelineError(f"cannot read {path}: {str(error).strip()}; {advice}") from error
    require_columns(table, path, columns, advice)
    try:
        return schema.validate(table, lazy=True)
    except SchemaErrors as error:
        first = error.failure_cases.iloc[0]
        column, value = first["column"], printable(str(first["failure_case"]))
        problem = (
            f"has an empty cell in column {column}"
            if first["check"] == "not_nullable"
            else f"has {value} in column {column}, which is not {first['check']}"
        )
        raise PipelineError(f"{path} {problem}: {advice}") from None


def _type(name: str) -> str:
    return "str" if name.startswith("str") else name


def require_columns(table: pd.DataFrame, path: Path, names: Iterable[str], advice: str) -> None:
    """Raise PipelineError unless the table that `path` holds has all columns in `names`."""
    if lacking := [name for name in names if name not in table]:
        raise PipelineError(f"{path} lacks {', '.join(lacking)}: {advice}")
