"""`params.yaml` as validated, frozen models; every error names the key's path."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from pipeline.common.errors import PipelineError, printable
from pipeline.common.serialization import load_yaml
from pipeline.config.architecture import parse_name
from pipeline.config.names import BASELINE

PARAMS_FILE = Path("params.yaml")
# Of those in a file, so many are told.
_MAX_PROBLEMS = 20


def _once_each(values: list[Any]) -> list[Any]:
    # What is measured twice would count as two measurements.
    seen = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{printable(str(value))} is listed twice")
        seen.add(value)
    return values


def _architecture_name(name: str) -> str:
    parse_name(name)
    return name


Binarization = Literal["float32", "deterministic", "stochastic"]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
ArchitectureName = Annotated[str, AfterValidator(_architecture_name)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
BatchSize = Annotated[int, Field(ge=2)]
# Above 8 every pixel that is not black would be in the upper half of the levels.
Gamma = Annotated[int, Field(ge=1, le=8)]
# So far from any use that float32 still holds a step of it.
LearningRate = Annotated[float, Field(gt=0, le=1000)]
# Each pass holds the network's bits again.
Passes = Annotated[int, Field(ge=1, le=16)]
Threads = Annotated[int, Field(ge=1, le=256)]
_Width = Annotated[int, Field(ge=1, le=99999)]
_Item = TypeVar("_Item")
_Values = Annotated[list[_Item], Field(min_length=1), AfterValidator(_once_each)]


class Section(BaseModel):
    """Keys of a YAML file: all known, of the right type, never changed.

    A validator is built when it is first used: a section is validated as a part of the whole, and a
    process that is given a method validates none. All of them take 2 MiB.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True
    )


class DataParams(Section):
    """Where the images come from and how they are split."""

    dataset: Literal[
        "fashion-mnist", "mnist", "kmnist", "emnist-balanced", "emnist-digits", "emnist-letters"
    ]
    source: Annotated[str, Field(min_length=1)]
    class_names: _Values[Annotated[str, Field(min_length=1)]] | None
    train_images: Annotated[int, Field(ge=1)]
    validation_images: Annotated[int, Field(ge=1)]
    split_seed: Seed


class TrainParams(Section):
    """How all methods train.

    Attributes:
        batch_size: of the methods that name none of their own, and of the scaling figures.
        threads: of all.
    """

    batch_size: BatchSize
    threads: Threads


class ConvolutionalParams(Section):
    """What differs in a method's recipe where a network has convolutions."""

    epochs: Annotated[int, Field(ge=1)] | None = None
    batch_size: BatchSize | None = None
    learning_rate: LearningRate | None = None


class _Method(Section):
    """What every way to train has: the numbers and the length of the recipe.

    Attributes:
        batch_size: how many images a step sees. In params.yaml it is `train.batch_size` where a
            method names none.
        pixel_gamma: of the curve that pixels go through first (`pipeline.data.gamma`); 1 is none.
        label_smoothing: the share of a label's probability that goes to all classes alike
            (Szegedy et al. 2016, arXiv 1512.00567, section 7).
        convolutional: what differs for networks of convolutions; see `Params.recipe`.
    """

    weights: Binarization
    activations: Binarization
    epochs: Annotated[int, Field(ge=1)]
    batch_size: BatchSize = 100
    learning_rate: LearningRate
    pixel_gamma: Gamma = 1
    schedule: Literal["cosine", "exponential", "constant"]
    weight_noise: Literal["constant", "annealed"] | None = None
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    convolutional: ConvolutionalParams | None = None

    @model_validator(mode="after")
    def _noise_fits(self) -> Self:
        if (self.weights == "stochastic") != (self.weight_noise is not None):
            raise ValueError("weight_noise belongs to stochastic weights, and only to them")
        return self


class TorchMethod(_Method):
    """A network in torch: float32, or binary and simulated in float32.

    Attributes:
        latent_range: of the uniform distribution, from its negative, that latent weights are drawn
            from; they are clipped at 1 whatever it is.
    """

    pixel_bits: Annotated[int, Field(ge=1, le=8)]
    optimizer: Literal["adam", "momentum", "sgd"]
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    latent_range: Annotated[float, Field(gt=0, le=1)] | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.weights == "float32") != (self.activations == "float32"):
            raise ValueError("weights and activations must be both float32 or both binary")
        if self.weights == "float32" and self.pixel_gamma != 1:
            raise ValueError(
                "pixel_gamma must be 1 for float32 weights: other runtimes give them pixels as "
                "they are, and they gain nothing by it"
            )
        if (self.weights == "float32") != (self.latent_range is None):
            raise ValueError("latent_range belongs to binary weights, and only to them")
        if self.weights != "float32" and self.weight_decay:
            raise ValueError(
                "weight_decay must be 0 for binary weights: it would pull the latent weights "
                "to 0, where their signs are noise"
            )
        return self


class PackedMethod(_Method):
    """A binary network trained in bits.

    Attributes:
        gradient_bits: of the gradients in the backward pass's products; 32 is exact.
        optimizer: of the binary weights: see `engines.packed.weights`.
        latent_bits: of RowProp's latent weights. Adam's are float32, as its moments are.
        latent_range: as in `TorchMethod`.
        bop_adaptivity: gamma of Bop (arXiv 1906.02107), at the learning rate's start: it falls with
            the schedule.
        bop_threshold: tau of Bop.
        prediction_passes: whose mean score is the prediction, where activations are stochastic: see
            `engines.packed.model`. Each costs as much as a prediction by signs, which 1 is.
    """

    weights: Literal["deterministic", "stochastic"]
    activations: Literal["deterministic", "stochastic"]
    pixel_bits: Annotated[int, Field(ge=1, le=4)]
    gradient_bits: Literal[2, 4, 8, 32]
    optimizer: Literal["rowprop", "adam", "bop"]
    latent_bits: Literal[8, 16] | None = None
    latent_range: Annotated[float, Field(gt=0, le=1)] | None = None
    bop_adaptivity: Annotated[float, Field(gt=0, le=1)] | None = None
    bop_threshold: Annotated[float, Field(ge=0)] | None = None
    prediction_passes: Passes = 1

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        owners = {
            "latent_bits": ["rowprop"],
            "latent_range": ["rowprop", "adam"],
            "bop_adaptivity": ["bop"],
            "bop_threshold": ["bop"],
        }
        for key, of_key in owners.items():
            if (self.optimizer in of_key) != (getattr(self, key) is not None):
                owner = " or ".join(of_key)
                raise ValueError(f"{key} belongs to optimizer: {owner}, and only to it")
        if self.optimizer == "bop" and self.weights == "stochastic":
            raise ValueError("bop has no latent weights to binarize stochastically")
        if self.activations == "deterministic" and self.prediction_passes > 1:
            raise ValueError("prediction_passes above 1 belongs to stochastic activations")
        return self


Method = TorchMethod | PackedMethod


class MethodGroups(Section):
    """The methods by engine, so that a change of one engine retrains its own networks only."""

    torch: Annotated[dict[Name, TorchMethod], Field(min_length=1)]
    packed: Annotated[dict[Name, PackedMethod], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        if twice := set(self.torch) & set(self.packed):
            raise ValueError(f"{', '.join(sorted(twice))}: the name of two methods")
        return self


class Grid(Section):
    """Where scaling is measured: each axis by itself, the others as in training."""

    widths: _Values[_Width]
    batch_sizes: _Values[BatchSize]
    depths: _Values[Annotated[int, Field(ge=1, le=64)]]
    threads: _Values[Threads]


class ScalingParams(Section):
    """How time and memory are measured against width, batch size, depth and threads.

    Attributes:
        methods: those that are measured, the baseline among them.
        width: of the hidden layers, where another axis is varied.
        rounds: how often each method is measured.
        default, full: the grids that `profile.grid` chooses from.
    """

    methods: _Values[Name]
    width: _Width
    rounds: Annotated[int, Field(ge=1)]
    default: Grid
    full: Grid


class ProfileParams(Section):
    """How time and memory are measured."""

    batch_sizes: _Values[BatchSize]
    rounds: Annotated[int, Field(ge=1)]
    seconds: Annotated[float, Field(gt=0, le=3600)]
    sample_seconds: Annotated[float, Field(gt=0, le=10)]
    grid: Literal["default", "full"]
    scaling: ScalingParams

    @property
    def chosen_grid(self) -> Grid:
        """The grid that `grid` names."""
        return self.scaling.default if self.grid == "default" else self.scaling.full


class InferenceParams(Section):
    """How the trained network is compared with other runtimes.

    Attributes:
        method: the packed method whose network it is, trained with the first seed.
        passes_method: the packed method that is measured beside it for what its prediction
            passes cost.
    """

    method: Name
    passes_method: Name
    batch_sizes: _Values[Annotated[int, Field(ge=1, le=1_000_000)]]
    threads: _Values[Threads]
    rounds: Annotated[int, Field(ge=1)]
    seconds: Annotated[float, Field(gt=0, le=3600)]


class BenchmarkParams(Section):
    """How the kernels are timed."""

    rounds: Annotated[int, Field(ge=1)]


class Params(Section):
    """The whole of `params.yaml`."""

    architectures: _Values[ArchitectureName]
    seeds: _Values[Seed]
    data: DataParams
    train: TrainParams
    groups: Annotated[MethodGroups, Field(alias="methods")]
    profile: ProfileParams
    inference: InferenceParams
    benchmark: BenchmarkParams

    @model_validator(mode="before")
    @classmethod
    def _share_batch_size(cls, values: Any) -> Any:
        """Give the methods that name no batch size that of `train`."""
        try:
            shared = {"batch_size": values["train"]["batch_size"]}
            groups = {
                group: {name: {**shared, **method} for name, method in methods.items()}
                for group, methods in values["methods"].items()
            }
        except (AttributeError, KeyError, TypeError):
            # What is missing or of another kind is told by those who validate it.
            return values
        return {**values, "methods": groups}

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if BASELINE not in self.groups.torch:
            raise ValueError(
                f"methods.torch.{BASELINE} is missing: it is the baseline of every ratio"
            )
        if self.methods[BASELINE].weights != "float32":
            raise ValueError(
                f"methods.torch.{BASELINE} must have float32 weights: it is the baseline"
            )
        scaled = self.profile.scaling.methods
        if unknown := [name for name in scaled if name not in self.methods]:
            raise ValueError(f"profile.scaling.methods: {unknown[0]} is no method")
        if BASELINE not in scaled:
            raise ValueError(f"profile.scaling.methods must have {BASELINE}, the baseline")
        for key in ("method", "passes_method"):
            if (name := getattr(self.inference, key)) not in self.groups.packed:
                raise ValueError(f"inference.{key}: {name} is no packed method")
        largest = max(
            self.train.batch_size,
            *self.profiled_batch_sizes,
            *self.profile.chosen_grid.batch_sizes,
        )
        if largest > self.data.train_images:
            raise ValueError(
                f"a batch of {largest} images is more than data.train_images "
                f"({self.data.train_images})"
            )
        return self

    @property
    def methods(self) -> dict[str, Method]:
        """All methods by name, those of torch first."""
        return {**self.groups.torch, **self.groups.packed}

    @property
    def connected_architectures(self) -> list[str]:
        """The architectures without convolutions."""
        return [name for name in self.architectures if not parse_name(name)[0]]

    def recipe(self, architecture: str, method: str) -> Method:
        """Return a method as it trains an architecture: networks of convolutions may differ."""
        found = self.methods[method]
        changes = {}
        if found.convolutional is not None and parse_name(architecture)[0]:
            changes = found.convolutional.model_dump(exclude_none=True)
        return found.model_copy(update={**changes, "convolutional": None})

    @property
    def profiled_batch_sizes(self) -> list[int]:
        """The recipes' batch sizes and those of `profile`, each once, ascending."""
        return sorted({*self.trained_batch_sizes, *self.profile.batch_sizes})

    @property
    def trained_batch_sizes(self) -> list[int]:
        """The recipes' batch sizes, each once, ascending."""
        recipes = (
            self.recipe(architecture, method)
            for architecture in self.architectures
            for method in self.methods
        )
        return sorted({recipe.batch_size for recipe in recipes})

    def check_known(
        self, architecture: str, method: str | None = None, seed: int | None = None
    ) -> None:
        """Raise PipelineError, listing the known ones, unless params.yaml has all three."""
        _check_listed("architecture", architecture, self.architectures)
        if method is not None:
            self.check_method(method)
        if seed is not None:
            _check_listed("seed", seed, self.seeds)

    def check_method(self, method: str) -> None:
        """Raise PipelineError, listing the known ones, unless params.yaml has `method`."""
        _check_listed("method", method, list(self.methods))


def load_params(path: Path = PARAMS_FILE) -> Params:
    """Read and validate `path`.

    Raises:
        PipelineError: the file is missing, is not YAML, or a key is missing, unknown, of
            the wrong type or out of range; the message names the key's path.
    """
    try:
        document = load_yaml(path)
    except OSError as error:
        raise PipelineError(
            f"cannot read {path}: {error.strerror}. Run the command in the project's folder."
        ) from error
    except ValueError as error:
        raise PipelineError(f"{path} is not valid YAML: {error}") from error
    try:
        return Params.model_validate(document)
    except ValidationError as error:
        problems = "".join(f"\n  {problem}" for problem in explain(error))
        raise PipelineError(f"{path} is not valid:{problems}") from None


def explain(error: ValidationError) -> list[str]:
    """Return a line a problem, the first few, that begins with the key's path."""
    problems = error.errors()
    lines = [_explain(dict(problem)) for problem in problems[:_MAX_PROBLEMS]]
    further = len(problems) - len(lines)
    return [*lines, f"and {further} more"] if further else lines


def _explain(problem: dict[str, Any]) -> str:
    where = ".".join(printable(str(part)) for part in problem["loc"]) or "the file"
    if problem["type"] == "extra_forbidden":
        return f"{where}: unknown key{_suggestion(problem['loc'])}"
    if problem["type"] == "missing":
        return f"{where}: missing key"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "value_error":
        return f"{where}: {message}"
    return f"{where}: {message} (it is {_short(problem['input'])})"


def _short(value: object) -> str:
    # The whole of a list or map may be the whole file; a number may have more digits than Python
    # writes.
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a map"
    try:
        return printable(repr(value))
    except ValueError:
        return "a number of thousands of digits"


def _suggestion(location: Sequence[int | str]) -> str:
    """Offer the known key that the unknown one resembles most, if any does."""
    section: Any = Params
    for part in location[:-1]:
        section = _MEMBERS.get((section, part)) or section
    known = [field.alias or name for name, field in section.model_fields.items()]
    close = difflib.get_close_matches(str(location[-1]), known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


# Where a key of a section leads. A method's own name leads nowhere further.
_MEMBERS: dict[tuple[type[BaseModel], int | str], type[BaseModel]] = {
    (Params, "data"): DataParams,
    (Params, "train"): TrainParams,
    (Params, "methods"): MethodGroups,
    (Params, "profile"): ProfileParams,
    (Params, "inference"): InferenceParams,
    (Params, "benchmark"): BenchmarkParams,
    (ProfileParams, "scaling"): ScalingParams,
    (ScalingParams, "default"): Grid,
    (ScalingParams, "full"): Grid,
    (MethodGroups, "torch"): TorchMethod,
    (MethodGroups, "packed"): PackedMethod,
    (TorchMethod, "convolutional"): ConvolutionalParams,
    (PackedMethod, "convolutional"): ConvolutionalParams,
}


def _check_listed(kind: str, value: object, known: Sequence[object]) -> None:
    if value not in known:
        names = ", ".join(str(item) for item in known)
        raise PipelineError(
            f"unknown {kind} {value}: {PARAMS_FILE} has {names}. Choose one of these or add "
            "it there."
        )
