"""How long an epoch of training takes, measured on as many of its steps as there is time for."""

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.config.params import Method
from pipeline.data.dataset import Dataset
from pipeline.engines.engine import Engine, create_engine
from pipeline.engines.phases import difference
from pipeline.profiling.memory import PeakMemory
from pipeline.profiling.warm_up import SEED, load_code, take_steps
from pipeline.training.train import epoch_steps, layer_widths


@dataclass(frozen=True)
class Timing:
    """Seconds of an epoch, in all and by phase (`pipeline.engines.phases`)."""

    epoch_seconds: float
    phase_seconds: dict[str, float]


class TrainingClock:
    """A network in training whose steps are timed. Its memory counts from just before it was built.

    Raises:
        PipelineError: a batch is more than all images.

    Attributes:
        built: time.monotonic() just before the network was built.
        memory: peaks of this process.
        engine: the network.
    """

    def __init__(
        self, data: Dataset, method: Method, architecture: str, batch_size: int, threads: int
    ) -> None:
        load_code(data, method, threads)
        self.built = time.monotonic()
        self.memory = PeakMemory()
        widths = layer_widths(architecture, data)
        self.engine: Engine = create_engine(method, widths, seed=SEED, threads=threads)
        self._steps = self._endless(data, method, batch_size)
        take_steps(self.engine, data, method, batch_size)

    def run(self, seconds: float) -> Timing:
        """Train for at least `seconds`, and at least one step; scale what it took to an epoch."""
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

    def _endless(self, data: Dataset, method: Method, batch_size: int) -> Iterator[int]:
        for epoch in itertools.count():
            yield from epoch_steps(
                self.engine, data.train, method, batch_size, SEED, epoch % method.epochs
            )
