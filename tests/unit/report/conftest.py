"""Results of all stages, made up: what `aggregate` reads, without training or measuring."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.artifacts import inference, kernels, profile, study
from pipeline.artifacts.environment import write_environment
from pipeline.artifacts.run_files import write_run
from pipeline.artifacts.tables import write_table
from pipeline.common.machine import Machine
from pipeline.config.grid import places, plan
from pipeline.config.names import PACKED, PASSES
from pipeline.config.params import Params, load_params
from pipeline.config.paths import BENCHMARK, RUNS, STUDY, model_path, run_name

MACHINE = Machine(
    seconds=10.0,
    date="2026-01-02",
    processor="abacus",
    cores=2,
    threads=1,
    memory_gib=4.0,
    system="Linux x86_64",
    python="3.11",
    torch="2.0",
    torch_build="CPU",
    torch_instruction_set="AVX2",
    kernels_instruction_set="avx2",
    numpy="2.0",
)
CLASSES = ("low", "middle", "high")
KINDS = {"weights": 3000, "gradients": 2000, "temporaries": 1000}


@pytest.fixture
def results(project: Path) -> Params:
    """The params of a project of one of the study's networks, whose stages all left results."""
    path = project / "params.yaml"
    text = path.read_text().replace("- mlp-8-5\n", "").replace("- mlp-8\n", "- mlp-128\n")
    path.write_text(text.replace("rounds: 2", "rounds: 6"))
    params = load_params()
    generator = np.random.default_rng(0)
    _write_runs(params, generator)
    _write_profiles(params, generator)
    _write_inference(params, generator)
    _write_kernels(params, generator)
    _write_study(params)
    return params


def _write_runs(params: Params, generator: np.random.Generator) -> None:
    for architecture in params.architectures:
        for method, recipe in params.methods.items():
            for seed in params.seeds:
                name = run_name(architecture, method, seed)
                accuracy = float(generator.uniform(80, 90))
                part = {
                    "loss": 0.5,
                    "accuracy": accuracy,
                    "per_class_accuracy": dict.fromkeys(CLASSES, accuracy),
                    "confusion": [[5, 1, 1], [1, 5, 1], [1, 1, 5]],
                }
                model = model_path(name)
                model.parent.mkdir(exist_ok=True)
                model.write_bytes(name.encode())
                metrics = {
                    **{"architecture": architecture, "method": method, "seed": seed},
                    **{"parameters": 100, "training": part, "validation": part, "test": part},
                    "model": {
                        "bytes": 1000 if method in params.groups.packed else 30000,
                        "sha256": hashlib.sha256(name.encode()).hexdigest(),
                    },
                }
                history = [
                    {
                        # Not what the profile measures: another machine's mood.
                        **{"epoch": epoch, "seconds": 7.0, "cumulative_seconds": 7.0 * epoch},
                        **{"training_loss": 0.5 / epoch, "validation_loss": 0.6 / epoch},
                        **{"training_error": 20 / epoch, "validation_error": 30 / epoch},
                    }
                    for epoch in range(1, recipe.epochs + 1)
                ]
                folder = RUNS / name
                folder.mkdir(parents=True)
                write_run(folder, metrics, history)


def _write_profiles(params: Params, generator: np.random.Generator) -> None:
    for place in places(params):
        tables: dict[str, list[dict[str, Any]]] = {name: [] for name in profile.SCHEMAS}
        for planned in plan(params, place):
            for number, method in enumerate(planned.methods, start=1):
                keys = {**vars(planned.point), "method": method}
                for each in range(1, planned.rounds + 1):
                    seconds = float(number * generator.uniform(0.9, 1.1))
                    row = {**keys, "round": each}
                    memory = {"process_memory_mib": 100.0 * number}
                    tables["measurements"].append({**row, "epoch_seconds": seconds, **memory})
                    for phase in ("forward", "backward"):
                        tables["phases"].append({**row, "phase": phase, "seconds": seconds / 2})
                for each in (1, 2):
                    row = {**keys, "round": each, "training_memory_mib": 2.0 * number}
                    tables["training_memory"].append(row)
                tables["memory_breakdown"] += [
                    {**keys, "kind": kind, "bytes": size} for kind, size in KINDS.items()
                ]
                if planned.own:
                    tables["memory_curve"] += [
                        {**keys, "seconds": at, "process_memory_mib": 60.0 + at}
                        for at in (-1.0, 1.0)
                    ]
        folder = profile.folder_of(place)
        folder.mkdir(parents=True)
        for name, rows in tables.items():
            write_table(folder / f"{name}.csv", profile.SCHEMAS[name], rows)
        write_environment(folder, MACHINE)


def _write_inference(params: Params, generator: np.random.Generator) -> None:
    scale = {"torch": 4.0, "torch int8": 3.0, PACKED: 1.0, PASSES: 1.5}
    for architecture in params.architectures:
        folder = inference.folder_of(architecture)
        folder.mkdir(parents=True)
        rounds = [
            {
                **{"architecture": architecture, "threads": threads, "batch_size": batch},
                **{"round": number, "runtime": runtime},
                "seconds": 1e-6 * batch * factor * float(generator.uniform(0.9, 1.1)),
            }
            for threads in params.inference.threads
            for batch in params.inference.batch_sizes
            for number in range(1, params.inference.rounds + 1)
            for runtime, factor in scale.items()
        ]
        write_table(folder / "rounds.csv", inference.InferenceRounds, rounds)
        runtimes = [
            {
                **{"architecture": architecture, "threads": threads, "runtime": runtime},
                **{"skipped": None, "test_accuracy": 85.0, "file_kib": 10.0 * factor},
                "process_memory_mib": 60.0,
            }
            for threads in params.inference.threads
            for runtime, factor in scale.items()
        ]
        write_table(folder / "runtimes.csv", inference.Runtimes, runtimes)
        write_environment(folder, MACHINE)


def _write_kernels(params: Params, generator: np.random.Generator) -> None:
    rows = [
        {
            **{"m": 1, "n": 4096, "k": 4096, "round": number, "kernel": kernel},
            "seconds": 1e-6 * factor * float(generator.uniform(0.9, 1.1)),
        }
        for number in range(1, params.benchmark.rounds + 1)
        for kernel, factor in (("torch float32", 100.0), ("bits by bits", 1.0))
    ]
    BENCHMARK.mkdir(parents=True)
    write_table(kernels.KERNELS_FILE, kernels.KernelSeconds, rows)
    write_environment(BENCHMARK, MACHINE)


def _write_study(params: Params) -> None:
    rows = [
        {
            **{"architecture": "mlp-128", "method": method, "seed": seed, "target": 67.9},
            # One method never gets there.
            **{"steps": 3 * seed, "reached": method != "simulated", "test_accuracy": 68.0},
        }
        for method in params.methods
        for seed in params.seeds
    ]
    STUDY.mkdir(parents=True)
    write_table(study.STEPS_FILE, study.StudySteps, rows)
    write_environment(STUDY, MACHINE)
