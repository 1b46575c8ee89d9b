"""A small comparison of optimizers for tests: its plan, and results that are made up."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline.ablation.optimizer_plan import (
    OPTIMIZERS_FILE,
    TECHNIQUES_FILE,
    OptimizersPlan,
    Trial,
    load_optimizers,
)
from pipeline.ablation.optimizer_results import (
    TABLE,
    OptimizerTrials,
    best_of,
    columns_of,
)
from pipeline.artifacts.environment import write_environment
from pipeline.artifacts.tables import write_table
from pipeline.common.machine import Machine
from pipeline.config.params import Params


def make_optimizers_plan() -> dict[str, Any]:
    """Return a plan of three optimizers on one network."""
    return {
        "base": "simulated",
        "normalization_rate": 0.005,
        "seeds": [1, 2],
        "factors": [0.5, 1, 2],
        "cells": [{"architecture": "mlp-8", "batch_size": 10, "epochs": 2}],
        "baseline": "RowProp",
        "optimizers": [
            {"name": "RowProp", "rule": "rowprop", "bits": 16, "rate": {"mlp-8": 0.05}},
            {"name": "Lion", "rule": "lion", "bits": 32, "rate": {"mlp-8": 0.01}},
            {
                "name": "Bop",
                "rule": "bop",
                "threshold": {"mlp-8": 1.0e-6},
                "rate": {"mlp-8": 0.001},
            },
        ],
    }


def write_optimizers_plan(
    change: Callable[[dict[str, Any]], None] = lambda plan: None, path: Path = OPTIMIZERS_FILE
) -> None:
    plan = make_optimizers_plan()
    change(plan)
    path.parent.mkdir(exist_ok=True)
    with path.open("w") as file:
        YAML().dump(plan, file)


def made_up_accuracy(trial: Trial) -> float:
    """Return an accuracy: RowProp is best in the middle, Lion at the edge, Bop at the other."""
    middle = trial.optimizer.rate[trial.cell.architecture]
    size = trial.rate / middle
    by_rate = {"RowProp": -abs(size - 1), "Lion": size, "Bop": -size}[trial.optimizer.name]
    level = {"RowProp": 80.0, "Lion": 80.0, "Bop": 70.0}[trial.optimizer.name]
    return level + by_rate + trial.seed


def write_optimizers(params: Params) -> None:
    """Write results of the plan, and of one of techniques that has the same optimizers."""
    TECHNIQUES_FILE.write_bytes(OPTIMIZERS_FILE.read_bytes())
    for path in (OPTIMIZERS_FILE, TECHNIQUES_FILE):
        _write_results(load_optimizers(params, path))


def _write_results(plan: OptimizersPlan) -> None:
    rows = []
    for cell in plan.file.cells:
        for optimizer in plan.file.optimizers:
            grid = plan.grid(cell, optimizer)
            best = best_of(grid, {trial.key: made_up_accuracy(trial) for trial in grid})
            rows += [
                {
                    **columns_of(trial),
                    "validation_accuracy": made_up_accuracy(trial),
                    "bytes_per_weight": 2.5,
                }
                for trial in (*grid, *plan.more_seeds(best))
            ]
    plan.results.mkdir(parents=True, exist_ok=True)
    write_table(plan.results / TABLE, OptimizerTrials, rows)
    texts = dict.fromkeys(
        (
            *("date", "processor", "system", "python", "torch", "numpy", "torch_build"),
            *("torch_instruction_set", "kernels_instruction_set"),
        ),
        "some",
    )
    machine = Machine.model_validate(
        {**texts, "cores": 2, "threads": 2, "memory_gib": 2, "seconds": 30.0}
    )
    write_environment(plan.results, machine)
