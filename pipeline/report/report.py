"""What the summary is made of, and how its parts look things up in it."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipeline.config.names import BASELINE
from pipeline.config.params import Params
from pipeline.report.claims import study_batch
from pipeline.report.equal_accuracy import Pair, pairs
from pipeline.report.tables import at_point, scaling_points

# How many accuracies the opening shows.
SHOWN_TARGETS = 3


@dataclass(frozen=True)
class Report:
    """What the summary is made of: every table by name, the machines and the params.

    Attributes:
        tables: those of reports/tables, as `pipeline.report.aggregate` lists them.
        environments: the machines of the profiles, by architecture.
        kernels_environment: the machine of the kernels' benchmark.
        at_chance: the runs whose networks know nothing: see `run_files.is_at_chance`.
        params: those that all was made with.
    """

    tables: dict[str, pd.DataFrame]
    environments: dict[str, dict[str, Any]]
    kernels_environment: dict[str, Any]
    at_chance: tuple[str, ...]
    params: Params

    @property
    def accuracy(self) -> pd.DataFrame:
        """A row per architecture and method: see `pipeline.report.tables.accuracy_table`."""
        return self.tables["accuracy"]

    @property
    def claims(self) -> pd.DataFrame:
        """A row per claim of the study: see `pipeline.report.claims.claims_table`."""
        return self.tables["claims"]

    @property
    def own_costs(self) -> pd.DataFrame:
        """A row per architecture and method: see `pipeline.report.tables.own_costs_table`."""
        return self.tables["own_costs"]

    @property
    def scaling_points(self) -> pd.DataFrame:
        """The costs of the points on each axis: see `pipeline.report.tables.scaling_points`."""
        methods = self.params.profile.scaling.methods
        return scaling_points(self.tables["axes"], self.tables["costs"], methods)

    @property
    def records_threads(self) -> int:
        """The number of threads with which the records of accuracy are shown: the most."""
        return int(self.tables["equal_accuracy"]["threads"].max())

    @property
    def record_pairs(self) -> list[Pair]:
        """The records of the highest accuracies: see `pipeline.report.equal_accuracy.pairs`."""
        records = self.tables["equal_accuracy"]
        targets = sorted(records["target"].unique())[-SHOWN_TARGETS:]
        return pairs(records, targets, self.records_threads)

    @property
    def study_batch(self) -> int:
        """The batch size at which the study's claims are compared."""
        return study_batch(self.params.profiled_batch_sizes)

    def trained_at(self, architecture: str, batch_size: int) -> list[str]:
        """Return the methods whose recipes train an architecture at a batch size."""
        recipe = self.params.recipe
        return [
            method
            for method in self.params.methods
            if recipe(architecture, method).batch_size == batch_size
        ]

    def epochs(self, method: str) -> list[int]:
        """Return how many epochs a method trains each architecture."""
        return [self.params.recipe(each, method).epochs for each in self.params.architectures]

    def costs_at(self, batch_size: int) -> pd.DataFrame:
        """Return the costs of the architectures at a batch size, with training's threads."""
        costs = at_point(self.tables["costs"], batch_size, self.params.train.threads)
        return costs[costs["architecture"].isin(self.params.architectures)]


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
