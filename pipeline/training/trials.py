"""Training as `search` and `ablation` do it: without evaluation and without checkpoints."""

import time

from pipeline.config.params import Method
from pipeline.data.dataset import Dataset
from pipeline.engines.engine import Engine
from pipeline.training.train import run_epoch


def train_fully(
    engine: Engine, data: Dataset, method: Method, batch_size: int, seed: int
) -> list[float]:
    """Train for all epochs as `train` does, without evaluation; return the seconds of each."""
    seconds = []
    for epoch in range(method.epochs):
        started = time.perf_counter()
        run_epoch(engine, data.train, method, batch_size, seed, epoch)
        seconds.append(time.perf_counter() - started)
    return seconds
