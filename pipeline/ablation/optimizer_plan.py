"""ablation/optimizers.yaml and techniques.yaml: what is compared, where, and at which rates."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pipeline.common.errors import PipelineError
from pipeline.config.params import (
    ArchitectureName,
    BatchSize,
    Name,
    Params,
    Section,
    Seed,
    TorchMethod,
)
from pipeline.config.recipes import changed, load_yaml

OPTIMIZERS_FILE = Path("ablation/optimizers.yaml")
TECHNIQUES_FILE = Path("ablation/techniques.yaml")

# Of weights that are signs and nothing else.
LATENT_FREE = ("bop", "second_order_bop")

# What tells a trial from the others of a plan: architecture, optimizer, rate and seed.
Key = tuple[str, str, float, int]

_Technique = Literal[
    "flips",
    "one_cycle",
    "growing_batch",
    "growing_width",
    "importance_sampling",
    "reste",
    "two_stages",
    "shortcuts",
    "quantile_levels",
]
_Text = Annotated[str, Field(min_length=1)]
_Positive = Annotated[float, Field(gt=0)]


class Cell(Section):
    """A network and how it is trained, whatever the optimizer."""

    architecture: ArchitectureName
    batch_size: BatchSize
    epochs: Annotated[int, Field(ge=1)]


class Optimizer(Section):
    """An update rule of `optimizers.py`, its own numbers, and its rates.

    Attributes:
        name: in the report.
        rule: see `optimizer_trials.create_rule`.
        bits: of latent weights; 32 is float32.
        momentum: of RowProp.
        threshold: of Bop and second-order Bop.
        technique: one of `techniques.TECHNIQUES`, beside RowProp.
        rate: the middle of the rates that are tried, by architecture; it is tried on no other.
    """

    name: _Text
    rule: Literal["rowprop", "rank_one", "adam", "lion", "sm3", "bop", "second_order_bop"]
    bits: Literal[4, 6, 8, 16, 32] | None = None
    momentum: Annotated[float, Field(gt=0, lt=1)] | None = None
    threshold: dict[ArchitectureName, _Positive] | None = None
    technique: _Technique | None = None
    rate: Annotated[dict[ArchitectureName, _Positive], Field(min_length=1)]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        latent_free = self.rule in LATENT_FREE
        if latent_free != (self.bits is None):
            raise ValueError("bits belongs to latent weights, which every rule but Bop's has")
        if latent_free != (self.threshold is not None):
            raise ValueError("threshold belongs to bop and second_order_bop, and only to them")
        if self.momentum is not None and self.rule != "rowprop":
            raise ValueError("momentum belongs to rowprop, and only to it")
        if self.technique is not None and self.rule != "rowprop":
            raise ValueError("a technique belongs to rowprop, and only to it")
        return self


class OptimizersFile(Section):
    """The whole of either file.

    Attributes:
        base: the recipe of params.yaml that they share: a binary network in torch.
        normalization_rate: at which Adam trains batch normalization, beside every optimizer.
        seeds: the first chooses the rate, by validation accuracy.
        factors: of the middle of an optimizer's rates: those that are tried, ascending.
        baseline: the optimizer that the others are compared with.
    """

    base: Name
    normalization_rate: _Positive
    seeds: Annotated[list[Seed], Field(min_length=1)]
    factors: Annotated[list[_Positive], Field(min_length=1)]
    cells: Annotated[list[Cell], Field(min_length=1)]
    baseline: _Text
    optimizers: Annotated[list[Optimizer], Field(min_length=1)]


@dataclass(frozen=True)
class Trial:
    """One training."""

    cell: Cell
    optimizer: Optimizer
    rate: float
    seed: int

    @property
    def key(self) -> Key:
        """What tells it from the others."""
        return self.cell.architecture, self.optimizer.name, self.rate, self.seed

    @property
    def threshold(self) -> float | None:
        """Bop's, on this network."""
        thresholds = self.optimizer.threshold
        return None if thresholds is None else thresholds[self.cell.architecture]

    @property
    def settings(self) -> str:
        """The optimizer's own numbers, in words."""
        numbers = {
            "bits": self.optimizer.bits,
            "momentum": self.optimizer.momentum,
            "threshold": self.threshold,
            "technique": self.optimizer.technique,
        }
        return " ".join(f"{key}={value}" for key, value in numbers.items() if value is not None)


@dataclass(frozen=True)
class OptimizersPlan:
    """What is compared.

    Attributes:
        path: where it is written.
        file: the plan as it is written.
        method: the recipe that all share, with the learning rate of batch normalization; each cell
            has epochs of its own.
    """

    path: Path
    file: OptimizersFile
    method: TorchMethod

    @property
    def results(self) -> Path:
        """The folder of its results."""
        return Path("ablation/results") / self.path.stem

    def on(self, cell: Cell) -> list[Optimizer]:
        """Return what is compared on a network."""
        return [each for each in self.file.optimizers if cell.architecture in each.rate]

    @property
    def trials_of_each(self) -> int:
        """How many trials an optimizer gets on a network."""
        return len(self.file.factors) + len(self.file.seeds) - 1

    def grid(self, cell: Cell, optimizer: Optimizer) -> list[Trial]:
        """Return the trials that choose the rate, in ascending order of the rates."""
        middle = optimizer.rate[cell.architecture]
        # As many digits as a rate in the file may have: factors leave no 0.30000000000000004.
        rates = [float(f"{middle * factor:.6g}") for factor in self.file.factors]
        return [Trial(cell, optimizer, rate, self.file.seeds[0]) for rate in rates]

    def more_seeds(self, chosen: Trial) -> list[Trial]:
        """Return the trials of the other seeds, at the rate that was chosen."""
        return [
            Trial(chosen.cell, chosen.optimizer, chosen.rate, seed) for seed in self.file.seeds[1:]
        ]


def load_optimizers(params: Params, path: Path = OPTIMIZERS_FILE) -> OptimizersPlan:
    """Read ablation/optimizers.yaml, or techniques.yaml, and check it against `params`.

    Raises:
        PipelineError: it is missing or not valid.
    """
    file = load_yaml(path, OptimizersFile)
    method = params.groups.torch.get(file.base)
    if method is None or method.weights != "deterministic":
        raise PipelineError(
            f"{path}: base {file.base} is no method of params.yaml that torch trains "
            "with deterministic weights: name one that is"
        )
    names = [optimizer.name for optimizer in file.optimizers]
    if len(set(names)) < len(names) or file.baseline not in names:
        raise PipelineError(
            f"{path}: each optimizer needs a name of its own, and baseline must be one "
            f"of them; the names are {', '.join(names)}"
        )
    architectures = [cell.architecture for cell in file.cells]
    if len(set(architectures)) < len(architectures):
        raise PipelineError(f"{path}: an architecture has two cells: leave one out")
    for optimizer in file.optimizers:
        for numbers in (optimizer.rate, optimizer.threshold):
            # A technique may be of no use on a network.
            fits = set(optimizer.rate) if optimizer.technique else set(architectures)
            if numbers is not None and not fits == set(numbers) <= set(architectures):
                raise PipelineError(
                    f"{path}: {optimizer.name} needs a rate, and Bop a threshold, for "
                    f"each of {', '.join(architectures)} and for no other architecture"
                )
    if sorted(set(file.factors)) != file.factors or sorted(set(file.seeds)) != file.seeds:
        raise PipelineError(f"{path}: factors and seeds must ascend")
    rate = {"learning_rate": file.normalization_rate}
    changed_method = changed(method, rate, f"{path}: normalization_rate")
    assert isinstance(changed_method, TorchMethod)
    return OptimizersPlan(path, file, changed_method)
