"""The steps to the study's test accuracies."""

from typing import Any

import pandas as pd
import pytest

from pipeline.artifacts.study import STEPS_FILE, read_study
from pipeline.common.errors import PipelineError
from pipeline.config import published
from pipeline.config.params import Params, load_params
from pipeline.fetch import sources
from pipeline.fetch.store import store
from pipeline.profiling import study


def printed(accuracy: float) -> dict[str, Any]:
    return {"deterministic": {"test_accuracy": accuracy, "train_seconds": 5000}}


@pytest.fixture
def measured(params: Params, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """Of one network that gets there, and one that cannot; the third is not the study's."""
    figures = {"mlp-8": printed(40), "mlp-8-5": printed(101), "mlp-9": printed(1)}
    monkeypatch.setattr(published, "load_published", lambda: figures)
    store(sources.find(params.data, print), params.data)
    study.steps_to_study(params)
    return read_study(params)


def test_every_network_trains_until_it_is_as_good(measured: pd.DataFrame) -> None:
    params = load_params()
    assert set(measured["architecture"]) == {"mlp-8", "mlp-8-5"}
    reached = measured[measured["reached"]]
    assert set(reached["architecture"]) == {"mlp-8"}
    assert (reached["test_accuracy"] >= 40).all()
    # There is a look after each epoch, though it has fewer steps than EVERY.
    steps = {name: 60 // method.batch_size for name, method in params.methods.items()}
    assert steps["float"] == 6
    assert steps["stochastic"] == 3
    assert (reached["steps"] % reached["method"].map(steps) == 0).all()
    last = {name: steps[name] * method.epochs for name, method in params.methods.items()}
    never = measured[measured["architecture"] == "mlp-8-5"]
    assert not never["reached"].any()
    assert list(never["steps"]) == [last[name] for name in never["method"]]


def test_steps_of_other_networks_are_refused(measured: pd.DataFrame) -> None:
    for column, value in (("seed", 1), ("architecture", "mlp-8"), ("method", "float")):
        measured[measured[column] == value].to_csv(STEPS_FILE, index=False)
        with pytest.raises(PipelineError, match="other params: run `dvc repro`"):
            read_study(load_params())
    pd.concat([measured, measured[:1]]).to_csv(STEPS_FILE, index=False)
    with pytest.raises(PipelineError, match="other params: run `dvc repro`"):
        read_study(load_params())
