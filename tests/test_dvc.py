"""dvc.yaml and ablation/dvc.yaml name the code that each stage runs."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.conftest import ROOT


def read_stages(path: str) -> dict[str, Any]:
    stages: dict[str, Any] = YAML(typ="safe").load((ROOT / path).read_text())["stages"]
    return stages


ABLATION = {
    f"ablation-{name}": stage.get("do", stage)
    for name, stage in read_stages("ablation/dvc.yaml").items()
}
STAGES = read_stages("dvc.yaml") | ABLATION
# By stage, the modules that its command and the processes that this starts begin with.
MODULES = {
    "fetch": ["data.sources", "data.store"],
    "train-torch": ["train", "torch_engine.engine"],
    "train-packed": ["train", "packed_engine.engine"],
    "profile": ["profile", "measure", "torch_engine.engine", "packed_engine.engine"],
    "scaling": ["scaling", "worker", "torch_engine.engine", "packed_engine.engine"],
    "inference": ["inference.stage", "inference.race", "inference.footprint"],
    "benchmark": ["benchmark"],
    "study": ["study", "torch_engine.engine", "packed_engine.engine"],
    "aggregate": ["aggregate"],
    "plot": ["plot"],
    "page": ["page"],
    "ablation-torch": ["ablation.stage", "ablation.run", "torch_engine.engine"],
    "ablation-packed": ["ablation.stage", "ablation.run", "packed_engine.engine"],
    "ablation-report": ["ablation.report"],
}
# What these say, name or check changes no result; those of data are imported to read what `fetch`
# has stored already.
HARMLESS = {
    *("errors", "outputs", "paths", "progress"),
    *("data/__init__", "data/idx", "data/npy", "data/raw", "data/split", "figures/__init__"),
}
# The plan is checked, and what is asked of it is a param.
ABLATION_HARMLESS = {"ablation/__init__", "ablation/plan", "checkpoint", "checksum", "phases"}
# What a stage imports and does not use for its result.
MORE_HARMLESS = {
    "fetch": {"params", "plain"},
    # What a checkpoint is checked with.
    "train-torch": {"phases", "environment", "memory", "packed_engine/__init__"},
    "train-packed": {"phases", "environment", "memory"},
    "profile": {"checkpoint", "checksum", "evaluate"},
    "scaling": {"checkpoint", "checksum", "evaluate"},
    "benchmark": {"memory", "params", "plain"},
    "study": {"checkpoint", "checksum", "memory", "phases"},
    "inference": {"checksum"},
    "aggregate": {"quiet"},
    "page": {"params", "plain"},
    "ablation-torch": {*ABLATION_HARMLESS, "packed_engine/__init__"},
    "ablation-packed": ABLATION_HARMLESS,
    "ablation-report": {"summary/__init__"},
}


def imported(modules: list[str]) -> set[str]:
    """Return the pipeline's modules that a process has after importing `modules`, by path."""
    program = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]: importlib.import_module(f'pipeline.{name}')\n"
        "print(*(m.__file__ for n, m in sys.modules.items() if n.startswith('pipeline.')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *modules],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return {Path(path).relative_to(ROOT).as_posix() for path in done.stdout.split()}


def test_every_stage_is_tested() -> None:
    assert set(STAGES) == set(MODULES)


@pytest.mark.parametrize("stage", MODULES)
def test_a_stage_depends_on_the_code_that_it_imports(stage: str) -> None:
    named = [Path(dependency) for dependency in STAGES[stage]["deps"]]
    harmless = {f"pipeline/{name}.py" for name in HARMLESS | MORE_HARMLESS.get(stage, set())}
    missing = {
        path
        for path in imported(MODULES[stage]) - harmless
        if not any(Path(path).is_relative_to(dependency) for dependency in named)
    }
    assert missing == set()


def test_what_is_compiled_or_installed_is_depended_on() -> None:
    for stage, content in STAGES.items():
        assert (stage == "fetch") != ("constraints.txt" in content["deps"])
        packed = "pipeline/packed_engine" in content["deps"]
        assert packed == ("CMakeLists.txt" in content["deps"])
