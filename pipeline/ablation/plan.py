"""ablation/variants.yaml: what is trained, and what is compared with what."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from pipeline.common.errors import PipelineError
from pipeline.config.params import ArchitectureName, Method, Name, Params, Section
from pipeline.config.recipes import changed, load_yaml

PLAN_FILE = Path("ablation/variants.yaml")

VariantName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
_Text = Annotated[str, Field(min_length=1)]


class Variant(Section):
    """A recipe of params.yaml with a few keys changed.

    Attributes:
        base: the method of params.yaml, of the same engine.
        set: values by key of that method; none leaves the recipe as it is.
        architectures: those it is trained on; all of params.yaml unless listed.
    """

    base: Name
    set: dict[str, Any] = Field(default_factory=dict)
    architectures: Annotated[list[ArchitectureName], Field(min_length=1)] | None = None


class VariantGroups(Section):
    """The variants by engine, so that a change of one engine retrains its own alone."""

    torch: dict[VariantName, Variant]
    packed: dict[VariantName, Variant]


class Factor(Section):
    """A part of a recipe that is varied, and the variants at its other levels.

    Attributes:
        name: a few words.
        text: what it is.
        source: where it comes from: a paper, or that it is this project's own.
        baseline: the variant with which the others are compared: it has the recipe's level.
        level: that level, in a word or two.
        levels: the levels of the others, by variant.
    """

    name: _Text
    text: _Text
    source: _Text
    baseline: VariantName
    level: _Text
    levels: Annotated[dict[VariantName, _Text], Field(min_length=1)]


class CostsPlan(Section):
    """How time is measured: each variant's process trains for `seconds`, once per round."""

    rounds: Annotated[int, Field(ge=1)]
    seconds: Annotated[float, Field(gt=0, le=3600)]


class PlanFile(Section):
    """The whole of ablation/variants.yaml."""

    variants: VariantGroups
    costs: CostsPlan
    factors: Annotated[list[Factor], Field(min_length=1)]


@dataclass(frozen=True)
class Training:
    """A variant as it is trained.

    Attributes:
        method: its recipe.
        architectures: those it is trained on.
        changes: whether the recipe is another than its base: what a recipe of params.yaml itself
            costs, the report says.
    """

    method: Method
    architectures: list[str]
    changes: bool


@dataclass(frozen=True)
class Plan:
    """Trainings by variant, the factors in the order of the report, and how costs are measured."""

    trainings: dict[str, Training]
    factors: list[Factor]
    costs: CostsPlan

    def training(self, variant: str) -> Training:
        """Return the training of `variant`.

        Raises:
            PipelineError: there is no such variant; the message lists those that there are.
        """
        if variant not in self.trainings:
            raise PipelineError(
                f"unknown variant {variant}: {PLAN_FILE} has {', '.join(self.trainings)}"
            )
        return self.trainings[variant]


def load_plan(params: Params) -> Plan:
    """Read ablation/variants.yaml and check it against `params`.

    Raises:
        PipelineError: it is missing or not valid; a recipe cannot be, or changes nothing; or an
            factor compares what is not trained.
    """
    file = load_yaml(PLAN_FILE, PlanFile)
    groups = (
        (file.variants.torch, params.groups.torch),
        (file.variants.packed, params.groups.packed),
    )
    trainings: dict[str, Training] = {}
    for variants, methods in groups:
        for name, variant in variants.items():
            where = f"{PLAN_FILE}: {name}"
            if name in trainings:
                raise PipelineError(f"{where}: the name of two variants")
            if variant.base not in methods:
                raise PipelineError(
                    f"{where}: base {variant.base} is none of {', '.join(methods)} in params.yaml"
                )
            trainings[name] = _training(params, variant, methods[variant.base], where)
    for factor in file.factors:
        _check_compares(factor, trainings)
    compared = {name for each in file.factors for name in (each.baseline, *each.levels)}
    if idle := [name for name in trainings if name not in compared]:
        raise PipelineError(f"{PLAN_FILE}: {idle[0]}: no factor compares it")
    return Plan(trainings, file.factors, file.costs)


def _training(params: Params, variant: Variant, base: Method, where: str) -> Training:
    base = base.model_copy(update={"convolutional": None})
    method = changed(base, variant.set, where)
    for key in variant.set:
        if getattr(method, key) == getattr(base, key):
            raise PipelineError(
                f"{where}: {key} is {getattr(base, key)} in {variant.base} already: "
                "change it to something else, or leave it out"
            )
    architectures = variant.architectures or params.connected_architectures
    if len(set(architectures)) < len(architectures):
        raise PipelineError(f"{where}: an architecture is listed twice")
    for architecture in architectures:
        if architecture not in params.architectures:
            raise PipelineError(
                f"{where}: unknown architecture {architecture}: params.yaml has "
                f"{', '.join(params.architectures)}"
            )
    return Training(method, architectures, bool(variant.set))


def _check_compares(factor: Factor, trainings: dict[str, Training]) -> None:
    where = f"{PLAN_FILE}: {factor.name}"
    for name in (factor.baseline, *factor.levels):
        if name not in trainings:
            raise PipelineError(f"{where}: {name} is no variant")
    has = trainings[factor.baseline].architectures
    for name in factor.levels:
        for architecture in trainings[name].architectures:
            if architecture not in has:
                raise PipelineError(
                    f"{where}: {name} is trained on {architecture}, and {factor.baseline}, "
                    "which it is compared with, is not"
                )
