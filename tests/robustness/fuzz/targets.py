"""What a fuzzer gives bytes to: readers of files from elsewhere, and what uses what they read.

Each takes the bytes of a file and raises where they end in anything but a result that holds or one
clear error.
"""

import atexit
import gzip
import hashlib
import re
import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from random import Random
from unittest import mock

import numpy as np

from pipeline.common.errors import PipelineError
from pipeline.config.params import PackedMethod, load_params
from pipeline.engines.engine import Engine, create_engine
from pipeline.fetch import idx as idx_files
from pipeline.training import checkpoint
from pipeline.training.checkpoint import Checkpoint
from tests.conftest import to_idx, with_optimizer
from tests.networks import mlp
from tests.robustness.fuzz.draft import parsed
from tests.robustness.fuzz.run import outcome

ARCHITECTURE = mlp(9, 5, 3)
BATCH = 4
COLUMNS = ("epoch", "loss")
EPOCHS = 3
# The corpus' checkpoints name a recipe by its number here.
RECIPES = ("rowprop8", "rowprop16", "adam", "bop")


def idx(content: bytes) -> None:
    """Read an IDX file, as it is and compressed, as images and as labels."""
    for packed in (content, gzip.compress(content, 1)):
        path = _written(packed)
        try:
            read = idx_files.read_bytes(path)
        except PipelineError as error:
            _check(error, path)
            continue
        for dimensions in (1, 3):
            try:
                assert to_idx(idx_files.parse(read, path, dimensions)) == read
            except PipelineError as error:
                _check(error, path)


def model(content: bytes) -> None:
    """Load a model file, as it is and with a checksum that fits, and predict with it."""
    drawn = Random(hashlib.sha256(content).digest())
    outcome(_written(content), drawn)
    draft = parsed(content)
    if draft is not None:
        with suppress(ValueError, TypeError):
            # What has no checksum, or halves of characters, is not repaired.
            draft.repair_checksum()
            outcome(_written(draft.content()), drawn)


def resume(content: bytes) -> None:
    """Go on from a checkpoint, whatever its checksum, for a step; then save the model."""
    path = _written(content)
    # The network that it is of, if it says so as ours do.
    named = re.search(rb"recipe\W*([0-3])", content)
    number = int(named[1]) if named else 0
    engine = new_engine(number)
    held = new_checkpoint(number, engine)
    held.path = path
    said: list[str] = []
    with (
        mock.patch.object(checkpoint, "_digest", return_value=_Any()),
        mock.patch.object(checkpoint, "echo", said.append),
    ):
        rows = held.resume()
    assert all(line.isprintable() and len(line) < 500 for line in said), said
    assert len(rows) <= EPOCHS
    if rows:
        step(engine)
        engine.save(path.with_name("model"))


def params(content: bytes) -> None:
    """Read params.yaml."""
    path = _written(content)
    try:
        load_params(path)
    except PipelineError as error:
        _check(error, path)


TARGETS: dict[str, Callable[[bytes], None]] = {
    "idx": idx,
    "model": model,
    "checkpoint": resume,
    "params": params,
}


def new_engine(number: int) -> Engine:
    """Return a small network that has not been trained, of one of RECIPES."""
    recipe: dict[str, object] = {
        **{"weights": "deterministic", "activations": "deterministic", "pixel_bits": 4},
        **{"gradient_bits": 4, "epochs": EPOCHS, "learning_rate": 0.01, "schedule": "cosine"},
    }
    method = PackedMethod.model_validate(with_optimizer(recipe, RECIPES[number]))
    return create_engine(method, ARCHITECTURE, seed=1, threads=1)


def new_checkpoint(number: int, engine: Engine) -> Checkpoint:
    """Return the checkpoint of such a network's run."""
    return Checkpoint("fuzz", {"recipe": number}, engine, COLUMNS, EPOCHS)


def step(engine: Engine) -> None:
    """Train with one batch."""
    images = np.full((BATCH, 16), 0x5A, np.uint8)
    labels = np.arange(BATCH, dtype=np.uint8) % ARCHITECTURE.classes
    engine.train_batch(images, np.arange(BATCH), labels, 0.01, 0.5)


class _Any(str):
    """A checksum that fits."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = str.__hash__


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    atexit.register(shutil.rmtree, folder)
    return folder


def _written(content: bytes) -> Path:
    path = _folder() / "file"
    path.write_bytes(content)
    return path


def _check(error: PipelineError, path: Path) -> None:
    message = str(error)
    assert str(path) in message, message
    assert message.replace("\n", "").isprintable(), message
    assert len(message) < 3000, message
