"""Every variant beside the baseline from which it differs in one factor, seed by seed."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.ablation.plan import Plan, Training
from pipeline.ablation.results import Result, Run
from pipeline.report.statistics import (
    Estimate,
    estimate_columns,
    paired_difference,
    paired_ratio,
)
from pipeline.report.verdicts import Verdict, judge_cost, judge_gain

# The factor in the baselines' own rows.
BASELINE_ROW = "baseline"
# In points of accuracy: one test image in a thousand. A smaller change is no difference, even where
# all seeds agree: among so many comparisons, some agree by chance.
MIN_POINTS = 0.1
# Nor is a cost that is this many times the baseline's, or less, however narrow its interval is.
ALIKE = 1.01
_NOTHING = Estimate(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Outcome:
    """A variant on one architecture.

    Attributes:
        recipe: its keys by name, but for those at their default.
        runs: one per seed.
    """

    variant: str
    architecture: str
    recipe: Mapping[str, Any]
    runs: list[Run]

    @property
    def epochs(self) -> int:
        """How many epochs it trains for."""
        return int(self.recipe["epochs"])

    @property
    def accuracies(self) -> NDArray[np.float64]:
        """(seeds) test accuracies in percent."""
        return np.array([run.test_accuracy for run in self.runs])

    @property
    def accuracy(self) -> float:
        """Their mean."""
        return float(self.accuracies.mean())

    @property
    def accuracy_std(self) -> float:
        """Their standard deviation; not a number for one seed."""
        return float(self.accuracies.std(ddof=1)) if len(self.runs) > 1 else math.nan

    @property
    def validation_accuracy(self) -> float:
        """The mean on the validation images, in percent."""
        return float(np.mean([run.validation_accuracy for run in self.runs]))


@dataclass(frozen=True)
class Comparison:
    """A variant and its baseline on one architecture.

    Attributes:
        factor: in which they differ, or BASELINE_ROW for a baseline beside itself.
        baseline_level: the factor's level in the baseline.
        level: the factor's level in the variant.
        ratios: `time` of the whole training and training `memory`, over the baseline's. Empty if
            both are recipes of params.yaml, which the report compares.
    """

    factor: str
    baseline_level: str
    level: str
    outcome: Outcome
    baseline: Outcome
    ratios: Mapping[str, Estimate]

    @property
    def differences(self) -> NDArray[np.float64]:
        """(seeds) points of test accuracy by which the variant lies above its baseline."""
        return self.outcome.accuracies - self.baseline.accuracies

    @property
    def change(self) -> Estimate:
        """Their mean and range."""
        return paired_difference(self.outcome.accuracies, self.baseline.accuracies)

    @property
    def accuracy_differs(self) -> bool:
        """Whether all seeds agree on the change's sign, and it is at least MIN_POINTS."""
        return judge_gain(self.change, MIN_POINTS) is not Verdict.NO_DIFFERENCE

    @property
    def differing_keys(self) -> dict[str, tuple[Any, Any]]:
        """The keys in which the recipes differ, with the baseline's value and the variant's.

        A default is None.
        """
        own, other = self.baseline.recipe, self.outcome.recipe
        pairs = {key: (own.get(key), other.get(key)) for key in {**own, **other}}
        return {key: (a, b) for key, (a, b) in pairs.items() if a != b}

    @property
    def differing_costs(self) -> list[str]:
        """The names of the ratios that differ from 1."""
        return [
            name
            for name, ratio in self.ratios.items()
            if judge_cost(name, ratio, ALIKE) is not Verdict.NO_DIFFERENCE
        ]


def compare(plan: Plan, results: Mapping[str, Result], costs: pd.DataFrame) -> list[Comparison]:
    """Return each baseline beside itself, then every level of every factor.

    They stand in the order of the plan; the architectures of a level follow each other.

    Args:
        plan: what is compared.
        results: by variant.
        costs: of `results.VariantCosts`.
    """
    found = {name: _outcomes(name, plan.trainings[name], results[name]) for name in results}
    names = dict.fromkeys(factor.baseline for factor in plan.factors)
    comparisons = [
        Comparison(BASELINE_ROW, "", name, own, own, {})
        for name in names
        for own in found[name].values()
    ]
    for factor in plan.factors:
        for variant, level in factor.levels.items():
            for architecture, outcome in found[variant].items():
                baseline = found[factor.baseline][architecture]
                group = costs[
                    (costs["factor"] == factor.name) & (costs["architecture"] == architecture)
                ]
                changes = plan.trainings[variant].changes
                ratios = _ratios(group, outcome, baseline) if changes else {}
                comparisons.append(
                    Comparison(factor.name, factor.level, level, outcome, baseline, ratios)
                )
    return comparisons


def tabulate(comparisons: list[Comparison]) -> pd.DataFrame:
    """Return the table, with a row per comparison.

    Time and memory are ratios alone: what the recipes cost stands in the report's costs.csv.
    """
    return pd.DataFrame([_row(comparison) for comparison in comparisons])


def _ratios(costs: pd.DataFrame, outcome: Outcome, baseline: Outcome) -> dict[str, Estimate]:
    own, other = (
        costs[costs["variant"] == each.variant].sort_values("round") for each in (outcome, baseline)
    )
    epoch, memory = (
        paired_ratio(own[name].to_numpy(np.float64), other[name].to_numpy(np.float64))
        for name in ("epoch_seconds", "training_memory_mib")
    )
    longer = outcome.epochs / baseline.epochs
    time = Estimate(longer * epoch.value, longer * epoch.lower, longer * epoch.upper)
    return {"time": time, "memory": memory}


def _outcomes(variant: str, training: Training, result: Result) -> dict[str, Outcome]:
    """Return what came of `variant` by architecture."""
    return {
        architecture: Outcome(
            variant,
            architecture,
            training.method.model_dump(exclude_defaults=True),
            [run for run in result.runs if run.architecture == architecture],
        )
        for architecture in training.architectures
    }


def _row(comparison: Comparison) -> dict[str, object]:
    outcome = comparison.outcome
    return {
        "factor": comparison.factor,
        "baseline_level": comparison.baseline_level,
        "level": comparison.level,
        "variant": outcome.variant,
        "baseline": comparison.baseline.variant,
        "architecture": outcome.architecture,
        "seeds": len(outcome.runs),
        "epochs": outcome.epochs,
        "test_accuracy": outcome.accuracy,
        "test_accuracy_std": outcome.accuracy_std,
        **estimate_columns("change", comparison.change),
        "validation_accuracy": outcome.validation_accuracy,
        **estimate_columns("time_ratio", comparison.ratios.get("time", _NOTHING)),
        **estimate_columns("memory_ratio", comparison.ratios.get("memory", _NOTHING)),
        "model_kib": outcome.runs[0].model_bytes / 1024,
    }
