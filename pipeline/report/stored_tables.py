"""The tables of the report, read back: what `aggregate` wrote, for what is drawn from it."""

from collections.abc import Sequence

import pandas as pd

from pipeline.artifacts.tables import require_columns
from pipeline.common.errors import PipelineError
from pipeline.config.paths import TABLES
from pipeline.report.tables import POINT

# Class names are text, even where they look like numbers or like a missing value.
_TEXTS = ("class", "actual", "predicted")


def read_table(name: str, columns: Sequence[str]) -> pd.DataFrame:
    """Read a table of reports/tables.

    Args:
        name: the table's.
        columns: those that it must have.

    Raises:
        PipelineError: the table is missing or damaged, or lacks one of `columns`.
    """
    path = TABLES / f"{name}.csv"
    advice = "run `dvc repro` or `python -m pipeline aggregate`"
    texts = dict.fromkeys(_TEXTS, "str")
    try:
        table = pd.read_csv(path, dtype=texts, keep_default_na=False, na_values=[""])
    except FileNotFoundError as error:
        raise PipelineError(f"{path} is missing: {advice}") from error
    except (OSError, ValueError) as error:
        raise PipelineError(f"cannot read {path}: {error}; {advice} again") from error
    require_columns(table, path, columns, advice)
    return table


def own_points(costs: pd.DataFrame, phases: pd.DataFrame) -> pd.DataFrame:
    """Return the costs of the architectures' own points, which are those that phases has."""
    own = phases[POINT].drop_duplicates()
    return costs.merge(own, on=POINT)


def scaling_points(axes: pd.DataFrame, costs: pd.DataFrame) -> pd.DataFrame:
    """Return the costs of the points on each axis, a row per axis, value and method.

    The methods are those that were measured at every point; an architecture's own points have
    further ones.
    """
    points = axes.merge(costs, on=POINT)
    measured = points.groupby("method", sort=False)["value"].transform("size")
    return points[measured == len(axes)]
