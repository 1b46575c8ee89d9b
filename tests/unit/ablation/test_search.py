import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from ruamel.yaml import YAML

from pipeline.ablation.search import (
    SEARCH_FILE,
    USUAL_DATA,
    Search,
    _recipe,
    _trials,
    _unusual,
    search,
)
from pipeline.ablation.trials import read_trials
from pipeline.common.errors import PipelineError
from pipeline.config.params import PackedMethod, Params
from pipeline.config.paths import TRIALS
from pipeline.config.recipes import load_yaml
from pipeline.data import dataset
from pipeline.fetch import sources
from pipeline.fetch.store import store
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
    store(sources.find(params.data, lambda _: None), params.data)
    return params


def ask(**changes: object) -> None:
    """Write search.yaml with one question, of the recipes of the project's params.yaml."""
    yaml = YAML()
    methods = yaml.load((ROOT / "params.yaml").read_text())["methods"]
    for recipe in [*methods["torch"].values(), *methods["packed"].values()]:
        recipe["batch_size"] = 10
    Path("ablation").mkdir(exist_ok=True)
    with Path("ablation/search.yaml").open("w") as file:
        yaml.dump({"methods": methods, "questions": [QUESTION | changes]}, file)


def test_every_combination_is_tried_once(fetched: Params) -> None:
    ask()
    search(1)
    first = TRIALS.read_text()
    trials = pd.read_csv(TRIALS)
    assert len(trials) == 8
    assert trials["recipe"].nunique() == 4
    assert set(trials["epochs"]) == {2}
    assert trials["changes"][0].startswith("epochs=2 learning_rate=0.01 pixel_gamma=1 ")
    assert trials["validation_accuracy"].between(0, 100).all()
    assert "test" not in first.splitlines()[0]
    search(1)
    assert TRIALS.read_text() == first
    ask(seeds=[1, 2, 3])
    search(1)
    assert TRIALS.read_text().startswith(first)
    assert len(pd.read_csv(TRIALS)) == 12


def test_a_trial_does_not_depend_on_the_threads(fetched: Params) -> None:
    ask(seeds=[1])
    search(1)
    one = pd.read_csv(TRIALS).drop(columns="seconds")
    TRIALS.unlink()
    search(2)
    pd.testing.assert_frame_equal(pd.read_csv(TRIALS).drop(columns="seconds"), one)


def test_another_batch_size_or_other_data_is_another_trial(fetched: Params) -> None:
    ask(seeds=[1], vary={})
    search(1)
    ask(seeds=[1], vary={}, set={"epochs": 2, "batch_size": 20})
    search(1)
    ask(seeds=[1], vary={})
    store(
        sources.find(fetched.data, lambda _: None),
        fetched.data.model_copy(update={"split_seed": 1}),
    )
    search(1)
    trials = pd.read_csv(TRIALS)
    recipes = [json.loads(recipe) for recipe in trials["recipe"]]
    assert [recipe["batch_size"] for recipe in recipes] == [10, 20, 10]
    assert recipes[0]["data"] == recipes[1]["data"] != recipes[2]["data"]
    # The report of what was tried tells them apart by their changes.
    assert trials["changes"][1] == f"epochs=2 batch_size=20 data={recipes[1]['data']}"
    assert trials["changes"].nunique() == 3


def test_rows_that_name_no_batch_size_are_of_100_images() -> None:
    """The committed rows rely on it: see `search._recipe`."""
    assert PackedMethod.model_fields["batch_size"].default == 100


def test_what_is_usual_is_not_said(fetched: Params) -> None:
    data = replace(dataset.load(), sha256=USUAL_DATA + "0")
    assert _unusual(data) == {}


def test_a_committed_trial_is_not_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    rows = read_trials()[["architecture", "seed", "recipe"]].astype(str)
    keys = set(rows.itertuples(index=False, name=None))
    asked = "RowProp's latent bits and learning rate"
    trials = [
        (architecture, str(seed), _recipe(method, {}))
        for question, architecture, method, _, seed in _trials(load_yaml(SEARCH_FILE, Search))
        if question.question == asked
    ]
    assert len(trials) == 32
    assert set(trials) <= keys


def test_searches_at_once_share_the_trials(fetched: Params) -> None:
    ask(seeds=[1, 2, 3])
    command = [sys.executable, "-m", "pipeline", "search"]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [each.communicate()[1] for each in both] == ["", ""]
    trials = pd.read_csv(TRIALS)
    assert len(trials) == 12
    assert not trials.duplicated(["architecture", "seed", "recipe"]).any()


def test_a_full_disk_leaves_the_rows_as_they_were(fetched: Params) -> None:
    ask(seeds=[1], vary={})
    search(1)
    before = TRIALS.read_text()
    ask(seeds=[2], vary={})
    script = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop()),) * 2)\n"
        "from pipeline.cli import main\n"
        "main()\n"
    )
    # The next row ends in the middle.
    command = [sys.executable, "-c", script, "search", str(len(before) + 50)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 1
    assert finished.stderr.startswith("error: cannot write ablation/trials.csv: File too large.")
    assert TRIALS.read_text() == before


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text.replace(",seed,", ",sead,"), "lacks seed"),
        (lambda text: text[:-20], "EOF inside string"),
        (lambda text: text[: text.index(",mlp-8,") + 9], "NA values|empty cell"),
        (
            lambda text: text + "how fast,mlp-8,det" + text.splitlines()[-1] + "\n",
            "Expected 11 fields in line 3|EOF inside|empty cell",
        ),
    ],
)
def test_damaged_rows_are_one_message(
    fetched: Params, damage: Callable[[str], str], message: str
) -> None:
    ask(seeds=[1], vary={})
    search(1)
    TRIALS.write_text(damage(TRIALS.read_text()))
    before = TRIALS.read_text()
    with pytest.raises(PipelineError, match=rf"trials\.csv.*({message}).*from git"):
        search(1)
    assert TRIALS.read_text() == before


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
        search(1)
    assert not TRIALS.exists()


def test_no_search_file(project: Path) -> None:
    with pytest.raises(PipelineError, match=r"cannot read ablation/search\.yaml"):
        search(1)


def test_the_projects_own_search_is_valid() -> None:
    assert list(_trials(load_yaml(ROOT / "ablation/search.yaml", Search)))
