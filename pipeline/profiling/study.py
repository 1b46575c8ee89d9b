"""How long training takes to the test accuracy that the study's binary network ended with."""

import csv
import io
import time
from statistics import median
from typing import Any

from pipeline.common.atomic import atomic_directory
from pipeline.common.console import echo, progress
from pipeline.common.machine import describe_environment
from pipeline.config.params import Method, Params
from pipeline.config.paths import STUDY
from pipeline.config.published import load_published
from pipeline.data.dataset import Dataset
from pipeline.engines.engine import create_engine, load_data
from pipeline.profiling.warm_up import train_apart
from pipeline.training.evaluate import evaluate
from pipeline.training.train import epoch_steps, layer_widths

METHOD = "deterministic"
# Steps between two looks at the test set.
EVERY = 10
COLUMNS = ("architecture", "method", "seed", "target", "steps", "seconds", "test_accuracy")


def targets(params: Params) -> dict[str, float]:
    """Return the study's test accuracy, in percent, of each of our architectures that it has."""
    published = load_published()
    return {
        architecture: float(published[architecture][METHOD]["test_accuracy"])
        for architecture in params.architectures
        if architecture in published
    }


def time_to_study(params: Params) -> None:
    """Train every network until its test accuracy is the study's; write profiles/study/.

    times.csv has a row an architecture, method and seed: the steps, and the seconds of those steps
    alone. Each network trains by its own recipe, as `train` does, from the same initialization.
    The test set is looked at for the one thing that is measured here, as the study's figure is of
    the test set, and nothing is chosen by it. A network that does not get there in its epochs has
    no seconds.

    An architecture that the study has not has no rows.

    Raises:
        PipelineError: missing data.
    """
    started = time.monotonic()
    aims = targets(params)
    rows: list[dict[str, Any]] = []
    with progress("time to the study's accuracy", len(aims) * len(params.methods)) as advance:
        for name, method in params.methods.items():
            data = load_data(method)
            for architecture, target in aims.items():
                # What the first steps of a process pay for is no cost of a network.
                widths = layer_widths(architecture, data)
                train_apart(data, method, widths, params.train.batch_size, params.train.threads)
                new: list[dict[str, Any]] = [
                    {"architecture": architecture, "method": name, "seed": seed, "target": target}
                    | _train_to(target, params, architecture, method, seed, data)
                    for seed in params.seeds
                ]
                rows += new
                seconds = [each for row in new if (each := row["seconds"]) is not None]
                said = f"{median(seconds):.3f} s" if seconds else "not reached"
                advance(f"{architecture} {name}: {said}")
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with atomic_directory(STUDY) as folder:
        (folder / "times.csv").write_text(text.getvalue(), encoding="utf-8")
        (folder / "environment.json").write_text(
            describe_environment(params.train.threads, started)
        )
    echo(f"{STUDY}/ written")


def _train_to(
    target: float, params: Params, architecture: str, method: Method, seed: int, data: Dataset
) -> dict[str, Any]:
    threads, batch_size = params.train.threads, params.train.batch_size
    engine = create_engine(method, layer_widths(architecture, data), seed=seed, threads=threads)
    classes = len(data.class_names)
    steps, seconds, accuracy = 0, 0.0, 0.0
    for epoch in range(method.epochs):
        batches = epoch_steps(engine, data.train, method, batch_size, seed, epoch)
        while True:
            begun = time.perf_counter()
            taken = sum(1 for _, _ in zip(range(EVERY), batches, strict=False))
            seconds += time.perf_counter() - begun
            steps += taken
            if taken == 0:
                break
            accuracy = evaluate(engine, data.test, classes).accuracy
            if accuracy >= target:
                return {"steps": steps, "seconds": round(seconds, 4), "test_accuracy": accuracy}
    return {"steps": steps, "seconds": None, "test_accuracy": accuracy}
