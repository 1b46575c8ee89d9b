"""Every variant beside the reference that it differs from in one ingredient, seed by seed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.ablation.plan import Plan, Training
from pipeline.ablation.results import Result, Run
from pipeline.common.units import MIB
from pipeline.report.statistics import Estimate, paired_difference
from pipeline.report.verdicts import Verdict, judge_cost, judge_gain

# The ingredient of the references' own rows.
REFERENCE = "reference"
# Two variants are measured minutes apart, and see a machine that is not quite the same: where
# nothing that is computed differs, as with another latent range, times came out 1.3 apart.
ALIKE_COSTS = 1.35
# Points of accuracy: one test image in a thousand. Less is said to be no difference, though seeds
# agree: of so many comparisons some agree by chance.
LEAST_POINTS = 0.1


@dataclass(frozen=True)
class Outcome:
    """A variant on one architecture.

    Attributes:
        recipe: its keys by name, but for those at their default.
        runs: one a seed.
    """

    variant: str
    architecture: str
    recipe: Mapping[str, Any]
    runs: list[Run]

    @property
    def epochs(self) -> int:
        """Of training."""
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
        """Their standard deviation; not a number of one seed."""
        return float(self.accuracies.std(ddof=1)) if len(self.runs) > 1 else math.nan

    @property
    def validation_accuracy(self) -> float:
        """The mean on the validation images, in percent."""
        return float(np.mean([run.validation_accuracy for run in self.runs]))

    @property
    def epoch_seconds(self) -> float:
        """Of training: the median over seeds."""
        return float(np.median([run.epoch_seconds for run in self.runs]))

    @property
    def training_seconds(self) -> float:
        """Of all epochs."""
        return self.epoch_seconds * self.epochs

    @property
    def costs(self) -> dict[str, list[float]]:
        """Of each run: the seconds of all epochs (`time`) and the bytes to train (`memory`)."""
        return {
            "time": [run.epoch_seconds * self.epochs for run in self.runs],
            "memory": [float(run.training_memory) for run in self.runs],
        }

    @property
    def training_mib(self) -> float:
        """Memory to train: the median over seeds."""
        return float(np.median([run.training_memory for run in self.runs])) / MIB


@dataclass(frozen=True)
class Comparison:
    """A variant and its reference on one architecture.

    Attributes:
        ingredient: that they differ in, or REFERENCE for a reference beside itself.
        chosen: the reference's setting.
        setting: the variant's.
    """

    ingredient: str
    chosen: str
    setting: str
    outcome: Outcome
    reference: Outcome

    @property
    def differences(self) -> NDArray[np.float64]:
        """(seeds) points of test accuracy that the variant has more than its reference."""
        return self.outcome.accuracies - self.reference.accuracies

    @property
    def change(self) -> Estimate:
        """Their mean and range."""
        return paired_difference(self.outcome.accuracies, self.reference.accuracies)

    @property
    def accuracy_differs(self) -> bool:
        """Whether all seeds agree on the change's sign, and it is not less than LEAST_POINTS."""
        return judge_gain(self.change, LEAST_POINTS) is not Verdict.NO_DIFFERENCE

    @property
    def differing_keys(self) -> dict[str, tuple[Any, Any]]:
        """The keys in which the recipes differ, with the reference's value and the variant's.

        A default is None.
        """
        own, other = self.reference.recipe, self.outcome.recipe
        pairs = {key: (own.get(key), other.get(key)) for key in {**own, **other}}
        return {key: (a, b) for key, (a, b) in pairs.items() if a != b}

    @property
    def ratios(self) -> dict[str, Estimate]:
        """Time of the whole training and memory to train, over the reference's: see `_ratio`."""
        own = self.reference.costs
        return {name: _ratio(values, own[name]) for name, values in self.outcome.costs.items()}

    @property
    def differing_costs(self) -> list[str]:
        """The names of the ratios that are further from 1 than what the machine does to them.

        The range over seeds does not hold 1, and the ratio is beyond ALIKE_COSTS and beyond the
        range of the reference's own seeds beside each other.
        """
        own = self.reference.costs
        return [
            name
            for name, ratio in self.ratios.items()
            if judge_cost(name, ratio, ALIKE_COSTS) is not Verdict.NO_DIFFERENCE
            and not _ratio(own[name], own[name]).holds(ratio.value)
        ]


def compare(plan: Plan, results: Mapping[str, Result]) -> list[Comparison]:
    """Return each reference beside itself, then every setting of every ingredient.

    In the order of the plan; the architectures of a setting follow each other.
    """
    found = {name: _outcomes(name, plan.trainings[name], results[name]) for name in results}
    names = dict.fromkeys(ingredient.reference for ingredient in plan.ingredients)
    rows = [(REFERENCE, "", name, name, name) for name in names]
    rows += [
        (ingredient.name, ingredient.chosen, setting, variant, ingredient.reference)
        for ingredient in plan.ingredients
        for variant, setting in ingredient.settings.items()
    ]
    return [
        Comparison(ingredient, chosen, setting, outcome, found[reference][architecture])
        for ingredient, chosen, setting, variant, reference in rows
        for architecture, outcome in found[variant].items()
    ]


def tabulate(comparisons: list[Comparison]) -> pd.DataFrame:
    """Return the table, a row a comparison."""
    return pd.DataFrame([_row(each) for each in comparisons])


def _ratio(values: Sequence[float], baseline: Sequence[float]) -> Estimate:
    """Return the ratio of the medians, and the range of all ratios of a value to another.

    Not paired by seed: what differs between seeds is the machine's doing.
    """
    return Estimate(
        float(np.median(values) / np.median(baseline)),
        min(values) / max(baseline),
        max(values) / min(baseline),
    )


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
    outcome, ratios = comparison.outcome, comparison.ratios
    return {
        "ingredient": comparison.ingredient,
        "chosen": comparison.chosen,
        "setting": comparison.setting,
        "variant": outcome.variant,
        "reference": comparison.reference.variant,
        "architecture": outcome.architecture,
        "seeds": len(outcome.runs),
        "epochs": outcome.epochs,
        "test_accuracy": outcome.accuracy,
        "test_accuracy_std": outcome.accuracy_std,
        **_estimate("change", comparison.change),
        "validation_accuracy": outcome.validation_accuracy,
        "epoch_seconds": outcome.epoch_seconds,
        "training_seconds": outcome.training_seconds,
        **_estimate("time_ratio", ratios["time"]),
        "training_memory_mib": outcome.training_mib,
        **_estimate("memory_ratio", ratios["memory"]),
        "model_kib": outcome.runs[0].model_bytes / 1024,
    }


def _estimate(name: str, estimate: Estimate) -> dict[str, float]:
    return {
        name: estimate.value,
        f"{name}_lower": estimate.lower,
        f"{name}_upper": estimate.upper,
    }
