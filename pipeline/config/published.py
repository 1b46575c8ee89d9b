"""The study's printed figures."""

from pathlib import Path
from typing import Any

from pipeline.common.serialization import load_yaml

SOURCE = Path(__file__).with_name("published.yaml")


def load_published() -> dict[str, Any]:
    """Return published.yaml as it is."""
    document: dict[str, Any] = load_yaml(SOURCE)
    return document
