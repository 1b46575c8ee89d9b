"""The study's printed figures."""

from pathlib import Path
from typing import Any

from pipeline.common.serialization import load_yaml
from pipeline.config.params import Params

SOURCE = Path(__file__).with_name("published.yaml")


def load_published() -> dict[str, Any]:
    """Return published.yaml as it is."""
    document: dict[str, Any] = load_yaml(SOURCE)
    return document


def study_targets(params: Params) -> dict[str, float]:
    """Return the test accuracy, in percent, that the study's deterministic network ended with.

    By architecture: those of params.yaml that the study has.
    """
    published = load_published()
    return {
        architecture: float(published[architecture]["deterministic"]["test_accuracy"])
        for architecture in params.architectures
        if architecture in published
    }
