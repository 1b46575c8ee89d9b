"""The one rule of the house: a package imports only from packages below it."""

import ast
from pathlib import Path

import pytest

from tests.conftest import ROOT

PIPELINE = ROOT / "pipeline"
# From the bottom up. `report` lies below all that measures: it reads files only.
LAYERS = (
    *("common", "config", "artifacts", "report", "data", "fetch", "engines"),
    *("training", "profiling", "inference", "ablation", "frontier", "ops", "cli"),
)


def imported_packages(source: str) -> set[str]:
    """Return the packages of the pipeline that a module imports, at its top or in a function."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "pipeline":
            names |= {f"pipeline.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names.add(node.module)
    return {name.split(".")[1] for name in names if name.startswith("pipeline.")}


def package_of(path: Path) -> str:
    """Return the package of a module, or the name of one that lies in no package."""
    return path.relative_to(PIPELINE).parts[0].removesuffix(".py")


MODULES = sorted(path for path in PIPELINE.rglob("*.py") if path.parent != PIPELINE)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PIPELINE)))
def test_a_package_imports_only_from_packages_below_it(path: Path) -> None:
    own = LAYERS.index(package_of(path))
    for name in imported_packages(path.read_text()):
        assert LAYERS.index(name) <= own, f"{package_of(path)} must not import {name}"


def test_the_rule_names_every_package() -> None:
    packages = {package_of(path) for path in MODULES}
    assert packages | {"cli"} == set(LAYERS)


def test_an_import_from_above_is_found() -> None:
    planted = "def f():\n    from pipeline.training.train import train\n"
    assert imported_packages(planted) == {"training"}
