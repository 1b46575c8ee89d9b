"""Time and memory of training: fresh processes, methods in turn, round after round."""

import os
import subprocess
import tempfile
import time
from pathlib import Path

import pandas as pd
from memory_profiler import memory_usage

from pipeline.common.atomic import atomic_directory
from pipeline.common.console import echo, progress
from pipeline.common.machine import describe_environment
from pipeline.common.units import MIB
from pipeline.config.params import Params
from pipeline.config.paths import PROFILES
from pipeline.data import dataset
from pipeline.profiling.fresh_process import command_line, output_of, read_output
from pipeline.profiling.measure import Measurement
from pipeline.profiling.memory_ledger import GIVES_BACK, Ledger


def profile(params: Params, architecture: str) -> None:
    """Measure every method on `architecture`; write profiles/ARCHITECTURE/.

    measurements.csv has a row a round, method and batch size; phases.csv the seconds of an epoch
    by phase; ledger.csv the bytes by kind, in a process that gives back at once what is freed, and
    that process's peak; memory_curve.csv the resident memory over time; environment.json the
    machine.

    Raises:
        PipelineError: an unknown architecture, missing data, or a measurement that failed.
    """
    params.check_known(architecture)
    dataset.check_present()
    started = time.monotonic()
    cases = [(batch, method) for batch in params.profiled_batch_sizes for method in params.methods]
    rounds: list[dict[str, object]] = []
    phases: list[dict[str, object]] = []
    ledger: list[dict[str, object]] = []
    curves: list[pd.DataFrame] = []
    with progress(f"profile {architecture}", len(cases) * (params.profile.rounds + 2)) as advance:
        for number in range(1, params.profile.rounds + 1):
            for batch, method in cases:
                result = _measure(architecture, method, batch)
                row = _row(architecture, method, batch, number, result)
                rounds.append(row)
                phases += _phase_rows(row, result)
                advance(
                    f"{method}, batch {batch}: {row['epoch_seconds']:.3f} s an epoch, "
                    f"{row['training_memory_mib']:.1f} MiB to train"
                )
        # Sampling takes processor time from the sampled process, so the curves have
        # processes of their own; so has the ledger, which a special environment serves.
        for batch, method in cases:
            curves.append(_sampled(architecture, method, batch, params.profile.sample_seconds))
            advance(f"{method}, batch {batch}: {len(curves[-1])} samples of memory")
            ledger += _ledger_rows(architecture, method, batch)
            advance(f"{method}, batch {batch}: bytes by kind")

    folder = PROFILES / architecture
    with atomic_directory(folder) as temporary:
        for name, table in {
            "measurements": pd.DataFrame(rounds),
            "phases": pd.DataFrame(phases),
            "ledger": pd.DataFrame(ledger),
            "memory_curve": pd.concat(curves),
        }.items():
            table.to_csv(temporary / f"{name}.csv", index=False, lineterminator="\n")
        (temporary / "environment.json").write_text(
            describe_environment(params.train.threads, started)
        )
    echo(f"{folder}/ written")


def _row(
    architecture: str, method: str, batch: int, number: int, result: Measurement
) -> dict[str, object]:
    return {
        "architecture": architecture,
        "batch_size": batch,
        "round": number,
        "method": method,
        # The fastest part is the one that other processes disturbed least.
        "epoch_seconds": min(result.epoch_seconds),
        "process_memory_mib": result.process_memory / MIB,
        "training_memory_mib": result.training_memory / MIB,
    }


def _phase_rows(row: dict[str, object], result: Measurement) -> list[dict[str, object]]:
    keys = {key: row[key] for key in ("architecture", "batch_size", "round", "method")}
    return [
        {**keys, "phase": phase, "seconds": value} for phase, value in result.phase_seconds.items()
    ]


def _ledger_rows(architecture: str, method: str, batch: int) -> list[dict[str, object]]:
    keys = {"architecture": architecture, "batch_size": batch, "method": method}
    arguments = _arguments("ledger", architecture, method, batch)
    text = output_of(arguments, os.environ | GIVES_BACK)
    ledger = Ledger.model_validate_json(text)
    return [
        {**keys, "kind": kind, "bytes": size, "peak_bytes": ledger.peak}
        for kind, size in ledger.kinds.items()
    ]


def _measure(architecture: str, method: str, batch: int) -> Measurement:
    text = output_of(_arguments("measure", architecture, method, batch))
    return Measurement.model_validate_json(text)


def _arguments(name: str, architecture: str, method: str, batch: int) -> list[str]:
    return [
        *(name, "--architecture", architecture),
        *("--method", method, "--batch-size", str(batch)),
    ]


class _Samples:
    """The stream that memory-profiler writes its samples to, a line each: MEM, MiB, time.

    Its times are the wall clock's, which may jump. Here they are of the clock that all processes
    share and nobody sets.
    """

    def __init__(self) -> None:
        self.rows: list[tuple[float, float]] = []

    def write(self, line: str) -> None:
        self.rows.append((float(line.split()[1]), time.monotonic()))

    def flush(self) -> None:
        """Do nothing: memory-profiler calls it."""


def _sampled(architecture: str, method: str, batch: int, interval: float) -> pd.DataFrame:
    """Return the memory of one more measurement, which memory-profiler samples from outside."""
    with tempfile.TemporaryDirectory() as folder:
        output, errors = Path(folder) / "measurement.json", Path(folder) / "stderr"
        command = command_line(_arguments("measure", architecture, method, batch), output)
        with errors.open("w") as stderr:
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr)
            try:
                samples = _Samples()
                memory_usage(process, interval=interval, stream=samples)
                status = process.wait()
            finally:
                process.kill()  # nothing, unless this process was interrupted
        text = read_output(output, command, status, errors.read_text())
    result = Measurement.model_validate_json(text)
    curve = pd.DataFrame(samples.rows, columns=["process_memory_mib", "seconds"])
    # Time 0 is when the network is built. A sample taken as the process starts or ends
    # reads next to nothing.
    curve = curve[(curve["process_memory_mib"] >= 1) & (curve["seconds"] <= result.finished)]
    curve["seconds"] = (curve["seconds"] - result.network_built).round(3)
    curve["process_memory_mib"] = curve["process_memory_mib"].round(2)
    curve.insert(0, "method", method)
    curve.insert(0, "batch_size", batch)
    curve.insert(0, "architecture", architecture)
    return curve
