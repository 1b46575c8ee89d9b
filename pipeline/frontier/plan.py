"""frontier/frontier.yaml: what is tried, how the best is chosen, and how it is measured."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field, ValidationError

from pipeline.common.errors import PipelineError
from pipeline.config.names import BASELINE
from pipeline.config.params import (
    ArchitectureName,
    BatchSize,
    Method,
    Name,
    PackedMethod,
    Section,
    Seed,
    Threads,
    TorchMethod,
    explain,
)
from pipeline.config.recipes import load_yaml

PLAN_FILE = Path("frontier/frontier.yaml")
# What the binary network in torch is called, which is timed and not searched.
SIMULATED = "simulated"
# As many as `pipeline.inference` times in one process.
_MOST_PACKED = 2

# A key of a method, and of the rates: a method's name and a batch size.
RateKey = tuple[str, int]
_Epochs = Annotated[int, Field(ge=1)]
_Kind = TypeVar("_Kind", TorchMethod, PackedMethod)


class Grid(Section):
    """Networks that are tried: every combination."""

    architectures: Annotated[list[ArchitectureName], Field(min_length=1)]
    batch_sizes: Annotated[list[BatchSize], Field(min_length=1)]
    epochs: Annotated[list[_Epochs], Field(min_length=1)]


class Searched(Section):
    """A method, and what is tried of it.

    Attributes:
        recipe: its keys but for `epochs` and `learning_rate`.
        rates: learning rates that are tried at every batch size, ascending.
        grids: the networks that are tried with the best of them.
    """

    recipe: dict[str, Any]
    rates: Annotated[list[float], Field(min_length=3)]
    grids: Annotated[list[Grid], Field(min_length=1)]

    @property
    def batch_sizes(self) -> list[int]:
        """Those of all grids, ascending."""
        return sorted({size for grid in self.grids for size in grid.batch_sizes})


class SearchedGroups(Section):
    """The methods by engine, as in params.yaml."""

    torch: dict[Name, Searched]
    packed: dict[Name, Searched]


class RateSearch(Section):
    """The network on which learning rates are compared, and the seeds of each."""

    architecture: ArchitectureName
    epochs: _Epochs
    seeds: Annotated[list[Seed], Field(min_length=1)]


class PointsPlan(Section):
    """Which candidates are trained again, to be judged.

    Attributes:
        seeds: of each.
        least_gain: points of validation accuracy by which one on a frontier exceeds the one before.
        nearest: how many are added for each target and method, the cheapest that reach it.
    """

    seeds: Annotated[list[Seed], Field(min_length=1)]
    least_gain: Annotated[float, Field(ge=0)]
    nearest: Annotated[int, Field(ge=1)]


class RecordsPlan(Section):
    """What counts as reaching an accuracy.

    Attributes:
        targets: test accuracies in percent, ascending.
        margins: points by which the mean validation accuracy of a record exceeds its target, by
            method.
        seeds: of each record.
        simulated: the recipe of a network in torch with the layers of a binary record, but for its
            number of epochs.
    """

    targets: Annotated[list[Annotated[float, Field(gt=0, le=100)]], Field(min_length=1)]
    margins: dict[Name, Annotated[float, Field(ge=0)]]
    seeds: Annotated[list[Seed], Field(min_length=1)]
    simulated: dict[str, Any]


class Rounds(Section):
    """How often each is measured."""

    costs: Annotated[int, Field(ge=1)]
    records: Annotated[int, Field(ge=1)]


class LatencyPlan(Section):
    """How predictions are timed: so many images a call, each runtime for `seconds` in a round."""

    batch_sizes: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)]
    rounds: Annotated[int, Field(ge=1)]
    seconds: Annotated[float, Field(gt=0, le=3600)]


class MeasurePlan(Section):
    """How time is measured.

    Attributes:
        threads: of the records; of all else, the first.
        rounds: of fresh processes.
        seconds: that each process trains for.
        latency: of predictions.
    """

    threads: Annotated[list[Threads], Field(min_length=1)]
    rounds: Rounds
    seconds: Annotated[float, Field(gt=0, le=3600)]
    latency: LatencyPlan


class PlanFile(Section):
    """The whole of frontier/frontier.yaml."""

    methods: SearchedGroups
    rate_search: RateSearch
    trial_seed: Seed
    points: PointsPlan
    records: RecordsPlan
    measure: MeasurePlan


@dataclass(frozen=True)
class Candidate:
    """A network and how it is trained.

    Attributes:
        name: of the method in frontier.yaml.
        method: its recipe, with epochs and learning rate.
        architecture: the network's name.
        batch_size: of training.
    """

    name: str
    method: Method
    architecture: str
    batch_size: int

    def columns(self) -> dict[str, Any]:
        """Return what tells it from others, as the tables have it."""
        return {
            "method": self.name,
            "architecture": self.architecture,
            "batch_size": self.batch_size,
            "epochs": self.method.epochs,
            "learning_rate": self.method.learning_rate,
        }

    def __str__(self) -> str:
        return (
            f"{self.name} {self.architecture}, batch {self.batch_size}, "
            f"epochs {self.method.epochs}, rate {self.method.learning_rate:g}"
        )


class Plan:
    """frontier.yaml, and the candidates that follow from it."""

    def __init__(self, file: PlanFile) -> None:
        """Check that every recipe can be, and that no seed both chooses and judges.

        Raises:
            PipelineError: it is otherwise.
        """
        self.file = file
        self.methods: dict[str, Searched] = {**file.methods.torch, **file.methods.packed}
        packed = len(file.methods.packed)
        if list(file.methods.torch) != [BASELINE] or not 1 <= packed <= _MOST_PACKED:
            raise PipelineError(
                f"{PLAN_FILE}: methods must be {BASELINE} in torch, and one or two packed"
            )
        if {BASELINE, SIMULATED} & set(file.methods.packed):
            raise PipelineError(f"{PLAN_FILE}: no packed method can be {BASELINE} or {SIMULATED}")
        if set(file.records.margins) != set(self.methods):
            raise PipelineError(f"{PLAN_FILE}: records.margins must have one for each method")
        for name, searched in self.methods.items():
            if searched.rates != sorted(set(searched.rates)):
                raise PipelineError(f"{PLAN_FILE}: {name}: rates must ascend")
            self._method(name, 1, searched.rates[0])
        self._simulated(1)
        chose = [file.trial_seed, *file.rate_search.seeds]
        judge = [*file.points.seeds, *file.records.seeds]
        if set(chose) & set(judge) or len(set(judge)) < len(judge):
            raise PipelineError(
                f"{PLAN_FILE}: trials, points and records must have seeds of their own: those that "
                "chose a network do not judge it"
            )

    def rate_trials(self) -> Iterator[Candidate]:
        """Yield the trials that compare learning rates, by method and batch size."""
        architecture, epochs = self.file.rate_search.architecture, self.file.rate_search.epochs
        for name, searched in self.methods.items():
            for batch, rate in product(searched.batch_sizes, searched.rates):
                yield Candidate(name, self._method(name, epochs, rate), architecture, batch)

    def best_rates(self, accuracies: Mapping[Candidate, float]) -> dict[RateKey, float]:
        """Return the most accurate learning rate for each method and batch size.

        Args:
            accuracies: percent on the validation images, the mean over seeds, of all `rate_trials`.

        Raises:
            PipelineError: the best is the first or the last that was tried: a better one may lie
                beyond it.
        """
        best: dict[RateKey, Candidate] = {}
        for trial in self.rate_trials():
            key = trial.name, trial.batch_size
            if key not in best or accuracies[trial] > accuracies[best[key]]:
                best[key] = trial
        rates = {key: trial.method.learning_rate for key, trial in best.items()}
        for (name, batch), rate in rates.items():
            tried = self.methods[name].rates
            if rate in (tried[0], tried[-1]):
                raise PipelineError(
                    f"{PLAN_FILE}: {name}: at batch {batch} the best learning rate is {rate:g}, "
                    "at the end of those that were tried: add one beyond it to rates"
                )
        return rates

    def grid_trials(self, rates: Mapping[RateKey, float]) -> list[Candidate]:
        """Return the candidates of all grids, each once, with the learning rates in `rates`."""
        found: dict[Candidate, None] = {}
        for name, searched in self.methods.items():
            for grid in searched.grids:
                for architecture, batch, epochs in product(
                    grid.architectures, grid.batch_sizes, grid.epochs
                ):
                    method = self._method(name, epochs, rates[name, batch])
                    found[Candidate(name, method, architecture, batch)] = None
        return list(found)

    def least_validation(self, name: str, target: float) -> float:
        """Return the validation accuracy, in percent, that a method needs for a target."""
        return target + self.file.records.margins[name]

    def simulated(self, record: Candidate) -> Candidate:
        """Return the simulated network that has the layers, batch and epochs of `record`."""
        return replace(record, name=SIMULATED, method=self._simulated(record.method.epochs))

    def _simulated(self, epochs: int) -> Method:
        keys = self.file.records.simulated | {"epochs": epochs}
        return _validated(TorchMethod, keys, "records.simulated")

    def _method(self, name: str, epochs: int, rate: float) -> Method:
        keys = self.methods[name].recipe | {"epochs": epochs, "learning_rate": rate}
        if name in self.file.methods.torch:
            return _validated(TorchMethod, keys, name)
        return _validated(PackedMethod, keys, name)


def _validated(kind: type[_Kind], keys: Mapping[str, Any], where: str) -> _Kind:
    try:
        return kind.model_validate(keys)
    except ValidationError as error:
        raise PipelineError(f"{PLAN_FILE}: {where}: {'; '.join(explain(error))}") from None


def load_plan() -> Plan:
    """Read frontier/frontier.yaml.

    Raises:
        PipelineError: it is missing or not valid, or a recipe cannot be.
    """
    return Plan(load_yaml(PLAN_FILE, PlanFile))
