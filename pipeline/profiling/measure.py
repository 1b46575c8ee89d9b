"""One measurement: what runs in a fresh process, and what it reports."""

import json
import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from pipeline.common.atomic import write_text
from pipeline.config.params import Params
from pipeline.data.dataset import check_split
from pipeline.engines.engine import load_data
from pipeline.profiling.training_clock import TrainingClock

# Parts of a measurement, of which the fastest counts: other processes disturbed it least.
PARTS = 3


class Measurement(BaseModel):
    """What one process reports; memory in bytes.

    Attributes:
        epoch_seconds: of an epoch of training, without evaluation, as each part of the
            measurement has it.
        process_memory: peak of the process from its start.
        training_memory: peak above the moment just before the network was built.
        phase_seconds: of an epoch by phase (`pipeline.engines.phases`), with normalization told apart,
            which torch does at some cost; what is left of that epoch is `loop`.
        network_built: time.monotonic() just before the network was built.
        finished: time.monotonic() at the end of the last part.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epoch_seconds: list[float]
    phase_seconds: dict[str, float]
    process_memory: int
    training_memory: int
    network_built: float
    finished: float


def measure(
    params: Params, architecture: str, method_name: str, batch_size: int, output: Path
) -> None:
    """Train in this process as `train` does and write a Measurement to `output` as JSON.

    Raises:
        PipelineError: an unknown name, data that is missing or of other params, or an output
            that cannot be written.
    """
    params.check_known(architecture, method_name)
    method = params.methods[method_name]
    data = load_data(method)
    check_split(data, params.data)
    clock = TrainingClock(data, method, architecture, batch_size, params.train.threads)
    part = params.profile.seconds / PARTS
    seconds = [clock.run(part).epoch_seconds for _ in range(PARTS)]
    finished = time.monotonic()
    process_memory, training_memory = clock.memory.of_process(), clock.memory.since_start()

    clock.engine.tell_normalization_apart()
    detailed = clock.run(part)
    phases = detailed.phase_seconds
    phases["loop"] = detailed.epoch_seconds - sum(phases.values())
    measurement = Measurement(
        epoch_seconds=seconds,
        phase_seconds=phases,
        process_memory=process_memory,
        training_memory=training_memory,
        network_built=clock.built,
        finished=finished,
    )
    write_text(output, json.dumps(measurement.model_dump()))
