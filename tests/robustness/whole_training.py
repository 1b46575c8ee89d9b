"""Whole packed trainings, for tools that watch them.

Run `python -m tests.robustness.whole_training CHECK FORM`.

Each is what `python -m pipeline train` does, from the stored data to the model file, in a temporary
folder, but for where arrays lie: each has memory of its own, of its size, whose ends a tool knows.
The instruction sets must give the same model.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import binary_kernels as kernels
import numpy as np
from numpy.typing import NDArray

from pipeline.common import checksum
from pipeline.common.serialization import load_yaml
from pipeline.config.params import DataParams, Params
from pipeline.config.paths import DATA, model_path, run_name
from pipeline.engines.packed import weights
from pipeline.engines.packed.model import load
from pipeline.fetch.raw import RawDataset
from pipeline.fetch.store import store
from pipeline.training.train import train
from tests.conftest import ROOT, with_optimizer
from tests.oracle import SETS
from tests.robustness.results import record

SEED = 1
CLASSES, SIDE = 10, 28
# By the method that each is made of and the form of its weights, all that a recipe may differ in.
VARIANTS: tuple[tuple[str, str, dict[str, object]], ...] = (
    ("deterministic", "rowprop16", {}),
    ("stochastic", "rowprop16", {}),
    ("deterministic", "rowprop8", {"gradient_bits": 2}),
    ("stochastic", "adam", {"gradient_bits": 8}),
    ("stochastic", "rowprop8", {"weights": "stochastic", "weight_noise": "annealed"}),
    ("stochastic", "rowprop8", {"gradient_bits": 32, "pixel_bits": 2}),
    ("deterministic", "bop", {}),
    ("deterministic", "bop", {"gradient_bits": 32}),
)


class Training(NamedTuple):
    """A network, what its recipe changes in the project's, and how much it learns from.

    Attributes:
        weights: one of OPTIMIZERS, None for the recipe's own.
        images: None for all of the real dataset, else so many that are drawn at random.
        epochs: None for the recipe's own.
        sets: the instruction sets that train it, as BINARY_KERNELS names them.
    """

    architecture: str
    method: str
    weights: str | None
    changes: dict[str, object]
    images: int | None
    epochs: int | None
    batch: int
    sets: Sequence[str]


def trainings(form: str) -> Iterator[Training]:
    """Yield the trainings of a form: long, short or small."""
    if form == "long":
        for method in ("deterministic", "stochastic"):
            yield Training("mlp-128", method, None, {}, None, None, 100, SETS[-1:])
            yield Training("mlp-1024", method, None, {}, None, 2, 100, SETS[-1:])
        for between in SETS[1:-1]:
            yield Training("mlp-128", "stochastic", None, {}, None, 2, 100, [between])
    for method, form_of_weights, changes in VARIANTS:
        if form == "small":
            yield Training("mlp-40-33", method, form_of_weights, changes, 60, 1, 30, SETS)
        else:
            # Wide enough for every kernel to start a second thread.
            yield Training("mlp-512-40", method, form_of_weights, changes, 200, 1, 100, SETS)


@contextmanager
def memory_of_exact_size() -> Iterator[None]:
    """Let the engine's arrays lie in the C library's heap, each in a piece of its own.

    Of the pages that the engine takes, rounded up, no tool knows where an array ends. What the
    kernels hold of a step lies in the heap as it is.
    """
    with mock.patch.object(weights, "own_memory", np.zeros):
        yield


def ends_are_watched() -> bool:
    """Tell whether the tool sees a kernel that reads past the end of such an array."""
    return _is_stopped(weights.own_memory((33, 5), np.uint8))


def _is_stopped(array: NDArray[np.uint8]) -> bool:
    # As if there were a row more.
    rows = np.lib.stride_tricks.as_strided(array, (len(array) + 1, array.shape[1]))
    child = os.fork()
    if child == 0:
        # Only the tool makes another status of it.
        try:
            kernels.interleave(rows)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return status != 0


def run(chosen: Training) -> int:
    """Train, compare the models, and return the steps that were taken."""
    real = chosen.images is None
    if real and not Path(DATA).exists():
        Path(DATA).symlink_to(ROOT / DATA)
    params = _params(chosen)
    if not real:
        store(_drawn(params.data), params.data)
    model = model_path(run_name(chosen.architecture, chosen.method, SEED))
    sums = set()
    for name in chosen.sets:
        os.environ["BINARY_KERNELS"] = name
        train(params, chosen.architecture, chosen.method, SEED)
        load(model)
        sums.add(checksum.sha256_file(model))
    assert len(sums) == 1, f"{chosen}: the instruction sets train different models"
    if not real:
        for path in (*DATA.iterdir(), DATA):
            path.rmdir() if path.is_dir() else path.unlink()
    epochs = params.methods[chosen.method].epochs
    return len(chosen.sets) * epochs * (params.data.train_images // chosen.batch)


def _params(chosen: Training) -> Params:
    document: dict[str, Any] = load_yaml(ROOT / "params.yaml")
    method = document["methods"]["packed"][chosen.method]
    if chosen.weights is not None:
        method = with_optimizer(method, chosen.weights)
    method.update(chosen.changes)
    if chosen.epochs is not None:
        method["epochs"] = chosen.epochs
    document["methods"]["packed"][chosen.method] = method
    for each in (m for group in document["methods"].values() for m in group.values()):
        each["batch_size"] = chosen.batch
    document.update(architectures=[chosen.architecture], seeds=[SEED])
    document["train"].update(batch_size=chosen.batch, threads=2)
    document["profile"].update(batch_sizes=[chosen.batch])
    grid = {"widths": [8], "batch_sizes": [chosen.batch], "depths": [2], "threads": [1]}
    document["profile"]["scaling"].update(default=grid)
    if chosen.images is not None:
        document["data"].update(train_images=chosen.images, validation_images=CLASSES)
    return Params.model_validate(document)


def _drawn(data: DataParams) -> RawDataset:
    generator = np.random.default_rng(SEED)
    # The same number of every class.
    labels = (np.arange(data.train_images + data.validation_images) % CLASSES).astype(np.uint8)
    images = generator.integers(0, 256, (len(labels), SIDE, SIDE), np.uint8)
    names = tuple(str(label) for label in range(CLASSES))
    return RawDataset(images, labels, images[:50], labels[:50], names)


def main() -> None:
    check, form = sys.argv[1:]
    start, steps, count = time.monotonic(), 0, 0
    with memory_of_exact_size(), tempfile.TemporaryDirectory(prefix="training-") as folder:
        # A tool for memory that sees nothing shows nothing; that for threads is not for this.
        if check != "train-tsan":
            if not ends_are_watched():
                sys.exit(f"{check}: a read past the end of an array is not seen")
            print(f"{check}: what is printed above is planted, and was found", flush=True)
        os.chdir(folder)
        for chosen in trainings(form):
            steps += run(chosen)
            count += len(chosen.sets)
        os.chdir(ROOT)
    seconds = time.monotonic() - start
    print(f"{check}: {count} trainings of {steps} steps in {seconds:.0f} s, with {', '.join(SETS)}")
    if len(SETS) == 1:
        print(f"{check}: there is no other instruction set here to compare models with")
    record(check, steps, seconds, 0)


if __name__ == "__main__":
    main()
