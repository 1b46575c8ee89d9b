"""The split dataset, as training reads it: a .npy file per array, and their checksums."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.common import checksum
from pipeline.common.errors import PipelineError
from pipeline.common.serialization import load_json
from pipeline.config.architecture import Architecture
from pipeline.config.params import DataParams, explain
from pipeline.config.paths import DATA
from pipeline.data import npy

PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Part:
    """Images (count, pixels) and labels (count), both uint8."""

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Dataset:
    """The three parts of the dataset, and what its labels mean.

    Attributes:
        image_shape: of an image before its rows were joined: (height, width), with channels last if
            it has any.
        sha256: of the checksums of what `fetch` wrote.
    """

    train: Part
    validation: Part
    test: Part
    class_names: tuple[str, ...]
    image_shape: tuple[int, ...]
    sha256: str

    @property
    def pixels(self) -> int:
        """How many pixels an image has."""
        return math.prod(self.image_shape)

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return len(self.class_names)

    def architecture(self, name: str) -> Architecture:
        """Return the architecture called `name`, for these images and classes.

        Raises:
            PipelineError: `name` describes no architecture.
        """
        return Architecture.parse(name, self.image_shape, self.classes)


Encode = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


class _Description(BaseModel):
    """The content of dataset.json: see `pipeline.fetch.store`."""

    model_config = ConfigDict(strict=True)

    class_names: Annotated[list[str], Field(min_length=1)]
    image_shape: Annotated[
        list[Annotated[int, Field(ge=1, le=2**16)]], Field(min_length=2, max_length=3)
    ]
    sha256: dict[str, str]


def load(folder: Path = DATA, encode: Encode | None = None) -> Dataset:
    """Load and verify what `fetch` wrote; what happens to the files afterwards does not matter.

    Args:
        folder: where it is.
        encode: what to make of the images of each part, (count, pixels) uint8. It is called before
            the next part is read, so that at most one part is held as it was stored.

    Raises:
        PipelineError: a file is missing, or differs from what `fetch` wrote.
    """
    description = _read_description(folder)
    parts: dict[str, Part] = {}
    for name in PARTS:
        part = _read_part(folder, name, description)
        images = part.images if encode is None else encode(part.images)
        parts[name] = Part(images, part.labels)
        # These images must not be held while the next part is read.
        del part, images
    return Dataset(
        **parts,
        class_names=tuple(description.class_names),
        image_shape=tuple(description.image_shape),
        sha256=_combined_checksum(description),
    )


def load_test(folder: Path = DATA) -> Part:
    """Load and verify the test set alone.

    Raises:
        PipelineError: a file is missing, or differs from what `fetch` wrote.
    """
    return _read_part(folder, "test", _read_description(folder))


def _read_part(folder: Path, name: str, description: _Description) -> Part:
    files = (f"{name}-images.npy", f"{name}-labels.npy")
    images, labels = (_read_array(folder / file, description.sha256[file]) for file in files)
    # The checksums are in the same folder, so that they do not tell who wrote it.
    classes, shape = len(description.class_names), description.image_shape
    if images.ndim != 2 or labels.shape != images.shape[:1] or 0 in images.shape:
        problem = f"{folder / files[1]} does not hold a label per image"
    elif images.shape[1] != math.prod(shape):
        expected = " x ".join(map(str, shape))
        problem = f"{folder / files[0]} has images of {images.shape[1]} pixels, not of {expected}"
    elif labels.max() >= classes:
        problem = f"{folder / files[1]} has label {labels.max()}, where there are {classes} classes"
    else:
        return Part(images, labels)
    raise PipelineError(f"{problem}. Run `dvc repro fetch --force`.")


def check_split(data: Dataset, params: DataParams, folder: Path = DATA) -> None:
    """Raise PipelineError unless `data` has as many images as `params` asks for."""
    held = len(data.train), len(data.validation)
    asked = params.train_images, params.validation_images
    if held != asked:
        raise PipelineError(
            f"{folder}/ holds {held[0]} training and {held[1]} validation images, and params.yaml "
            f"asks for {asked[0]} and {asked[1]}: run `dvc repro fetch` or `python -m pipeline "
            "fetch` again"
        )


def check_unchanged(data: Dataset, folder: Path = DATA) -> None:
    """Raise PipelineError unless `folder` still holds what `data` was loaded from.

    DVC notes as a stage's input what is there when the stage has ended.
    """
    try:
        description = _read_description(folder)
        same = _combined_checksum(description) == data.sha256 and all(
            checksum.sha256_file(folder / name) == expected
            for name, expected in description.sha256.items()
        )
    except (PipelineError, OSError):
        same = False
    if not same:
        raise PipelineError(
            f"{folder}/ was changed while it was in use, and the result belongs to what it held "
            "before: nothing was written. Run `dvc repro`: it brings the data back, and goes on "
            "from the last checkpoint."
        )


def _combined_checksum(description: _Description) -> str:
    return checksum.sha256_bytes(json.dumps(description.sha256, sort_keys=True).encode())


def _read_array(path: Path, expected: str) -> NDArray[np.uint8]:
    try:
        # The file is read once, so that what is verified is what is used, whoever writes to it.
        content = np.fromfile(path, np.uint8)
        actual = checksum.sha256_bytes(content.data)
        if actual != expected:
            raise PipelineError(
                f"{path} is not what fetch wrote: run `dvc repro fetch --force`.\n"
                f"  sha256:   {actual}\n  expected: {expected}"
            )
        return npy.parse(content)
    except (OSError, ValueError) as error:
        raise PipelineError(f"cannot read {path}: {error}. Run `dvc repro fetch`.") from error


def check_present(folder: Path = DATA) -> None:
    """Raise PipelineError, saying what to run, unless `fetch` has written the dataset."""
    if not (folder / "dataset.json").exists():
        raise PipelineError(
            f"{folder}/ has no dataset: run `dvc repro fetch` or `python -m pipeline fetch` first"
        )


def _read_description(folder: Path) -> _Description:
    path = folder / "dataset.json"
    try:
        description = _Description.model_validate(load_json(path))
        expected = {f"{part}-{kind}.npy" for part in PARTS for kind in ("images", "labels")}
        if description.sha256.keys() != expected:
            raise ValueError("its checksums are not those of a dataset's files")
    except FileNotFoundError as error:
        raise PipelineError(
            f"{path} is missing: run `dvc repro fetch` or `python -m pipeline fetch` first"
        ) from error
    except (OSError, ValueError) as error:
        reason = explain(error)[0] if isinstance(error, ValidationError) else error
        raise PipelineError(
            f"cannot read {path}: {reason}. Run `dvc repro fetch --force`."
        ) from error
    return description
