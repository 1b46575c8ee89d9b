"""A training run that was interrupted goes on where it was, to the same bytes.

A checkpoint is checkpoints/NAME.safetensors: the engine's state and the history so far, and as
metadata the format's version, a description of the run, and a SHA-256 of all of that. It is whole
or not there (see `pipeline.common.atomic`), and it is only an aid. One that is damaged, or of
another run, is left aside with a line that says why; one that cannot be written stops nothing.
"""

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from safetensors import SafetensorError
from safetensors.numpy import save_file

import pipeline
from pipeline.common import checksum, tensors_file
from pipeline.common.atomic import atomic_file
from pipeline.common.console import echo
from pipeline.common.errors import PipelineError
from pipeline.common.machine import processor
from pipeline.common.tensors_file import InvalidError, require
from pipeline.config.architecture import Architecture
from pipeline.config.params import Method, PackedMethod
from pipeline.data.dataset import Dataset
from pipeline.engines.engine import Engine

CHECKPOINTS = Path("checkpoints")
FORMAT = "training-checkpoint"
VERSION = 1
# Checkpoints take at most this share of the training's time; the first comes after the first epoch.
SHARE = 0.02
_HISTORY = "history"

Row = dict[str, float]
Arrays = Mapping[str, NDArray[np.generic]]


def describe_run(
    method: Method,
    architecture: Architecture,
    threads: int,
    seed: int,
    data: Dataset,
) -> dict[str, object]:
    """Return, as JSON's types, all that determines a run's result."""
    packed = isinstance(method, PackedMethod)
    libraries = ("numpy",) if packed else ("numpy", "torch")
    return {
        "architecture": {
            "name": architecture.name,
            "image_shape": list(architecture.image_shape),
            "classes": architecture.classes,
        },
        "recipe": method.model_dump(mode="json"),
        "seed": seed,
        "data": data.sha256,
        "code": _code(packed),
        "libraries": {name: importlib.metadata.version(name) for name in libraries},
        # The packed engine computes the same everywhere.
        "machine": None if packed else {"processor": processor(), "threads": threads},
    }


def _code(packed: bool) -> str:
    """Return a checksum of the pipeline's code, and of the kernels where they compute."""
    # It covers code that training does not use, too: a list of what is used would be wrong one day.
    folder = Path(pipeline.__file__).parent
    files = sorted(folder.rglob("*.py"))
    sums = [(str(file.relative_to(folder)), checksum.sha256_file(file)) for file in files]
    if packed:
        kernels = importlib.util.find_spec("binary_kernels")
        assert kernels is not None
        assert kernels.origin is not None
        sums.append(("binary_kernels", checksum.sha256_file(Path(kernels.origin))))
    return checksum.sha256_bytes(json.dumps(sums).encode())


class Checkpoint:
    """The checkpoint of one run, and when it is written."""

    def __init__(
        self,
        name: str,
        run: Mapping[str, object],
        engine: Engine,
        columns: Sequence[str],
        epochs: int,
    ) -> None:
        """Write nothing and read nothing yet.

        Args:
            name: of the run; the file is named after it.
            run: what `describe_run` returned.
            engine: which is saved and restored.
            columns: the keys of a row of the history; the first counts the epochs, from 1.
            epochs: of the whole training.
        """
        self.path = CHECKPOINTS / f"{name}.safetensors"
        self._name, self._run, self._engine = name, dict(run), engine
        self._columns, self._epochs = tuple(columns), epochs
        # These are when the last one was written, and how many seconds that took.
        self._written, self._cost = -np.inf, 0.0

    def resume(self) -> list[Row]:
        """Restore the engine and return the history so far; leave both new if there is none.

        A line says what happened: nothing if there is no checkpoint.
        """
        try:
            rows, state = self._read()
            self._engine.restore(state)
        except FileNotFoundError:
            return []
        except (InvalidError, OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            echo(f"{self.path} is ignored, and training begins anew: {reason}")
            return []
        echo(f"{self._name} goes on after epoch {len(rows)} of {self._epochs}")
        return rows

    def keep(self, rows: Sequence[Row]) -> None:
        """Write the engine's state and the history, unless the last time was just now."""
        started = time.perf_counter()
        if started - self._written < self._cost / SHARE:
            return
        try:
            self._write(rows)
        except PipelineError as error:
            echo(f"{self._name} goes on without a checkpoint: {error}")
        self._written = time.perf_counter()
        self._cost = self._written - started

    def remove(self) -> None:
        """Delete the file: the run is complete."""
        # A checkpoint that stays is of this run, and would lead to the same result.
        with contextlib.suppress(OSError):
            self.path.unlink()

    def _write(self, rows: Sequence[Row]) -> None:
        values = [[row[column] for column in self._columns] for row in rows]
        arrays = {_HISTORY: np.array(values, np.float64), **self._engine.state()}
        header = {"version": VERSION, "run": self._run, "sha256": _digest(self._run, arrays)}
        with atomic_file(self.path) as path:
            try:
                # This does not wait for the disk: where the power fails, the checksum tells.
                save_file(arrays, path, {FORMAT: json.dumps(header)})
            except SafetensorError as error:
                # The library says so of a full disk, too.
                raise OSError(str(error)) from error

    def _read(self) -> tuple[list[Row], Arrays]:
        """Return the history and the engine's state, both checked.

        Raises:
            FileNotFoundError: there is no checkpoint.
            OSError: it cannot be read.
            InvalidError: it is damaged, or is none of this run.
        """
        own = self._engine.state()
        metadata, arrays = tensors_file.read(self.path, self._max_bytes(own))
        header = tensors_file.read_description(metadata, FORMAT, [VERSION], _Header)
        for key, value in self._run.items():
            require(header.run.get(key) == value, f"it is of a run with another {key}")
        require(header.run.keys() == self._run.keys(), "it is of another kind of run")
        require(header.sha256 == _digest(self._run, arrays), "its checksum does not fit")
        rows = self._rows(arrays.pop(_HISTORY, None))
        require(arrays.keys() == own.keys(), "it has other arrays than this network")
        for name, array in arrays.items():
            expected = own[name].dtype, own[name].shape
            require((array.dtype, array.shape) == expected, f"{name} has another shape or type")
            # A training that diverged begins anew, too, and ends as it would have.
            finite = array.dtype.kind != "f" or bool(np.isfinite(array).all())
            require(finite, f"{name} is not finite")
        return rows, arrays

    def _max_bytes(self, state: Arrays) -> int:
        """Return how many bytes a checkpoint of this run can have."""
        history = self._epochs * len(self._columns) * np.dtype(np.float64).itemsize
        # The header's length takes 8 bytes.
        return 8 + tensors_file.MAX_HEADER + history + sum(array.nbytes for array in state.values())

    def _rows(self, history: NDArray[np.generic] | None) -> list[Row]:
        require(
            history is not None
            and history.dtype == np.float64
            and history.shape[1:] == (len(self._columns),)
            and len(history) <= self._epochs
            and np.array_equal(history[:, 0], np.arange(1, len(history) + 1)),
            "its history is none of this run",
        )
        assert history is not None
        count, *others = self._columns
        return [
            {count: epoch, **dict(zip(others, map(float, values[1:]), strict=True))}
            for epoch, values in enumerate(history, 1)
        ]


class _Header(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    version: int
    run: dict[str, object]
    sha256: str


def _digest(run: Mapping[str, object], arrays: Arrays) -> str:
    digest = hashlib.sha256(json.dumps(run, sort_keys=True).encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(json.dumps([name, array.dtype.name, array.shape]).encode())
        digest.update(array.data)
    return digest.hexdigest()
