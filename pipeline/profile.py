"""Time and memory of training: fresh processes, methods in turn, round after round."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
from memory_profiler import memory_usage

from pipeline.data import store
from pipeline.environment import describe_environment
from pipeline.errors import PipelineError, how_it_ended, ran_out_of_memory
from pipeline.measure import Measurement
from pipeline.memory import MIB
from pipeline.outputs import whole_directory
from pipeline.params import Params
from pipeline.paths import PROFILES
from pipeline.progress import progress, say


def profile(params: Params, architecture: str) -> None:
    """Measure every method on `architecture`; write profiles/ARCHITECTURE/.

    measurements.csv has a row a round, method and batch size; phases.csv the seconds of an epoch
    by phase; ledger.csv the bytes by kind;
    memory_curve.csv the resident memory over time; environment.json the machine.

    Raises:
        PipelineError: an unknown architecture, missing data, or a measurement that failed.
    """
    params.check_known(architecture)
    store.check_present()
    cases = [(batch, method) for batch in params.profiled_batch_sizes for method in params.methods]
    rounds: list[dict[str, object]] = []
    phases: list[dict[str, object]] = []
    ledger: list[dict[str, object]] = []
    curves: list[pd.DataFrame] = []
    with progress(f"profile {architecture}", len(cases) * (params.profile.rounds + 1)) as advance:
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
        # processes of their own.
        for batch, method in cases:
            result, curve = _sampled(architecture, method, batch, params.profile.sample_seconds)
            curves.append(curve)
            ledger += [
                {
                    "architecture": architecture,
                    "batch_size": batch,
                    "method": method,
                    "kind": kind,
                    "bytes": size,
                }
                for kind, size in result.ledger.items()
            ]
            advance(f"{method}, batch {batch}: {len(curve)} samples of memory")

    folder = PROFILES / architecture
    with whole_directory(folder) as temporary:
        for name, table in {
            "measurements": pd.DataFrame(rounds),
            "phases": pd.DataFrame(phases),
            "ledger": pd.DataFrame(ledger),
            "memory_curve": pd.concat(curves),
        }.items():
            table.to_csv(temporary / f"{name}.csv", index=False, lineterminator="\n")
        (temporary / "environment.json").write_text(describe_environment(params.train.threads))
    say(f"{folder}/ written")


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


def _command(architecture: str, method: str, batch: int, output: Path) -> list[str]:
    return [
        *(sys.executable, "-m", "pipeline", "measure", "--architecture", architecture),
        *("--method", method, "--batch-size", str(batch), "--output", str(output)),
    ]


def _measure(architecture: str, method: str, batch: int) -> Measurement:
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "measurement.json"
        command = _command(architecture, method, batch, output)
        finished = subprocess.run(command, capture_output=True, text=True, check=False)
        return _read(output, command, finished.returncode, finished.stderr)


def _sampled(
    architecture: str, method: str, batch: int, interval: float
) -> tuple[Measurement, pd.DataFrame]:
    """Measure once more while memory-profiler samples the process from outside."""
    with tempfile.TemporaryDirectory() as folder:
        output, errors = Path(folder) / "measurement.json", Path(folder) / "stderr"
        command = _command(architecture, method, batch, output)
        with errors.open("w") as stderr:
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr)
            try:
                samples = memory_usage(process, interval=interval, timestamps=True)
                status = process.wait()
            finally:
                process.kill()  # nothing, unless this process was interrupted
        result = _read(output, command, status, errors.read_text())
    curve = pd.DataFrame(samples, columns=["process_memory_mib", "seconds"])
    # Time 0 is when the network is built. A sample taken as the process starts or ends
    # reads next to nothing.
    curve = curve[(curve["process_memory_mib"] >= 1) & (curve["seconds"] <= result.finished)]
    curve["seconds"] = (curve["seconds"] - result.network_built).round(3)
    curve["process_memory_mib"] = curve["process_memory_mib"].round(2)
    curve.insert(0, "method", method)
    curve.insert(0, "batch_size", batch)
    curve.insert(0, "architecture", architecture)
    return result, curve


def _read(output: Path, command: list[str], status: int, errors: str) -> Measurement:
    if status != 0 or not output.exists():
        why = " (out of memory)" if ran_out_of_memory(status, errors) else ""
        raise PipelineError(
            f"a measurement ended with {how_it_ended(status)}{why}: {' '.join(command[1:])}\n"
            f"{errors.strip()}"
        )
    return Measurement.model_validate_json(output.read_text())
