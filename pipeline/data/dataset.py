"""The split dataset, as training reads it: a .npy file per array, and their checksums.

Files are read piece by piece, and a piece is verified and encoded before the next one is read. So a
process never holds a part's images as they are stored, nor images of a part that it does not use.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, get_args

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

PartName = Literal["train", "validation", "test"]
PARTS: tuple[PartName, ...] = get_args(PartName)


@dataclass(frozen=True)
class Part:
    """Images (count, pixels) and labels (count), both uint8."""

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Dataset:
    """The training images, what their labels mean, and the way to the other two parts.

    Attributes:
        train: the part that is trained on, held in memory.
        sizes: how many images each part has.
        image_shape: of an image before its rows were joined: (height, width), with channels last if
            it has any.
        sha256: of the checksums of what `fetch` wrote.
    """

    train: Part
    sizes: Mapping[PartName, int]
    class_names: tuple[str, ...]
    image_shape: tuple[int, ...]
    sha256: str
    _reader: "_Reader" = field(repr=False)

    def read(self, name: PartName) -> Part:
        """Read a part, the same as when the dataset was loaded; the caller alone holds it.

        Raises:
            PipelineError: its files have changed since.
        """
        try:
            return self._reader.read(name)
        except PipelineError as error:
            raise _changed(self._reader.folder) from error

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


def _as_stored(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return images


class _Description(BaseModel):
    """The content of dataset.json: see `pipeline.fetch.store`."""

    model_config = ConfigDict(strict=True)

    class_names: Annotated[list[str], Field(min_length=1)]
    image_shape: Annotated[
        list[Annotated[int, Field(ge=1, le=2**16)]], Field(min_length=2, max_length=3)
    ]
    sha256: dict[str, str]


def load(folder: Path = DATA, encode: npy.Encode = _as_stored) -> Dataset:
    """Verify what `fetch` wrote, and load the part that is trained on.

    What happens to that part's files afterwards does not matter; `Dataset.read` notices when the
    others have changed.

    Args:
        folder: where it is.
        encode: what to make of some images, (count, pixels) uint8. It is called for a few images at
            a time, and must not keep them.

    Raises:
        PipelineError: a file is missing, or differs from what `fetch` wrote.
    """
    description = _read_description(folder)
    reader = _Reader(folder, description, encode)
    train = reader.read("train")
    sizes = {name: len(train) if name == "train" else reader.count(name) for name in PARTS}
    return Dataset(
        train=train,
        sizes=sizes,
        class_names=tuple(description.class_names),
        image_shape=tuple(description.image_shape),
        sha256=_combined_checksum(description),
        _reader=reader,
    )


def load_test(folder: Path = DATA) -> Part:
    """Load and verify the test set alone.

    Raises:
        PipelineError: a file is missing, or differs from what `fetch` wrote.
    """
    return _Reader(folder, _read_description(folder), _as_stored).read("test")


def read_architecture(name: str, folder: Path = DATA) -> Architecture:
    """Return the architecture called `name`, for the images and classes that `fetch` wrote.

    Raises:
        PipelineError: `name` describes no architecture, or there is no dataset.
    """
    description = _read_description(folder)
    return Architecture.parse(name, tuple(description.image_shape), len(description.class_names))


@dataclass(frozen=True)
class _Reader:
    """Reads parts of the dataset in `folder` that has this description."""

    folder: Path
    description: _Description
    encode: npy.Encode

    def read(self, name: PartName) -> Part:
        """Return a part that has been verified, its images encoded.

        Raises:
            PipelineError: a file is missing, or differs from what `fetch` wrote.
        """
        return self._read(name, self.encode)

    def count(self, name: PartName) -> int:
        """Verify a part as `read` does, and return how many images it has, without holding them.

        Raises:
            PipelineError: as `read` does.
        """
        return len(self._read(name, lambda images: images[:, :0]))

    def _read(self, name: PartName, encode: npy.Encode) -> Part:
        files = (f"{name}-images.npy", f"{name}-labels.npy")
        (shape, images), (labels_shape, labels) = (
            _read_array(self.folder / file, self.description.sha256[file], make)
            for file, make in zip(files, (encode, _as_stored), strict=True)
        )
        # The checksums are in the same folder, so that they do not tell who wrote it.
        classes, image_shape = len(self.description.class_names), self.description.image_shape
        if len(shape) != 2 or labels_shape != shape[:1] or 0 in shape:
            problem = f"{self.folder / files[1]} does not hold a label per image"
        elif shape[1] != math.prod(image_shape):
            expected = " x ".join(map(str, image_shape))
            problem = f"{self.folder / files[0]} has images of {shape[1]} pixels, not of {expected}"
        elif labels.max() >= classes:
            problem = (
                f"{self.folder / files[1]} has label {labels.max()}, where there are {classes} "
                "classes"
            )
        else:
            return Part(images, labels.reshape(-1))
        raise PipelineError(f"{problem}. Run `dvc repro fetch --force`.")


def check_split(data: Dataset, params: DataParams, folder: Path = DATA) -> None:
    """Raise PipelineError unless `data` has as many images as `params` asks for."""
    held = data.sizes["train"], data.sizes["validation"]
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
        raise _changed(folder)


def _changed(folder: Path) -> PipelineError:
    return PipelineError(
        f"{folder}/ was changed while it was in use, and the result belongs to what it held "
        "before: nothing was written. Run `dvc repro`: it brings the data back, and goes on "
        "from the last checkpoint."
    )


def _combined_checksum(description: _Description) -> str:
    return checksum.sha256_bytes(json.dumps(description.sha256, sort_keys=True).encode())


def _read_array(
    path: Path, expected: str, encode: npy.Encode
) -> tuple[tuple[int, ...], NDArray[np.uint8]]:
    """Return what `npy.read_rows` does, of a file whose SHA-256 is `expected`."""
    try:
        digest = hashlib.sha256()
        try:
            content = npy.read_rows(path, encode, digest.update)
        except ValueError:
            # Where the file is damaged, that is the news, not what the damage did to its header.
            _require_checksum(path, checksum.sha256_file(path), expected)
            raise
        # Each byte was read once, so that what is verified is what is used, whoever writes to it.
        _require_checksum(path, digest.hexdigest(), expected)
        return content
    except (OSError, ValueError) as error:
        raise PipelineError(f"cannot read {path}: {error}. Run `dvc repro fetch`.") from error


def _require_checksum(path: Path, actual: str, expected: str) -> None:
    if actual != expected:
        raise PipelineError(
            f"{path} is not what fetch wrote: run `dvc repro fetch --force`.\n"
            f"  sha256:   {actual}\n  expected: {expected}"
        )


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
