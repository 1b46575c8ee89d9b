"""What a process must have done before it is measured: first steps load code and choose kernels."""

from collections.abc import Sequence

import numpy as np

from pipeline.common.errors import PipelineError
from pipeline.config.params import Method
from pipeline.data.dataset import Dataset
from pipeline.engines.engine import Engine, create_engine

STEPS = 10
# Time and memory do not depend on it.
SEED = 0
# A network that has all kinds of layers and hardly any memory, and a batch of its like.
_WIDTH = 8
_IMAGES = 8


def take_steps(engine: Engine, data: Dataset, method: Method, batch_size: int) -> None:
    """Train `engine` for some steps.

    Raises:
        PipelineError: a batch is more than all images.
    """
    if batch_size > len(data.train):
        raise PipelineError(
            f"a batch of {batch_size} images is more than training has ({len(data.train)})"
        )
    index = np.arange(batch_size)
    for _ in range(STEPS):
        engine.train_batch(
            data.train.images, index, data.train.labels[index], method.learning_rate, 0.0
        )


def load_code(data: Dataset, method: Method, threads: int) -> None:
    """Train a small network, and leave the engine's code in memory.

    Libraries are read from their files page by page, when they are first used: torch's training
    takes 11 MiB so, which belong to the process, as its import does, and to no network.
    """
    widths = [data.pixels, _WIDTH, len(data.class_names)]
    train_apart(data, method, widths, min(_IMAGES, len(data.train)), threads)


def train_apart(
    data: Dataset, method: Method, widths: Sequence[int], batch_size: int, threads: int
) -> None:
    """Train a network of `widths` for some steps, and forget it.

    Raises:
        PipelineError: a batch is more than all images.
    """
    engine = create_engine(method, list(widths), seed=SEED, threads=threads)
    take_steps(engine, data, method, batch_size)
