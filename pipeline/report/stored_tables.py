"""The tables of the report, read back: what `aggregate` wrote, for what is drawn from it."""

from collections.abc import Sequence

import pandas as pd

from pipeline.artifacts.csv_files import Columns, read_csv
from pipeline.config.paths import TABLES

# Class names are text, also where they look like numbers or like a missing value.
_TEXTS = ("class", "actual", "predicted")


def read_table(name: str, columns: Sequence[str]) -> pd.DataFrame:
    """Read a table of reports/tables.

    Args:
        name: of the table.
        columns: that it must have.

    Raises:
        PipelineError: the table is missing or damaged, or lacks one of `columns`.
    """
    kinds = Columns(
        texts=tuple(column for column in columns if column in _TEXTS),
        others=tuple(column for column in columns if column not in _TEXTS),
    )
    advice = "run `dvc repro` or `python -m pipeline aggregate`"
    return read_csv(TABLES / f"{name}.csv", kinds, advice)
