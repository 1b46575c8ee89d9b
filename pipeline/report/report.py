"""What the summary is made of, and how its parts look things up in it."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipeline.config.names import BASELINE
from pipeline.config.params import Params
from pipeline.report.statistics import Estimate


@dataclass(frozen=True)
class Report:
    """What the summary is made of: every table by name, the machines and the params.

    Attributes:
        environments: what the profiles were measured on, by architecture.
        kernels_environment: what the kernels were, and their rounds.
    """

    tables: dict[str, pd.DataFrame]
    environments: dict[str, dict[str, Any]]
    kernels_environment: dict[str, Any]
    params: Params

    @property
    def accuracy(self) -> pd.DataFrame:
        """A row an architecture and method: see `pipeline.report.tables.accuracy_table`."""
        return self.tables["accuracy"]

    @property
    def costs(self) -> pd.DataFrame:
        """A row an architecture, batch size and method: see `pipeline.report.tables.costs_table`."""
        return self.tables["costs"]

    @property
    def claims(self) -> pd.DataFrame:
        """A row a claim of the study: see `pipeline.report.claims.claims_table`."""
        return self.tables["claims"]


def binary_methods(report: Report) -> list[str]:
    """Return the names of the methods that are not float32."""
    return [name for name, m in report.params.methods.items() if m.weights != "float32"]


def find_row(table: pd.DataFrame, **keys: object) -> "pd.Series[Any]":
    """Return the row of a table whose columns have these values."""
    for column, value in keys.items():
        table = table[table[column] == value]
    return table.iloc[0]


def accuracy_lost(report: Report, architecture: str, method: str) -> float:
    """Return by how many points of test accuracy a method lies below the baseline."""
    ours = find_row(report.accuracy, architecture=architecture, method=method)
    baseline = find_row(report.accuracy, architecture=architecture, method=BASELINE)
    return float(baseline["test_accuracy"] - ours["test_accuracy"])


def ratio_of(row: "pd.Series[Any]", column: str) -> Estimate:
    """Return the ratio to the baseline of a row of `costs`, with its interval."""
    return Estimate(*(row[f"{column}_ratio{end}"] for end in ("", "_lower", "_upper")))
