"""frontier/results/trials.csv: what each candidate reaches on the validation images."""

import json
from dataclasses import dataclass
from itertools import product
from statistics import fmean

from pipeline.artifacts.tables import read_table, to_csv
from pipeline.common.atomic import write_text
from pipeline.common.errors import PipelineError
from pipeline.frontier.plan import Candidate, Plan, RateKey
from pipeline.frontier.results import TRIALS, Trials

# What tells a trial from others of the same data: its architecture, batch size, seed and recipe.
_Key = tuple[str, int, int, str]


@dataclass(frozen=True)
class Tried:
    """What came of a trial.

    Attributes:
        accuracy: percent on the validation images.
        model_bytes: the size of the model file.
        data: what it was trained on, the first digits of `Dataset.sha256`.
    """

    accuracy: float
    model_bytes: int
    data: str


class TrialRows:
    """The file, as one plan sees it. Of rows that differ in their data alone, the last counts."""

    def __init__(self, plan: Plan) -> None:
        """Read it; a file that is not there has no rows.

        Raises:
            PipelineError: it is damaged.
        """
        self._plan = plan
        self._rows: dict[_Key, Tried] = {}
        if TRIALS.exists():
            table = read_table(TRIALS, Trials, "get it back from git")
            keys = table[["architecture", "batch_size", "seed", "recipe"]]
            results = map(Tried, table["validation_accuracy"], table["model_bytes"], table["data"])
            self._rows |= zip(keys.itertuples(index=False, name=None), results, strict=True)

    def find(self, trial: Candidate, seed: int) -> Tried | None:
        """Return what came of a trial, if it has a row."""
        return self._rows.get(_key(trial, seed))

    def result(self, trial: Candidate, seed: int) -> Tried:
        """Return what came of a trial.

        Raises:
            PipelineError: it has no row.
        """
        found = self.find(trial, seed)
        if found is None:
            raise PipelineError(
                f"{TRIALS} lacks {trial}, seed {seed}: run `dvc repro frontier/dvc.yaml:trials` "
                "or `python -m pipeline frontier-trials`"
            )
        return found

    def append(self, trial: Candidate, seed: int, result: Tried) -> None:
        """Add a row. The file is replaced: a full disk leaves it as it was.

        Raises:
            PipelineError: it cannot be written.
        """
        row = {
            **trial.columns(),
            "seed": seed,
            "validation_accuracy": result.accuracy,
            "model_bytes": result.model_bytes,
            "recipe": _recipe(trial),
            "data": result.data,
        }
        before = TRIALS.read_text(encoding="utf-8") if TRIALS.exists() else ""
        write_text(TRIALS, before + to_csv(Trials, [row], header=not before))
        self._rows[_key(trial, seed)] = result

    def best_rates(self) -> dict[RateKey, float]:
        """Return the best learning rate for each method and batch size.

        Raises:
            PipelineError: a trial of a learning rate has no row, or the best rate is the last.
        """
        seeds = self._plan.file.rate_search.seeds
        return self._plan.best_rates(
            {
                each: fmean(self.result(each, seed).accuracy for seed in seeds)
                for each in self._plan.rate_trials()
            }
        )

    def grid_trials(self) -> list[Candidate]:
        """Return the candidates of all grids, with the best learning rates.

        Raises:
            PipelineError: as `best_rates` does.
        """
        return self._plan.grid_trials(self.best_rates())

    def grid_results(self) -> dict[Candidate, Tried]:
        """Return what came of every candidate of the grids.

        Raises:
            PipelineError: as `best_rates` does, or a trial has no row.
        """
        seed = self._plan.file.trial_seed
        return {each: self.result(each, seed) for each in self.grid_trials()}

    def counts(self) -> dict[str, int]:
        """Return how many trials the plan asks for, by method.

        Raises:
            PipelineError: as `best_rates` does.
        """
        rates = product(self._plan.rate_trials(), self._plan.file.rate_search.seeds)
        trials = {*rates, *product(self.grid_trials(), [self._plan.file.trial_seed])}
        return {name: sum(each.name == name for each, _ in trials) for name in self._plan.methods}


def _key(trial: Candidate, seed: int) -> _Key:
    return trial.architecture, trial.batch_size, seed, _recipe(trial)


def _recipe(trial: Candidate) -> str:
    # Keys at their default are left out: a key that is added later, which the old trials did not
    # know, does not make them new ones.
    return json.dumps(trial.method.model_dump(exclude_defaults=True), sort_keys=True)
