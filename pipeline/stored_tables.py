"""The tables of the report, read back: what `aggregate` wrote, for what is drawn from it."""

from pathlib import Path

import pandas as pd

from pipeline.errors import PipelineError
from pipeline.paths import TABLES


def read_table(name: str) -> pd.DataFrame:
    """Read a table of reports/tables.

    Raises:
        PipelineError: the table is missing or damaged.
    """
    path: Path = TABLES / f"{name}.csv"
    try:
        # Class names are text, also where they look like numbers or like a missing value.
        return pd.read_csv(
            path,
            dtype=dict.fromkeys(("class", "actual", "predicted"), str),
            keep_default_na=False,
            na_values=[""],
        )
    except FileNotFoundError as error:
        raise PipelineError(
            f"{path} is missing: run `dvc repro` or `python -m pipeline aggregate` first"
        ) from error
    except (OSError, ValueError) as error:
        raise PipelineError(f"cannot read {path}: {error}. Run `dvc repro aggregate`.") from error
