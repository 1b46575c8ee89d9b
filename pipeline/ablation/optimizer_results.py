"""ablation/results/optimizers/ and techniques/: what came of each trial, and the best rate."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandera.pandas as pa
from numpy.typing import NDArray

from pipeline.ablation.optimizer_plan import Key, OptimizersPlan, Trial
from pipeline.artifacts.tables import Table, read_table
from pipeline.common.errors import PipelineError

TABLE = "trials.csv"


def advice(plan: OptimizersPlan) -> str:
    """Return what to do about results that are not there."""
    return f"run `make ablation` or `python -m pipeline ablation-{plan.path.stem}`"


class OptimizerTrials(Table):
    """A row per training: validation accuracy in percent; bytes of latent weights and moments.

    Settings are the optimizer's own numbers, as `key=value`, beside its rate.
    """

    architecture: str
    batch_size: int
    epochs: int
    optimizer: str
    settings: str
    rate: float = pa.Field(gt=0)
    seed: int
    validation_accuracy: float = pa.Field(ge=0, le=100)
    bytes_per_weight: float = pa.Field(gt=0)


def columns_of(trial: Trial) -> dict[str, object]:
    """Return the columns of a trial's row that are known before it is run."""
    return {
        "architecture": trial.cell.architecture,
        "batch_size": trial.cell.batch_size,
        "epochs": trial.cell.epochs,
        "optimizer": trial.optimizer.name,
        "settings": trial.settings,
        "rate": trial.rate,
        "seed": trial.seed,
    }


def best_of(grid: Sequence[Trial], accuracies: Mapping[Key, float]) -> Trial:
    """Return the trial of a grid with the best validation accuracy, of equal ones the first."""
    return max(grid, key=lambda trial: accuracies[trial.key])


@dataclass(frozen=True)
class OptimizerOutcome:
    """What came of an optimizer on a network.

    Attributes:
        grid: the trials that chose the rate, in ascending order of the rates.
        grid_accuracies: (rates) of them, in percent of the validation images.
        accuracies: (seeds) at the rate that was chosen.
        bytes_per_weight: of latent weights and moments.
    """

    grid: list[Trial]
    grid_accuracies: list[float]
    accuracies: NDArray[np.float64]
    bytes_per_weight: float

    @property
    def name(self) -> str:
        """The optimizer's."""
        return self.grid[0].optimizer.name

    @property
    def best(self) -> int:
        """The position of the chosen rate in the grid."""
        return self.grid_accuracies.index(max(self.grid_accuracies))

    @property
    def is_at_edge(self) -> bool:
        """Whether the best rate is the lowest or the highest that was tried."""
        return self.best in (0, len(self.grid) - 1)

    def change_at(self, factor: float) -> float | None:
        """Return the points that the first seed gains at `factor` times the rate, if tried."""
        wanted = self.grid[self.best].rate * factor
        for trial, accuracy in zip(self.grid, self.grid_accuracies, strict=True):
            if np.isclose(trial.rate, wanted):
                return accuracy - self.grid_accuracies[self.best]
        return None


def read_optimizers(plan: OptimizersPlan) -> dict[str, list[OptimizerOutcome]]:
    """Return the outcomes of all optimizers by architecture, in the order of the plan.

    Raises:
        PipelineError: the table is missing, damaged, or of another plan.
    """
    path = plan.results / TABLE
    table = read_table(path, OptimizerTrials, advice(plan))
    rows: dict[Key, dict[Hashable, object]] = {
        (row["architecture"], row["optimizer"], row["rate"], row["seed"]): row
        for row in table.to_dict("records")
    }
    file = plan.file
    try:
        outcomes = {
            cell.architecture: [
                _outcome(plan, plan.grid(cell, optimizer), rows) for optimizer in plan.on(cell)
            ]
            for cell in file.cells
        }
    except KeyError:
        outcomes = {}
    expected = sum(len(plan.on(cell)) for cell in file.cells) * plan.trials_of_each
    if not outcomes or len(table) != expected:
        raise PipelineError(f"{path} is of another {plan.path}: {advice(plan)}")
    return outcomes


def _outcome(
    plan: OptimizersPlan, grid: list[Trial], rows: Mapping[Key, Mapping[Hashable, object]]
) -> OptimizerOutcome:
    """Return what came of a grid.

    Raises:
        KeyError: there is no row of a trial as the plan has it.
    """

    def accuracy(trial: Trial) -> float:
        row = rows[trial.key]
        if any(row[name] != value for name, value in columns_of(trial).items()):
            raise KeyError(trial.key)
        return float(str(row["validation_accuracy"]))

    accuracies = {trial.key: accuracy(trial) for trial in grid}
    best = best_of(grid, accuracies)
    of_seeds = [accuracies[best.key], *(accuracy(trial) for trial in plan.more_seeds(best))]
    size = float(str(rows[best.key]["bytes_per_weight"]))
    return OptimizerOutcome(grid, list(accuracies.values()), np.array(of_seeds), size)
