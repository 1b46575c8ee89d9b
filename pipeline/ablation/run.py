"""One training of a variant: what runs in a fresh process, and what it reports."""

import json
import statistics
import tempfile
from pathlib import Path

from pipeline.ablation.plan import load_plan
from pipeline.ablation.results import Run
from pipeline.common.atomic import write_text
from pipeline.config.params import Params
from pipeline.engines.engine import create_engine, load_data
from pipeline.profiling.memory import PeakMemory
from pipeline.profiling.warm_up import load_code
from pipeline.training.evaluate import evaluate
from pipeline.training.trials import train_fully


def run(params: Params, variant: str, architecture: str, seed: int, output: Path) -> None:
    """Train once in this process and write a Run to `output` as JSON.

    Raises:
        PipelineError: an unknown name, missing data, or an output that cannot be written.
    """
    method = load_plan(params).training(variant).method
    params.check_known(architecture, seed=seed)
    data = load_data(method)
    threads = params.train.threads
    load_code(data, method, threads)
    memory = PeakMemory()
    engine = create_engine(method, data.architecture(architecture), seed=seed, threads=threads)
    seconds = train_fully(engine, data, method, params.train.batch_size, seed)
    training_memory = memory.since_start()

    classes = len(data.class_names)
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        engine.save(model)
        size = model.stat().st_size
    result = Run(
        architecture=architecture,
        seed=seed,
        validation_accuracy=evaluate(engine, data.validation, classes).accuracy,
        test_accuracy=evaluate(engine, data.test, classes).accuracy,
        epoch_seconds=statistics.median(seconds),
        training_memory=training_memory,
        model_bytes=size,
    )
    write_text(output, json.dumps(result.model_dump()))
