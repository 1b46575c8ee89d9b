from pathlib import Path

import pandas as pd
import pytest
from ruamel.yaml import YAML

from pipeline.data import sources, store
from pipeline.errors import PipelineError
from pipeline.params import Params, load_params
from pipeline.paths import TRIALS
from pipeline.recipes import read_yaml
from pipeline.search import Search, _trials, search
from tests.conftest import ROOT

QUESTION = {
    "question": "how fast",
    "architectures": ["mlp-8"],
    "method": "deterministic",
    "set": {"epochs": 2},
    "vary": {"learning_rate": [0.01, 0.02], "pixel_gamma": [1, 3]},
    "seeds": [1, 2],
}


@pytest.fixture
def fetched(params: Params) -> Params:
    store.store(sources.find(params.data, lambda _: None), params.data)
    return params


def ask(**changes: object) -> None:
    """Write search.yaml with one question, of the recipes of the project's params.yaml."""
    yaml = YAML()
    methods = yaml.load((ROOT / "params.yaml").read_text())["methods"]
    with Path("search.yaml").open("w") as file:
        yaml.dump({"methods": methods, "questions": [QUESTION | changes]}, file)


def test_every_combination_is_tried_once(fetched: Params) -> None:
    ask()
    search(fetched, 1)
    first = TRIALS.read_text()
    trials = pd.read_csv(TRIALS)
    assert len(trials) == 8
    assert trials["recipe"].nunique() == 4
    assert set(trials["epochs"]) == {2}
    assert trials["changes"][0] == "epochs=2 learning_rate=0.01 pixel_gamma=1"
    assert trials["validation_accuracy"].between(0, 100).all()
    assert "test" not in first.splitlines()[0]
    search(fetched, 1)
    assert TRIALS.read_text() == first
    ask(seeds=[1, 2, 3])
    search(fetched, 1)
    assert TRIALS.read_text().startswith(first)
    assert len(pd.read_csv(TRIALS)) == 12


def test_a_trial_does_not_depend_on_the_threads(fetched: Params) -> None:
    ask(seeds=[1])
    search(fetched, 1)
    one = pd.read_csv(TRIALS).drop(columns="seconds")
    TRIALS.unlink()
    search(fetched, 2)
    pd.testing.assert_frame_equal(pd.read_csv(TRIALS).drop(columns="seconds"), one)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "other"}, "other is no method"),
        ({"vary": {"learning_rat": [1.0]}}, "how fast: learning_rat: unknown key"),
        ({"vary": {"gradient_bits": [3]}}, "how fast: gradient_bits: "),
        ({"seeds": []}, "questions.0.seeds: "),
        ({"colour": "red"}, "questions.0.colour: unknown key"),
    ],
)
def test_a_wrong_question_is_named_before_anything_runs(
    fetched: Params, changes: dict[str, object], message: str
) -> None:
    ask(**changes)
    with pytest.raises(PipelineError, match=message):
        search(fetched, 1)
    assert not TRIALS.exists()


def test_no_search_file(project: Path) -> None:
    with pytest.raises(PipelineError, match=r"cannot read search\.yaml"):
        search(load_params(), 1)


def test_the_projects_own_search_is_valid() -> None:
    assert list(_trials(read_yaml(ROOT / "search.yaml", Search)))
