"""One measurement: what runs in a fresh process, and what it reports."""

import json
import time
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from pipeline.engine import create_engine, load_data
from pipeline.memory import PeakMemory
from pipeline.outputs import write_text
from pipeline.params import Params
from pipeline.phases import difference
from pipeline.train import layer_widths, run_epoch

# First steps pay for loading code and choosing kernels, which is no cost of training.
WARMUP_STEPS = 10
# Time and memory do not depend on it.
SEED = 0


class Measurement(BaseModel):
    """What one process reports; memory in bytes.

    Attributes:
        epoch_seconds: of each epoch of training, without evaluation.
        process_memory: peak of the process from its start.
        training_memory: peak above the moment just before the network was built.
        phase_seconds: of the fastest epoch, by phase (`pipeline.phases`); what is left of the
            epoch is the loop around the steps.
        ledger: bytes that a training step holds, by kind.
        network_built: time.time() just before the network was built.
        finished: time.time() at the end of the last epoch.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epoch_seconds: list[float]
    phase_seconds: dict[str, float]
    process_memory: int
    training_memory: int
    ledger: dict[str, int]
    network_built: float
    finished: float


def measure(
    params: Params, architecture: str, method_name: str, batch_size: int, output: Path
) -> None:
    """Train in this process as `train` does and write a Measurement to `output` as JSON.

    Raises:
        PipelineError: an unknown name, missing data, or an output that cannot be written.
    """
    params.check_known(architecture, method_name)
    method = params.methods[method_name]
    data = load_data(method)
    # An engine's imports belong to the process, not to the training.
    create_engine(method, [data.pixels, 1, 2], seed=SEED, threads=params.train.threads)

    built = time.time()
    memory = PeakMemory()
    engine = create_engine(
        method, layer_widths(architecture, data), seed=SEED, threads=params.train.threads
    )
    index = np.arange(batch_size)
    labels = data.train.labels[:batch_size]
    for _ in range(WARMUP_STEPS):
        engine.train_batch(data.train.images, index, labels, method.learning_rate, 0.0)
    seconds: list[float] = []
    phases: list[dict[str, float]] = []
    while sum(seconds) < params.profile.seconds:
        before = engine.phase_seconds()
        started = time.perf_counter()
        run_epoch(engine, data.train, method, batch_size, SEED, len(seconds) % method.epochs)
        seconds.append(time.perf_counter() - started)
        phases.append(difference(engine.phase_seconds(), before))
    measurement = Measurement(
        epoch_seconds=seconds,
        phase_seconds=phases[seconds.index(min(seconds))],
        process_memory=memory.of_process(),
        training_memory=memory.since_start(),
        network_built=built,
        finished=time.time(),
        ledger=dict(engine.ledger(data.train.images, index, labels)),
    )
    write_text(output, json.dumps(measurement.model_dump()))
