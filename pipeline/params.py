"""`params.yaml` as validated, frozen models; every error names the key's path."""

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.errors import PipelineError

PARAMS_FILE = Path("params.yaml")
# The method that all others are compared with.
BASELINE = "float"

Binarization = Literal["float32", "deterministic", "stochastic"]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Architecture = Annotated[str, Field(pattern=r"^mlp(-[1-9][0-9]{0,4})+$")]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class DataParams(_Section):
    """Where the images come from and how they are split."""

    dataset: Literal[
        "fashion-mnist", "mnist", "kmnist", "emnist-balanced", "emnist-digits", "emnist-letters"
    ]
    source: Annotated[str, Field(min_length=1)]
    class_names: list[Annotated[str, Field(min_length=1)]] | None
    train_images: Annotated[int, Field(ge=1)]
    validation_images: Annotated[int, Field(ge=1)]
    split_seed: Seed


class TrainParams(_Section):
    """What all methods share, so that they are compared on equal terms."""

    batch_size: Annotated[int, Field(ge=2)]
    threads: Annotated[int, Field(ge=1, le=256)]


class MethodParams(_Section):
    """One way to train: how numbers are held, and the recipe that goes with it."""

    engine: Literal["torch"]
    weights: Binarization
    activations: Binarization
    pixel_bits: Annotated[int, Field(ge=1, le=8)]
    epochs: Annotated[int, Field(ge=1)]
    optimizer: Literal["adam", "momentum", "sgd"]
    learning_rate: Annotated[float, Field(gt=0)]
    schedule: Literal["cosine", "exponential", "constant"]
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    latent_range: Annotated[float, Field(gt=0, le=1)] | None = None
    weight_noise: Literal["constant", "annealed"] | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.weights == "float32") != (self.activations == "float32"):
            raise ValueError("weights and activations must be both float32 or both binary")
        if (self.weights == "float32") != (self.latent_range is None):
            raise ValueError("latent_range belongs to binary weights, and only to them")
        if (self.weights == "stochastic") != (self.weight_noise is not None):
            raise ValueError("weight_noise belongs to stochastic weights, and only to them")
        if self.weights != "float32" and self.weight_decay:
            raise ValueError(
                "weight_decay must be 0 for binary weights: it would pull the latent weights "
                "to 0, where their signs are noise"
            )
        return self


class ProfileParams(_Section):
    """How time and memory are measured."""

    batch_sizes: Annotated[list[Annotated[int, Field(ge=2)]], Field(min_length=1)]
    rounds: Annotated[int, Field(ge=1)]
    seconds: Annotated[float, Field(gt=0, le=3600)]
    sample_seconds: Annotated[float, Field(gt=0, le=10)]


class Params(_Section):
    """The whole of `params.yaml`."""

    architectures: Annotated[list[Architecture], Field(min_length=1)]
    seeds: Annotated[list[Seed], Field(min_length=1)]
    data: DataParams
    train: TrainParams
    methods: Annotated[dict[Name, MethodParams], Field(min_length=1)]
    profile: ProfileParams

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if BASELINE not in self.methods:
            raise ValueError(f"methods.{BASELINE} is missing: it is the baseline of every ratio")
        if self.methods[BASELINE].weights != "float32":
            raise ValueError(f"methods.{BASELINE} must have float32 weights: it is the baseline")
        if all(method.weights == "float32" for method in self.methods.values()):
            raise ValueError("methods has no binary network to compare with float")
        for name, values in (("architectures", self.architectures), ("seeds", self.seeds)):
            if len(set(values)) < len(values):
                raise ValueError(f"{name} lists a value twice")
        largest = max(self.train.batch_size, *self.profile.batch_sizes)
        if largest > self.data.train_images:
            raise ValueError(
                f"a batch of {largest} images is more than data.train_images "
                f"({self.data.train_images})"
            )
        return self

    @property
    def profiled_batch_sizes(self) -> list[int]:
        """Training's batch size and those of `profile`, each once, ascending."""
        return sorted({self.train.batch_size, *self.profile.batch_sizes})

    def check_known(
        self, architecture: str, method: str | None = None, seed: int | None = None
    ) -> None:
        """Raise PipelineError, listing the known ones, unless params.yaml has all three."""
        _check_listed("architecture", architecture, self.architectures)
        if method is not None:
            _check_listed("method", method, list(self.methods))
        if seed is not None:
            _check_listed("seed", seed, self.seeds)


def hidden_widths(architecture: str) -> list[int]:
    """Return the hidden widths that an architecture's name lists: mlp-128 gives [128]."""
    return [int(width) for width in re.findall(r"\d+", architecture)]


def load_params(path: Path = PARAMS_FILE) -> Params:
    """Read and validate `path`.

    Raises:
        PipelineError: the file is missing, is not YAML, or a key is missing, unknown, of
            the wrong type or out of range; the message names the key's path.
    """
    try:
        # YAML 1.2, as DVC reads it: 1e-3 is a number and a key given twice is an error.
        document = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PipelineError(
            f"cannot read {path}: {error.strerror}. Run the command in the project's folder."
        ) from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise PipelineError(f"{path} is not valid YAML: {error}") from error
    try:
        return Params.model_validate(document)
    except ValidationError as error:
        problems = "\n".join(f"  {_explain(dict(item))}" for item in error.errors())
        raise PipelineError(f"{path} is not valid:\n{problems}") from None


def _explain(problem: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in problem["loc"]) or "the file"
    if problem["type"] == "extra_forbidden":
        return f"{where}: unknown key{_suggestion(problem['loc'])}"
    if problem["type"] == "missing":
        return f"{where}: missing key"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "value_error":
        return f"{where}: {message}"
    return f"{where}: {message} (it is {problem['input']!r})"


def _suggestion(location: Sequence[int | str]) -> str:
    """Offer the known key that the unknown one resembles most, if any does."""
    section: Any = Params
    for part in location[:-1]:
        if section is Params and part == "methods":
            section = MethodParams
        elif isinstance(part, str) and part in section.model_fields:
            section = section.model_fields[part].annotation
    close = difflib.get_close_matches(str(location[-1]), list(section.model_fields), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _check_listed(kind: str, value: object, known: Sequence[object]) -> None:
    if value not in known:
        names = ", ".join(str(item) for item in known)
        raise PipelineError(
            f"unknown {kind} {value}: {PARAMS_FILE} has {names}. Choose one of these or add "
            "it there."
        )
