"""One variant: trained on its architectures with every seed, each time in a fresh process."""

import tempfile
import time
from pathlib import Path

from pipeline.ablation.plan import load_plan
from pipeline.ablation.results import Result, Run, provenance, write_result
from pipeline.common.console import echo, progress
from pipeline.common.machine import describe_machine
from pipeline.config.params import Params
from pipeline.data import dataset
from pipeline.profiling.fresh_process import run_in_fresh_process
from pipeline.training.trials import Trial, train_trial


def ablate(params: Params, variant: str) -> None:
    """Train `variant` and write ablation/results/VARIANT.json: see `results.Result`.

    Raises:
        PipelineError: an unknown variant, missing data, or a training that failed.
    """
    training = load_plan(params).training(variant)
    dataset.check_present()
    started = time.monotonic()
    cases = [(name, seed) for name in training.architectures for seed in params.seeds]
    runs: list[Run] = []
    with progress(f"ablation {variant}", len(cases)) as advance:
        for architecture, seed in cases:
            what = f"the training of {variant} on {architecture} with seed {seed}"
            trial = Trial(training.method, architecture, seed, params.train)
            with tempfile.TemporaryDirectory() as folder:
                model = Path(folder) / "model"
                accuracies = run_in_fresh_process(what, train_trial, trial, model)
                size = model.stat().st_size
            runs.append(
                Run(
                    architecture=architecture,
                    seed=seed,
                    validation_accuracy=accuracies.validation,
                    test_accuracy=accuracies.test,
                    model_bytes=size,
                )
            )
            advance(f"{architecture}, seed {seed}: test accuracy {accuracies.test:.2f} %")
    result = Result(
        **provenance(training, params),
        environment=describe_machine(params.train.threads, started),
        runs=runs,
    )
    echo(f"{write_result(variant, result)} written")
