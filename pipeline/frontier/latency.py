"""How long networks take to predict: float's runtimes and the packed ones, in turns."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.config.names import BASELINE, PACKED, PASSES
from pipeline.config.params import Params
from pipeline.data import dataset
from pipeline.frontier.plan import Candidate, Plan
from pipeline.inference.latency import measure_latency
from pipeline.inference.runtimes import RUNTIMES, Files, skipped, write_onnx
from pipeline.profiling.fresh_process import run_in_fresh_process

# The two packed networks that one process times: how they predict is a matter of their files.
_PACKED = (PACKED, PASSES)


@dataclass
class Measured:
    """Rows of `results.Latencies` and of `results.RuntimeFiles`."""

    rounds: list[dict[str, Any]] = field(default_factory=list)
    files: list[dict[str, Any]] = field(default_factory=list)


def runtimes_of(plan: Plan) -> dict[str, list[str]]:
    """Return the runtimes that can run here by method: all for float, one for a packed method."""
    missing = skipped()
    float_runtimes = [name for name in RUNTIMES if name not in (*_PACKED, *missing)]
    packed = zip(plan.file.methods.packed, _PACKED, strict=False)
    return {BASELINE: float_runtimes, **{method: [name] for method, name in packed}}


def measure_latencies(
    params: Params, plan: Plan, models: Mapping[Candidate, Path], threads: int
) -> Measured:
    """Time the networks in one process, round after round, and see how well they predict.

    Args:
        params: of which nothing counts but that there is some `inference`.
        plan: says how often and how many images at a time.
        models: files of networks, of one candidate a method at most.
        threads: of each runtime.

    Raises:
        PipelineError: missing data, or a process that ended.
    """
    of_method = {each.name: each for each in models}
    owners = {
        runtime: of_method[method]
        for method, runtimes in runtimes_of(plan).items()
        if method in of_method
        for runtime in runtimes
    }
    paths = {runtime: models[owner] for runtime, owner in owners.items()}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        nothing = folder / "nothing"
        float32 = models[of_method[BASELINE]] if BASELINE in of_method else nothing
        name = of_method.get(BASELINE, next(iter(models))).architecture
        files = Files(
            dataset.read_architecture(name),
            float32,
            paths.get(PACKED, nothing),
            paths.get(PASSES, nothing),
            folder,
        )
        write_onnx(files, owners)
        found = run_in_fresh_process(
            f"the measurement of latency with {threads} threads",
            measure_latency,
            params.inference.model_copy(update=plan.file.measure.latency.model_dump()),
            files,
            list(owners),
            threads,
        )
    measured = Measured()
    for row in found.rows:
        owner = owners[row.runtime]
        measured.rounds.append(
            {
                "method": owner.name,
                "architecture": owner.architecture,
                "threads": row.threads,
                "images": row.batch_size,
                "round": row.round,
                "runtime": row.runtime,
                "seconds": row.seconds,
            }
        )
    for runtime, owner in owners.items():
        measured.files.append(
            {
                "method": owner.name,
                "architecture": owner.architecture,
                "threads": threads,
                "runtime": runtime,
                "test_accuracy": found.test_accuracy[runtime],
                "file_kib": found.file_bytes[runtime] / 1024,
            }
        )
    return measured
