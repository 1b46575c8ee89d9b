"""Which bytes a network in training holds: arrays counted one by one, and what else is measured."""

import json
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from pipeline.common.atomic import write_text
from pipeline.config.params import Params
from pipeline.data.dataset import check_split
from pipeline.engines.engine import load_data
from pipeline.profiling.training_clock import TrainingClock

# With these in the environment, glibc gives back at once what is freed (mallopt(3)). Without them
# it keeps tens of MiB, as it happens: how many differs between processes that do the same.
GIVES_BACK = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}


class Ledger(BaseModel):
    """What one process reports, in bytes.

    Attributes:
        peak: training memory, as in `pipeline.profiling.measure.Measurement`.
        kinds: of an engine's ledger, at their fullest within a step. Then library_code, pages of
            files first touched since the network was built; and other_in_use, what the process
            holds beyond that between steps and is none of the arrays counted: objects of Python,
            the order of the epoch, buffers and caches of libraries, stacks.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    peak: int
    kinds: dict[str, int]


def measure_ledger(
    params: Params, architecture: str, method_name: str, batch_size: int, output: Path
) -> None:
    """Train in this process as `measure` does and write a Ledger to `output` as JSON.

    The peak is the kernel's, of all steps; library_code and other_in_use are read between two
    steps, when what a step frees is given back. GIVES_BACK belongs in the environment.

    Raises:
        PipelineError: an unknown name, data that is missing or of other params, or an output
            that cannot be written.
    """
    params.check_known(architecture, method_name)
    method = params.methods[method_name]
    data = load_data(method)
    check_split(data, params.data)
    clock = TrainingClock(data, method, architecture, batch_size, params.train.threads)
    clock.run(params.profile.seconds)
    # Before the arrays are counted: counting has memory of its own.
    peak, growth = clock.memory.since_start(), clock.memory.growth()
    index = np.arange(batch_size)
    arrays = clock.engine.ledger(data.train.images, index, data.train.labels[index])
    kinds = dict(arrays)
    if growth is not None:
        kept = sum(arrays[kind] for kind in clock.engine.kept_between_steps)
        kinds |= {"library_code": growth.file, "other_in_use": growth.anonymous - kept}
    write_text(output, json.dumps(Ledger(peak=peak, kinds=kinds).model_dump()))
