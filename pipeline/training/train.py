"""The one epoch loop, for every engine, and the files that a training run leaves."""

import math
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.artifacts.run_files import (
    HISTORY_COLUMNS,
    chance_level,
    is_at_chance,
    write_run,
)
from pipeline.common import checksum
from pipeline.common.atomic import atomic_directory, atomic_file
from pipeline.common.console import echo, progress
from pipeline.common.errors import PipelineError
from pipeline.config.params import Method, Params
from pipeline.config.paths import RUNS, model_path, run_name
from pipeline.data.dataset import Dataset, Part, check_split, check_unchanged
from pipeline.engines.engine import Engine, create_engine, load_data
from pipeline.training.checkpoint import Checkpoint, describe_run
from pipeline.training.evaluate import Evaluation, evaluate
from pipeline.training.schedule import cosine, exponential


def train(params: Params, architecture_name: str, method_name: str, seed: int) -> None:
    """Train one network; write models/NAME.safetensors and runs/NAME/.

    The folder has history.csv, a row per epoch, and metrics.json. Both outputs appear whole, the
    model first. The metrics hold the model's checksum, which tells a model and metrics of
    different runs apart. An interrupted run goes on from its checkpoint, which stays until both
    outputs are there. A line warns of a network that ends at chance level.

    Raises:
        PipelineError: an unknown name, data that is missing, of other params or has changed
            meanwhile, a training that diverged, or outputs that cannot be written.
    """
    params.check_known(architecture_name, method_name, seed)
    method = params.recipe(architecture_name, method_name)
    data = load_data(method)
    check_split(data, params.data)
    architecture = data.architecture(architecture_name)
    threads = params.train.threads
    engine = create_engine(method, architecture, seed=seed, threads=threads)
    name = run_name(architecture_name, method_name, seed)
    run = describe_run(method, architecture, threads, seed, data)
    checkpoint = Checkpoint(name, run, engine, HISTORY_COLUMNS, method.epochs)
    history = fit(engine, data, method, seed, name, checkpoint)

    # The test set is used here, once, when nothing is left to choose. One part is held at a time,
    # beside that which was trained on.
    evaluations = {
        "training": _evaluate(engine, data.train, data.classes, name),
        "validation": _evaluate(engine, data.read("validation"), data.classes, name),
        "test": _evaluate(engine, data.read("test"), data.classes, name),
    }
    results = {part: each.summary(data.class_names) for part, each in evaluations.items()}
    check_unchanged(data)
    model = model_path(name)
    with atomic_file(model) as path:
        engine.save(path)
        size, digest = path.stat().st_size, checksum.sha256_file(path)
    metrics = {
        "architecture": architecture_name,
        "method": method_name,
        "seed": seed,
        "parameters": engine.parameter_count(),
        "model": {"bytes": size, "sha256": digest},
        **results,
    }
    with atomic_directory(RUNS / name) as folder:
        write_run(folder, metrics, history)
    checkpoint.remove()
    echo(f"{name}: test accuracy {results['test']['accuracy']:.2f} %, {model}")
    _warn_of_chance(name, method_name, results["validation"])


def fit(
    engine: Engine,
    data: Dataset,
    method: Method,
    seed: int,
    name: str,
    checkpoint: Checkpoint,
) -> list[dict[str, float]]:
    """Train for `method.epochs` epochs, or the rest of them, and return the history.

    The history has a row per epoch. Its keys are epoch (from 1), seconds and cumulative_seconds
    (of training alone, without evaluation), training_loss and validation_loss (nats), and
    training_error and validation_error (percent). Losses and errors are of the network as it
    predicts after the epoch.

    Raises:
        PipelineError: there is no whole batch, or the training diverged.
    """
    validation_images = data.read("validation")
    rows = checkpoint.resume()
    total = rows[-1]["cumulative_seconds"] if rows else 0.0
    with progress(name, method.epochs, len(rows)) as advance:
        for epoch in range(len(rows), method.epochs):
            started = time.perf_counter()
            run_epoch(engine, data.train, method, method.batch_size, seed, epoch)
            seconds = time.perf_counter() - started
            total += seconds
            training = _evaluate(engine, data.train, data.classes, name)
            validation = _evaluate(engine, validation_images, data.classes, name)
            rows.append(
                {
                    "epoch": epoch + 1,
                    "seconds": round(seconds, 4),
                    "cumulative_seconds": round(total, 4),
                    "training_loss": round(training.loss, 6),
                    "validation_loss": round(validation.loss, 6),
                    "training_error": round(training.error, 4),
                    "validation_error": round(validation.error, 4),
                }
            )
            checkpoint.keep(rows)
            advance(
                f"training error {training.error:.2f} %, "
                f"validation error {validation.error:.2f} %, {seconds:.2f} s"
            )
    return rows


def _evaluate(engine: Engine, part: Part, classes: int, name: str) -> Evaluation:
    """Evaluate the network of the run called `name`, whose loss must be a number.

    Raises:
        PipelineError: it is none.
    """
    # The message below says what these warnings would.
    with np.errstate(invalid="ignore"):
        evaluation = evaluate(engine, part, classes)
    if not math.isfinite(evaluation.loss):
        raise PipelineError(
            f"the training of {name} diverged: its loss is no number. Lower the method's "
            "learning_rate in params.yaml."
        )
    return evaluation


def _warn_of_chance(name: str, method: str, validation: Mapping[str, Any]) -> None:
    """Print a line if the network's accuracy on the validation images is that of chance."""
    if is_at_chance(validation):
        echo(
            f"warning: {name} ends at chance level: its validation accuracy is "
            f"{validation['accuracy']:.2f} %, and the largest class has "
            f"{chance_level(validation):.2f} % of the images. Try a smaller learning_rate, or more "
            f"epochs, for {method} in params.yaml."
        )


def run_epoch(
    engine: Engine, part: Part, method: Method, batch_size: int, seed: int, epoch: int
) -> None:
    """Train once on all of `part` in this epoch's own order."""
    for _ in epoch_steps(engine, part, method, batch_size, seed, epoch):
        pass


def epoch_steps(
    engine: Engine, part: Part, method: Method, batch_size: int, seed: int, epoch: int
) -> Iterator[int]:
    """Train as `run_epoch` does; after each step, yield how many steps the epoch has."""
    batches = epoch_batches(len(part), batch_size, seed, epoch)
    for step, batch in enumerate(batches):
        indices = batch.astype(np.int64)
        done = (epoch + step / len(batches)) / method.epochs
        rate = method.learning_rate * schedule_factor(method.schedule, done)
        engine.train_batch(part.images, indices, part.labels[indices], rate, done)
        yield len(batches)


def epoch_batches(
    images: int, batch_size: int, seed: int, epoch: int
) -> NDArray[np.unsignedinteger[Any]]:
    """Return this epoch's order as (batches, batch_size) indices, a function of the arguments.

    The images that remain after the last whole batch are left out, other ones in every epoch. A
    batch of one image would have no variance to normalize by.

    Raises:
        PipelineError: there is no whole batch.
    """
    if images < batch_size:
        raise PipelineError(
            f"a batch of {batch_size} images is more than the {images} training images that data/ "
            "holds: choose smaller batches in params.yaml, or run `dvc repro fetch` for the images "
            "that it asks for"
        )
    # They are held while the epoch lasts, in the fewest bytes that count so far.
    order = np.arange(images, dtype=np.min_scalar_type(images - 1))
    np.random.Generator(np.random.Philox(key=[seed, epoch])).shuffle(order)
    batches = images // batch_size
    return order[: batches * batch_size].reshape(batches, batch_size)


def schedule_factor(schedule: str, done: float) -> float:
    """Return the factor on the learning rate after the share `done` of training, in [0, 1).

    cosine falls from 1 to 0 (Loshchilov & Hutter 2017, arXiv 1608.03983, without restarts);
    exponential falls from 1 to 1/1000, evenly on a logarithmic scale; constant stays at 1.
    """
    if schedule == "cosine":
        return cosine(done)
    if schedule == "exponential":
        return exponential(done)
    return 1.0
