"""The study's printed figures."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

SOURCE = Path(__file__).with_name("published.yaml")


def load_published() -> dict[str, Any]:
    """Return published.yaml as it is."""
    document: dict[str, Any] = YAML(typ="safe", pure=True).load(SOURCE.read_text("utf-8"))
    return document
