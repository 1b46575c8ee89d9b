"""Inference of one architecture: the packed network against what one would pick instead."""

import dataclasses
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipeline.artifacts.environment import write_environment
from pipeline.artifacts.inference import InferenceRounds, Runtimes, folder_of
from pipeline.artifacts.run_files import read_metrics
from pipeline.artifacts.tables import write_table
from pipeline.common.atomic import atomic_directory
from pipeline.common.console import echo, progress
from pipeline.common.errors import PipelineError
from pipeline.common.machine import describe_machine
from pipeline.common.units import MIB
from pipeline.config.names import BASELINE, PACKED, PASSES
from pipeline.config.params import Params
from pipeline.config.paths import model_path, run_name
from pipeline.data import dataset
from pipeline.inference.latency import Latencies, measure_latency
from pipeline.inference.peak_memory import measure_peak_memory
from pipeline.inference.runtimes import RUNTIMES, Files, skipped, write_onnx
from pipeline.profiling.fresh_process import run_in_fresh_process


def infer(params: Params, architecture: str) -> None:
    """Measure every runtime that is installed; write profiles/inference/ARCHITECTURE/.

    rounds.csv has a row per thread count, batch size, round and runtime. runtimes.csv has a row per
    thread count and runtime; those that were skipped have the reason. environment.json describes
    the machine.

    Raises:
        PipelineError: an unknown architecture, missing data or models, damaged metrics, a
            measurement that failed, or a packed network that does not predict as the trained one
            did.
    """
    params.check_known(architecture)
    dataset.check_present()
    started = time.monotonic()
    reasons = skipped()
    for name, reason in reasons.items():
        echo(f"{name} is skipped: {reason}")
    runtimes = [name for name in RUNTIMES if name not in reasons]
    seed = params.seeds[0]
    trained = {
        PACKED: run_name(architecture, params.inference.method, seed),
        PASSES: run_name(architecture, params.inference.passes_method, seed),
    }
    # This comes first: what cannot be checked afterwards need not be measured for minutes.
    expected = {name: read_metrics(run)["test"] for name, run in trained.items()}
    with tempfile.TemporaryDirectory() as temporary:
        files = Files(
            dataset.read_architecture(architecture),
            model_path(run_name(architecture, BASELINE, seed)),
            model_path(trained[PACKED]),
            model_path(trained[PASSES]),
            Path(temporary),
        )
        write_onnx(files, runtimes)
        total = len(params.inference.threads) * (1 + len(runtimes))
        with progress(f"inference {architecture}", total) as advance:
            latencies: dict[int, Latencies] = {}
            memory: dict[tuple[int, str], float] = {}
            for threads in params.inference.threads:
                latencies[threads] = run_in_fresh_process(
                    f"the measurement of latency with {threads} threads",
                    measure_latency,
                    params.inference,
                    files,
                    runtimes,
                    threads,
                )
                advance(f"{len(runtimes)} runtimes, threads {threads}")
                for name in runtimes:
                    what = f"the measurement of {name}'s memory"
                    peak = run_in_fresh_process(what, measure_peak_memory, files, name, threads)
                    memory[threads, name] = peak / MIB
                    advance(f"{name}, threads {threads}: {memory[threads, name]:.0f} MiB")
    for name, run in trained.items():
        _check_predicts_as_trained(name, run, expected[name], latencies.values())
    rounds = [
        {"architecture": architecture, **dataclasses.asdict(row)}
        for each in latencies.values()
        for row in each.rows
    ]
    table = [
        {
            "architecture": architecture,
            "threads": threads,
            "runtime": name,
            "skipped": reasons.get(name),
            "test_accuracy": each.test_accuracy.get(name),
            "file_kib": _kib(each.file_bytes.get(name)),
            "process_memory_mib": memory.get((threads, name)),
        }
        for threads, each in latencies.items()
        for name in RUNTIMES
    ]
    folder = folder_of(architecture)
    with atomic_directory(folder) as whole:
        write_table(whole / "rounds.csv", InferenceRounds, rounds)
        write_table(whole / "runtimes.csv", Runtimes, table)
        write_environment(whole, describe_machine(params.train.threads, started))
    echo(f"{folder}/ written")


def _check_predicts_as_trained(
    runtime: str, run: str, expected: dict[str, Any], latencies: Iterable[Latencies]
) -> None:
    for each in latencies:
        # Accuracies would not do: other predictions can be right as often.
        if each.confusion[runtime] != expected["confusion"]:
            raise PipelineError(
                f"{model_path(run)} does not predict the test set as the trained network "
                f"did (accuracy {each.test_accuracy[runtime]:.2f} %, then "
                f"{expected['accuracy']:.2f} %): run `dvc repro --force` to train it again"
            )


def _kib(size: int | None) -> float | None:
    return None if size is None else size / 1024
