"""Training memory, allocation by allocation.

Training memory is the most that a process has allocated at one time since just before the network
was built. memray counts every allocation of every library. So the figure does not depend on what
the C library keeps of freed memory, nor on what the process held before.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.config.params import Method
from pipeline.data.dataset import Dataset
from pipeline.engines.engine import create_engine
from pipeline.profiling.stopwatch import SEED, take_first_steps, train_tiny_network
from pipeline.training.train import epoch_steps

# Steps beyond the first ones, at most an epoch. By then all threads have held their own buffers at
# the same time.
_STEPS = 100


@dataclass(frozen=True)
class TrainingMemory:
    """Bytes that training holds at its peak.

    Attributes:
        peak: in all.
        breakdown: by kind (`Engine.memory_breakdown`), at its fullest within a step each; they
            need not all be at their fullest at the peak, so that their sum may exceed it.
    """

    peak: int
    breakdown: dict[str, int]


def measure_training_memory(
    data: Dataset, method: Method, architecture: str, batch_size: int, threads: int
) -> TrainingMemory:
    """Train a network for some steps in this process and count what is allocated.

    Raises:
        PipelineError: a batch is more than all images.
    """
    # Imported here: it takes memory, and this process alone needs it.
    from memray import FileDestination, FileFormat, FileReader, Tracker

    train_tiny_network(data, method, threads)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "allocations"
        with Tracker(
            destination=FileDestination(path), file_format=FileFormat.AGGREGATED_ALLOCATIONS
        ):
            engine = create_engine(
                method, data.architecture(architecture), seed=SEED, threads=threads
            )
            take_first_steps(engine, data, method, batch_size)
            steps = epoch_steps(engine, data.train, method, batch_size, SEED, 0)
            for _ in zip(range(_STEPS), steps, strict=False):
                pass
        peak = FileReader(path).metadata.peak_memory
    index = np.arange(batch_size)
    breakdown = engine.memory_breakdown(data.train.images, index, data.train.labels[index])
    return TrainingMemory(peak, dict(breakdown))
