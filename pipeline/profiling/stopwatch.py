"""The one clock of training: how long an epoch takes, measured on as many steps as time allows.

Every figure of seconds in the report comes from here: costs, scaling and the ablation measure with
it, and the time to an accuracy is a number of steps times what it measured.
"""

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipeline.common.errors import PipelineError
from pipeline.config.params import Method
from pipeline.data.dataset import Dataset
from pipeline.engines.engine import Engine, create_engine
from pipeline.engines.phases import difference
from pipeline.profiling.timing import settle
from pipeline.training.train import epoch_steps

# The first steps of a process load code and choose kernels.
WARM_UP_STEPS = 10
# Time and memory do not depend on it.
SEED = 0
# A network that has every kind of layer and hardly any memory, and a batch to match.
_TINY_ARCHITECTURE, _TINY_BATCH = "mlp-8", 8


@dataclass(frozen=True)
class Timing:
    """Seconds per epoch, in all and by phase (`pipeline.engines.phases`)."""

    epoch_seconds: float
    phase_seconds: dict[str, float]


class Stopwatch:
    """A network in training whose steps are timed.

    Attributes:
        engine: the network, which has taken its first steps.
    """

    def __init__(
        self, data: Dataset, method: Method, architecture: str, batch_size: int, threads: int
    ) -> None:
        """Build the network and let it take its first steps.

        Raises:
            PipelineError: a batch is more than all images.
        """
        self.engine: Engine = create_engine(
            method, data.architecture(architecture), seed=SEED, threads=threads
        )
        self._steps = _endless_steps(self.engine, data, method, batch_size)
        take_first_steps(self.engine, data, method, batch_size)

    def run(self, seconds: float) -> Timing:
        """Train for at least `seconds` and at least one step, and scale that to an epoch."""
        settle()
        before = self.engine.phase_seconds()
        started = time.perf_counter()
        elapsed, count, of_epoch = 0.0, 0, 1
        while count == 0 or elapsed < seconds:
            of_epoch = next(self._steps)
            count += 1
            elapsed = time.perf_counter() - started
        scale = of_epoch / count
        phases = difference(self.engine.phase_seconds(), before)
        return Timing(elapsed * scale, {name: value * scale for name, value in phases.items()})


def _endless_steps(engine: Engine, data: Dataset, method: Method, batch_size: int) -> Iterator[int]:
    for epoch in itertools.count():
        yield from epoch_steps(engine, data.train, method, batch_size, SEED, epoch % method.epochs)


def take_first_steps(engine: Engine, data: Dataset, method: Method, batch_size: int) -> None:
    """Train `engine` for WARM_UP_STEPS steps.

    Raises:
        PipelineError: a batch is more than all images.
    """
    if batch_size > len(data.train):
        raise PipelineError(
            f"a batch of {batch_size} images is more than training has ({len(data.train)})"
        )
    index = np.arange(batch_size)
    for _ in range(WARM_UP_STEPS):
        engine.train_batch(
            data.train.images, index, data.train.labels[index], method.learning_rate, 0.0
        )


def train_tiny_network(data: Dataset, method: Method, threads: int) -> None:
    """Train a tiny network and forget it, which leaves the engine's code and pools in memory."""
    architecture = data.architecture(_TINY_ARCHITECTURE)
    engine = create_engine(method, architecture, seed=SEED, threads=threads)
    take_first_steps(engine, data, method, min(_TINY_BATCH, len(data.train)))
