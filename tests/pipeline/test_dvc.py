"""Each dvc.yaml names the packages that its stages run."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.conftest import ROOT


def read_stages(path: str) -> dict[str, Any]:
    stages: dict[str, Any] = YAML(typ="safe").load((ROOT / path).read_text())["stages"]
    return stages


BESIDE = {
    f"{folder}-{name}": stage.get("do", stage)
    for folder, path in (
        ("ablation", "ablation/dvc.yaml"),
        ("frontier", "frontier/dvc.yaml"),
        ("peers", "frontier/peers/dvc.yaml"),
    )
    for name, stage in read_stages(path).items()
}
STAGES = read_stages("dvc.yaml") | BESIDE
# By stage, the modules that its command and the processes that this starts begin with.
MODULES = {
    "fetch": ["fetch.sources", "fetch.store"],
    "train-torch": ["training.train", "engines.torch.engine"],
    "train-packed": ["training.train", "engines.packed.engine"],
    "profile": ["profiling.profile", "engines.torch.engine", "engines.packed.engine"],
    "scaling": ["profiling.profile", "engines.torch.engine", "engines.packed.engine"],
    "inference": ["inference.stage", "inference.latency", "inference.peak_memory"],
    "benchmark": ["profiling.kernels"],
    "study": ["profiling.study", "engines.torch.engine", "engines.packed.engine"],
    "aggregate": ["report.aggregate"],
    "plot": ["report.charts.plot"],
    "page": ["report.charts.page"],
    "ablation-torch": ["ablation.train", "engines.torch.engine"],
    "ablation-packed": ["ablation.train", "engines.packed.engine"],
    "ablation-costs": ["ablation.costs", "engines.torch.engine", "engines.packed.engine"],
    "ablation-optimizers": ["ablation.optimizer_trials"],
    "ablation-techniques": ["ablation.optimizer_trials"],
    "ablation-report": ["ablation.report"],
    **{
        f"frontier-{name}": [
            f"frontier.{'search' if name == 'trials' else name}",
            *("engines.torch.engine", "engines.packed.engine"),
            *(["inference.latency"] if name in ("points", "records") else []),
        ]
        for name in ("trials", "costs", "points", "records")
    },
    "frontier-report": ["frontier.report"],
    "peers-accuracy": ["frontier.peers.accuracy"],
    "peers-costs": ["frontier.peers.costs", "engines.torch.engine", "engines.packed.engine"],
    "peers-table": ["frontier.peers.table"],
}
# What these say, name or check changes no result, in any stage.
HARMLESS = ("pipeline/common", "pipeline/config/paths.py", "pipeline/config/names.py")
# What a stage imports and does not use for its result. Artifacts write what the stage's own code
# computed; a stage that reads them depends on them.
ARTIFACTS = "pipeline/artifacts"
MORE_HARMLESS = {
    # Its result depends on the values in params.yaml, which DVC tracks key by key.
    "fetch": ["pipeline/config/architecture.py", "pipeline/config/params.py"],
    "train-torch": [ARTIFACTS, "pipeline/engines/phases.py"],
    "train-packed": [ARTIFACTS],
    "profile": [ARTIFACTS],
    "scaling": [ARTIFACTS],
    "inference": [ARTIFACTS],
    "benchmark": [ARTIFACTS],
    "study": [ARTIFACTS],
    # The plan is checked, and what it asks for is a param.
    **{
        f"ablation-{engine}": [
            *(ARTIFACTS, "pipeline/ablation/plan.py", "pipeline/ablation/results.py"),
            *("pipeline/config/recipes.py", "pipeline/profiling/fresh_process.py"),
            # The packed engine's clock is in its kernels.
            *(["pipeline/engines/phases.py"] if engine == "torch" else []),
        ]
        for engine in ("torch", "packed")
    },
    "ablation-costs": [ARTIFACTS],
    **{
        f"ablation-{name}": [ARTIFACTS, "pipeline/profiling/fresh_process.py"]
        for name in ("optimizers", "techniques")
    },
    **{f"frontier-{name}": [ARTIFACTS] for name in ("trials", "costs", "points", "records")},
    # The grid plans the profile. The peers' tables begin with the profile's columns.
    "peers-accuracy": [
        *(ARTIFACTS, "pipeline/config/grid.py", "pipeline/config/recipes.py"),
        "pipeline/frontier/peers/results.py",
    ],
    "peers-costs": [ARTIFACTS, "pipeline/frontier/peers/results.py"],
}


# Chooses an engine by the method, and imports no other: a stage's MODULES name its own.
BY_METHOD = "pipeline/engines/engine.py"
# What binary_kernels is compiled from.
KERNELS = "kernels"


def statements(tree: ast.AST, *, inside: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield the imports that can run, those inside functions among them if `inside`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from (each for part in node.orelse for each in statements(part, inside=inside))
        elif inside or not isinstance(node, ast.FunctionDef):
            yield from statements(node, inside=inside)


def files_of(module: str) -> Iterator[str]:
    """Yield the files, by path, that importing the pipeline's `module` runs first of all."""
    parts = module.split(".")
    for count in range(2, len(parts) + 1):
        path = Path(*parts[:count])
        for file in (path / "__init__.py", path.with_suffix(".py")):
            if (ROOT / file).exists():
                yield file.as_posix()


@cache
def imports(path: str) -> frozenset[str]:
    """Return the pipeline's files that the module at `path` can import, wherever in it."""
    names: list[str] = []
    for node in statements(ast.parse((ROOT / path).read_text()), inside=path != BY_METHOD):
        if isinstance(node, ast.Import):
            names += [each.name for each in node.names]
        else:
            assert node.level == 0
            # A name may be a module or what is in one.
            names += [str(node.module), *(f"{node.module}.{each.name}" for each in node.names)]
    modules = [name for name in names if name.split(".")[0] == "pipeline"]
    return frozenset(file for module in modules for file in files_of(module))


def reached(modules: list[str]) -> set[str]:
    """Return the pipeline's files that `modules` and what they import can import, by path."""
    found: set[str] = set()
    left = {file for module in modules for file in files_of(f"pipeline.{module}")}
    while left:
        found |= left
        left = {file for path in left for file in imports(path)} - found
    return found


@cache
def named_files(path: str) -> frozenset[str]:
    """Return the files beside the module at `path` that it names in a text, by path."""
    folder = Path(path).parent
    texts = {
        node.value
        for node in ast.walk(ast.parse((ROOT / path).read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return frozenset(
        (folder / text).as_posix()
        for text in texts
        if re.fullmatch(r"[a-z_]+\.[a-z]+", text) and (ROOT / folder / text).is_file()
    )


def read_files(paths: set[str]) -> set[str]:
    """Return the files beside these modules that they name in a text, by path."""
    return {file for path in paths for file in named_files(path)}


def covers(dependency: str, path: str) -> bool:
    return Path(path).is_relative_to(dependency)


def test_every_stage_is_tested() -> None:
    assert set(STAGES) == set(MODULES)


@pytest.mark.parametrize("stage", MODULES)
def test_a_stage_depends_on_the_code_that_it_imports_and_the_files_that_this_reads(
    stage: str,
) -> None:
    named = [*STAGES[stage]["deps"], *HARMLESS, *MORE_HARMLESS.get(stage, [])]
    needed = {path for path in reached(MODULES[stage]) if not path.endswith("__init__.py")}
    needed |= read_files(needed)
    assert {path for path in needed if not any(covers(each, path) for each in named)} == set()


@pytest.mark.parametrize("stage", MODULES)
def test_a_stage_depends_on_no_code_that_it_cannot_reach(stage: str) -> None:
    found = reached(MODULES[stage])
    found |= read_files(found)
    if any("import binary_kernels" in (ROOT / path).read_text() for path in found):
        found.add(KERNELS)
    named = [each for each in STAGES[stage]["deps"] if each.startswith(("pipeline/", KERNELS))]
    named += MORE_HARMLESS.get(stage, [])
    assert [each for each in named if not any(covers(each, path) for path in found)] == []


def test_an_import_inside_a_function_counts() -> None:
    assert "pipeline/engines/packed/predictor.py" in reached(["inference.runtimes"])
    assert "pipeline/inference/onnx_files.py" in reached(["inference.stage"])
    assert "pipeline/config/published.yaml" in read_files({"pipeline/config/published.py"})


def test_what_is_installed_is_depended_on() -> None:
    for stage, content in STAGES.items():
        assert (stage == "fetch") != ("constraints.txt" in content["deps"])
