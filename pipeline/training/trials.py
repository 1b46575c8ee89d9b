"""Training as `search` and `ablation` do it: without evaluation until the end, or checkpoints."""

import time
from dataclasses import dataclass
from pathlib import Path

from pipeline.config.params import Method, TrainParams
from pipeline.data.dataset import Dataset
from pipeline.engines.engine import Engine, create_engine, load_data
from pipeline.training.evaluate import evaluate
from pipeline.training.train import run_epoch


@dataclass(frozen=True)
class Trial:
    """A recipe, and what it is trained on."""

    method: Method
    architecture: str
    seed: int
    train: TrainParams


@dataclass(frozen=True)
class Accuracies:
    """Of a trained network, in percent."""

    validation: float
    test: float


def train_trial(trial: Trial, model: Path) -> Accuracies:
    """Train as `train` does and write the model to `model`.

    The test set is used once, when nothing is left to choose.

    Raises:
        PipelineError: missing data.
        OSError: the model cannot be written.
    """
    data = load_data(trial.method)
    engine = create_engine(
        trial.method,
        data.architecture(trial.architecture),
        seed=trial.seed,
        threads=trial.train.threads,
    )
    train_fully(engine, data, trial.method, trial.method.batch_size, trial.seed)
    engine.save(model)
    classes = len(data.class_names)
    return Accuracies(
        evaluate(engine, data.read("validation"), classes).accuracy,
        evaluate(engine, data.read("test"), classes).accuracy,
    )


def train_fully(engine: Engine, data: Dataset, method: Method, batch_size: int, seed: int) -> float:
    """Train for all epochs as `train` does, without evaluation; return the seconds."""
    started = time.perf_counter()
    for epoch in range(method.epochs):
        run_epoch(engine, data.train, method, batch_size, seed, epoch)
    return time.perf_counter() - started
