"""The time to the study's test accuracies."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.common.errors import PipelineError
from pipeline.config.params import load_params
from pipeline.fetch import sources
from pipeline.fetch.store import store
from pipeline.profiling import study
from pipeline.report import claims, results
from pipeline.report.results import read_study
from pipeline.report.summary.study import _times


def printed(accuracy: float) -> dict[str, Any]:
    return {"deterministic": {"test_accuracy": accuracy, "train_seconds": 5000}}


@pytest.fixture
def measured(project: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """Of one network that gets there, and one that cannot; the third is not the study's."""
    published = {"mlp-8": printed(40), "mlp-8-5": printed(101), "mlp-9": printed(1)}
    monkeypatch.setattr(study, "load_published", lambda: published)
    monkeypatch.setattr(claims, "load_published", lambda: published)
    monkeypatch.setattr(results, "load_published", lambda: published)
    params = load_params()
    store(sources.find(params.data, print), params.data)
    study.time_to_study(params)
    return read_study(params)


def test_every_network_trains_until_it_is_as_good(measured: pd.DataFrame) -> None:
    params = load_params()
    assert set(measured["architecture"]) == {"mlp-8", "mlp-8-5"}
    reached = measured[measured["architecture"] == "mlp-8"].dropna(subset="seconds")
    assert len(reached) > 0
    assert (reached["seconds"] > 0).all()
    assert (reached["test_accuracy"] >= 40).all()
    # An epoch has 6 steps: there is a look after each, though it is less than EVERY.
    most = {name: 6 * method.epochs for name, method in params.methods.items()}
    never = measured[measured["architecture"] == "mlp-8-5"]
    assert never["seconds"].isna().all()
    assert list(never["steps"]) == [most[name] for name in never["method"]]


def test_the_summary_tells_who_did_not_get_there(measured: pd.DataFrame) -> None:
    table = claims.time_to_study_table(measured)
    lines = _times(table).splitlines()
    assert sum("not reached" in line for line in lines) >= len(load_params().methods)
    assert sum("5,000" in line for line in lines) == 2 * len(load_params().methods)


def test_times_of_other_networks_are_refused(measured: pd.DataFrame) -> None:
    path = Path("profiles/study/times.csv")
    for column, value in (("seed", 1), ("architecture", "mlp-8"), ("method", "float")):
        measured[measured[column] == value].to_csv(path, index=False)
        with pytest.raises(PipelineError, match="other params: run `dvc repro`"):
            read_study(load_params())
    pd.concat([measured, measured[:1]]).to_csv(path, index=False)
    with pytest.raises(PipelineError, match="other params: run `dvc repro`"):
        read_study(load_params())
