"""Whole packed trainings, for tools that watch them: `python -m tests.whole_training CHECK FORM`.

Each is what `python -m pipeline train` does, from the stored data to the model file, in a temporary
folder. The instruction sets must give the same model.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import binary_kernels as kernels
import numpy as np

from pipeline import checksum
from pipeline.data import store
from pipeline.data.raw import RawDataset
from pipeline.packed_engine.model import load
from pipeline.params import DataParams, Params
from pipeline.paths import model_path, run_name
from pipeline.plain import read_yaml
from pipeline.train import train
from tests.conftest import ROOT
from tests.robustness.results import record

SEED = 1
CLASSES, SIDE = 10, 28
BOP = {
    **{"optimizer": "bop", "bop_adaptivity": 1e-3, "bop_threshold": 1e-6},
    **{"state_bits": None, "latent_range": None},
}
# By what each is made of, all that a recipe may differ in.
VARIANTS: tuple[tuple[str, dict[str, object]], ...] = (
    ("deterministic", {}),
    ("stochastic", {}),
    ("deterministic", {"gradient_bits": 2, "state_bits": 16}),
    ("stochastic", {"gradient_bits": 8, "state_bits": 32}),
    ("stochastic", {"weights": "stochastic", "weight_noise": "annealed", "latent_range": 1.0}),
    ("stochastic", {"gradient_bits": 32, "pixel_bits": 2}),
    ("deterministic", BOP),
    ("deterministic", BOP | {"gradient_bits": 32}),
)


class Training(NamedTuple):
    """A network, what its recipe changes in the project's, and how much it learns from.

    Attributes:
        images: None for all of the real dataset, else so many that are drawn at random.
        epochs: None for the recipe's own.
        sets: the instruction sets that train it, as BINARY_KERNELS names them.
    """

    architecture: str
    method: str
    changes: dict[str, object]
    images: int | None
    epochs: int | None
    batch: int
    sets: Sequence[str]


def trainings(form: str) -> Iterator[Training]:
    """Yield the trainings of a form: long, short or small."""
    every = [name for name in ("scalar", "avx2", "avx512") if _runs(name)]
    if form == "long":
        for method in ("deterministic", "stochastic"):
            yield Training("mlp-128", method, {}, None, None, 100, every[-1:])
            yield Training("mlp-1024", method, {}, None, 2, 100, every[-1:])
        yield Training("mlp-128", "stochastic", {}, None, 2, 100, every[1:2])
    for method, changes in VARIANTS:
        if form == "small":
            yield Training("mlp-40-33", method, changes, 60, 1, 30, every[:2])
        else:
            # Wide enough for every kernel to start a second thread.
            yield Training("mlp-512-40", method, changes, 200, 1, 100, every)


def _runs(name: str) -> bool:
    try:
        kernels.instruction_set(name)
    except ValueError:
        # Not on this processor.
        return False
    return True


def run(chosen: Training) -> int:
    """Train, compare the models, and return the steps that were taken."""
    real = chosen.images is None
    if real and not Path(store.FOLDER).exists():
        Path(store.FOLDER).symlink_to(ROOT / store.FOLDER)
    params = _params(chosen)
    if not real:
        store.store(_drawn(params.data), params.data)
    model = model_path(run_name(chosen.architecture, chosen.method, SEED))
    sums = set()
    for name in chosen.sets:
        os.environ["BINARY_KERNELS"] = name
        train(params, chosen.architecture, chosen.method, SEED)
        load(model)
        sums.add(checksum.of_file(model))
    assert len(sums) == 1, f"{chosen}: the instruction sets train different models"
    if not real:
        for path in (*store.FOLDER.iterdir(), store.FOLDER):
            path.rmdir() if path.is_dir() else path.unlink()
    epochs = params.methods[chosen.method].epochs
    return len(chosen.sets) * epochs * (params.data.train_images // chosen.batch)


def _params(chosen: Training) -> Params:
    document: dict[str, Any] = read_yaml(ROOT / "params.yaml")
    method = document["methods"]["packed"][chosen.method]
    method.update(chosen.changes)
    if chosen.epochs is not None:
        method["epochs"] = chosen.epochs
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
    with tempfile.TemporaryDirectory(prefix="training-") as folder:
        os.chdir(folder)
        for chosen in trainings(form):
            steps += run(chosen)
            count += len(chosen.sets)
        os.chdir(ROOT)
    seconds = time.monotonic() - start
    print(f"{check}: {count} trainings of {steps} steps in {seconds:.0f} s")
    record(check, steps, seconds, 0)


if __name__ == "__main__":
    main()
