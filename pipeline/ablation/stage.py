"""One variant: trained on its architectures with every seed, each time in a fresh process."""

import json
import time

from pipeline.ablation.plan import load_plan
from pipeline.ablation.results import Result, Run, settings, write_result
from pipeline.common.console import echo, progress
from pipeline.common.machine import describe_environment
from pipeline.common.units import MIB
from pipeline.config.params import Params
from pipeline.data import dataset
from pipeline.profiling.fresh_process import output_of


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
            arguments = ["--variant", variant, "--architecture", architecture, "--seed", str(seed)]
            text = output_of(["ablation-run", *arguments])
            result = Run.model_validate_json(text)
            runs.append(result)
            advance(
                f"{architecture}, seed {seed}: test accuracy {result.test_accuracy:.2f} %, "
                f"{result.epoch_seconds:.3f} s an epoch, "
                f"{result.training_memory / MIB:.1f} MiB to train"
            )
    environment = json.loads(describe_environment(params.train.threads, started))
    content = {**settings(training, params), "environment": environment, "runs": runs}
    path = write_result(variant, Result.model_validate(content))
    echo(f"{path} written")
