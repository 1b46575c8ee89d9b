"""How many steps training takes to the test accuracy that the study's binary network ended with."""

import time
from statistics import median

from pipeline.artifacts.environment import write_environment
from pipeline.artifacts.study import STEPS_FILE, StudySteps
from pipeline.artifacts.tables import write_table
from pipeline.common.atomic import atomic_directory
from pipeline.common.console import echo, progress
from pipeline.common.machine import describe_machine
from pipeline.config.params import Method, Params
from pipeline.config.paths import STUDY
from pipeline.config.published import study_targets
from pipeline.data.dataset import Dataset, Part
from pipeline.engines.engine import create_engine, load_data
from pipeline.training.evaluate import evaluate
from pipeline.training.train import epoch_steps

# Steps between two looks at the test set.
EVERY = 10


def steps_to_study(params: Params) -> None:
    """Train every network until its test accuracy is the study's; write profiles/study/.

    steps.csv has a row per architecture, method and seed. Each network trains by its own recipe, as
    `train` does, from the same initialization. The study's figure is of the test set, so the test
    set is looked at for this one thing, and nothing is chosen by it. Seconds are no part of it: the
    report takes those per step from what `profile` measured. An architecture that is not in the
    study has no rows.

    Raises:
        PipelineError: missing data.
    """
    started = time.monotonic()
    targets = study_targets(params)
    rows: list[dict[str, object]] = []
    with progress("steps to the study's accuracy", len(targets) * len(params.methods)) as advance:
        for name, method in params.methods.items():
            data = load_data(method)
            test = data.read("test")
            for architecture, target in targets.items():
                runs = [
                    _train_to(target, params, architecture, method, seed, data, test)
                    for seed in params.seeds
                ]
                rows += [
                    {
                        "architecture": architecture,
                        "method": name,
                        "seed": seed,
                        "target": target,
                        "steps": steps,
                        "reached": accuracy >= target,
                        "test_accuracy": accuracy,
                    }
                    for seed, (steps, accuracy) in zip(params.seeds, runs, strict=True)
                ]
                reached = [steps for steps, accuracy in runs if accuracy >= target]
                found = f"{median(reached):.0f} steps" if reached else "not reached"
                advance(f"{architecture} {name}: {found}")
    with atomic_directory(STUDY) as folder:
        write_table(folder / STEPS_FILE.name, StudySteps, rows)
        write_environment(folder, describe_machine(params.train.threads, started))
    echo(f"{STUDY}/ written")


def _train_to(
    target: float,
    params: Params,
    architecture: str,
    method: Method,
    seed: int,
    data: Dataset,
    test: Part,
) -> tuple[int, float]:
    """Return the steps until `target` is reached, or all of them, and the test accuracy then."""
    threads = params.train.threads
    engine = create_engine(method, data.architecture(architecture), seed=seed, threads=threads)
    steps, accuracy = 0, 0.0
    for epoch in range(method.epochs):
        batches = epoch_steps(engine, data.train, method, method.batch_size, seed, epoch)
        while taken := sum(1 for _ in zip(range(EVERY), batches, strict=False)):
            steps += taken
            accuracy = evaluate(engine, test, data.classes).accuracy
            if accuracy >= target:
                return steps, accuracy
    return steps, accuracy
