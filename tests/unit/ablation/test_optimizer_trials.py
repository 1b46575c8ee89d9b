"""The comparison of optimizers: what it trains, chooses, says and refuses."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest
import torch

from pipeline.ablation.optimizer_plan import OPTIMIZERS_FILE, Trial, load_optimizers
from pipeline.ablation.optimizer_results import (
    TABLE,
    read_optimizers,
)
from pipeline.ablation.optimizer_summary import describe_optimizers
from pipeline.ablation.optimizer_trials import _work, compare_optimizers, train_optimizer
from pipeline.common.errors import PipelineError
from pipeline.config.params import Params, TorchMethod
from pipeline.config.recipes import changed
from pipeline.data.dataset import Dataset, Part, PartName
from pipeline.engines.engine import create_engine, load_data
from pipeline.fetch import sources
from pipeline.fetch.store import store
from pipeline.profiling.fresh_process import Connection
from pipeline.training.checkpoint import CHECKPOINTS
from pipeline.training.evaluate import evaluate
from pipeline.training.trials import train_fully
from tests.conftest import CLASSES, SIDE
from tests.unit.ablation.optimizer_project import write_optimizers, write_optimizers_plan

Plan = dict[str, Any]
OPTIMIZERS = Path("ablation/results/optimizers")
_FINISHED = CHECKPOINTS / "ablation-optimizers.json"


@pytest.fixture
def fetched(params: Params) -> Params:
    """The parameters of a project with data and a plan of optimizers."""
    store(sources.find(params.data, lambda _: None), params.data)
    write_optimizers_plan()
    return params


def read_trials() -> pd.DataFrame:
    return pd.read_csv(OPTIMIZERS / TABLE)


def test_the_best_rate_of_the_first_seed_is_trained_with_the_others(fetched: Params) -> None:
    compare_optimizers(fetched)
    trials = read_trials()
    assert len(trials) == 3 * (3 + 1)
    for name, group in trials.groupby("optimizer"):
        first, second = group[group["seed"] == 1], group[group["seed"] == 2]
        assert len(first) == first["rate"].nunique() == 3, name
        best = first.sort_values("validation_accuracy", kind="stable", ascending=False)[
            "rate"
        ].iloc[0]
        assert second["rate"].tolist() == [best]
    weights = SIDE**2 * 8 + 8 * CLASSES
    firsts = {row["optimizer"]: row for row in trials.to_dict("records")}
    sizes = {name: row["bytes_per_weight"] for name, row in firsts.items()}
    assert sizes["RowProp"] == pytest.approx(2 + 4 * (8 + CLASSES) / weights, abs=1e-4)
    assert sizes["Lion"] == 8
    assert sizes["Bop"] == pytest.approx(4.125)
    assert firsts["Bop"]["settings"] == "threshold=1e-06"
    assert json.loads((OPTIMIZERS / "environment.json").read_text())["threads"] == 2
    assert read_optimizers(load_optimizers(fetched)).keys() == {"mlp-8"}


def test_the_result_does_not_depend_on_the_number_of_processes(fetched: Params) -> None:
    compare_optimizers(fetched)
    two = read_trials()
    one = fetched.train.model_copy(update={"threads": 1})
    compare_optimizers(fetched.model_copy(update={"train": one}))
    assert read_trials().equals(two)


def test_adam_is_the_network_that_the_torch_engine_trains(fetched: Params) -> None:
    def adam_alone(plan: Plan) -> None:
        plan["normalization_rate"] = 0.02
        plan["baseline"] = "Adam"
        plan["optimizers"] = [{"name": "Adam", "rule": "adam", "bits": 32, "rate": {"mlp-8": 0.02}}]

    write_optimizers_plan(adam_alone)
    plan = load_optimizers(fetched)
    trial = plan.grid(plan.file.cells[0], plan.file.optimizers[0])[1]
    data = load_data(plan.method)
    torch.set_num_threads(1)
    score = train_optimizer(trial, plan.method, data, data.read("validation"))
    method = changed(plan.method, {"epochs": 2}, "here")
    engine = create_engine(method, data.architecture("mlp-8"), seed=1, threads=1)
    train_fully(engine, data, method, 10, 1)
    expected = evaluate(engine, data.read("validation"), 3).accuracy
    assert score.validation_accuracy == pytest.approx(expected, abs=1e-3)


def test_a_comparison_that_was_interrupted_goes_on(
    fetched: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare_optimizers(fetched)
    whole = read_trials()
    assert not _FINISHED.exists()
    first = fetched.train.model_copy(update={"threads": 1})
    alone = fetched.model_copy(update={"train": first})
    with monkeypatch.context() as patched:
        patched.setattr("pipeline.ablation.optimizer_trials._work", work_twice)
        with pytest.raises(PipelineError, match="ended with signal 9"):
            compare_optimizers(alone)
    assert len(json.loads(_FINISHED.read_text())) == 2
    kept = json.loads(_FINISHED.read_text())
    # What is kept is used: it is not computed again.
    for name in kept:
        kept[name][0] = 12.5
    _FINISHED.write_text(json.dumps(kept))
    compare_optimizers(alone)
    assert not _FINISHED.exists()
    after = read_trials()
    assert after["validation_accuracy"].tolist()[:2] == [12.5, 12.5]
    assert after[2:3].equals(whole[2:3])


def test_a_damaged_checkpoint_is_ignored(
    fetched: Params, capsys: pytest.CaptureFixture[str]
) -> None:
    _FINISHED.parent.mkdir()
    _FINISHED.write_text('{"a": [1]}')
    compare_optimizers(fetched)
    assert f"{_FINISHED} cannot be read, and is ignored" in capsys.readouterr().out
    assert len(read_trials()) == 12


class OneTrial:
    """The end of a pipe through which one trial arrives."""

    def __init__(self, trial: Trial) -> None:
        self._trials = [trial]
        self.answers: list[object] = []

    def recv(self) -> Trial:
        if not self._trials:
            raise EOFError
        return self._trials.pop()

    def send(self, answer: object) -> None:
        self.answers.append(answer)


def test_the_test_set_is_not_read(fetched: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    original = Dataset.read

    def note(data: Dataset, name: PartName) -> Part:
        read.append(name)
        return original(data, name)

    monkeypatch.setattr(Dataset, "read", note)
    plan = load_optimizers(fetched)
    connection = OneTrial(plan.grid(plan.file.cells[0], plan.file.optimizers[0])[0])
    with pytest.raises(EOFError):
        _work(connection, plan.method)  # type: ignore[arg-type]
    assert len(connection.answers) == 1
    assert read == ["validation"]


def test_the_summary_compares_seed_by_seed_and_names_edges(fetched: Params) -> None:
    write_optimizers(fetched)
    plan = load_optimizers(fetched)
    found = describe_optimizers(plan, read_optimizers(plan))
    assert found["at_edge"] == ["Lion on mlp-8", "Bop on mlp-8"]
    (cell,) = cast(list[dict[str, Any]], found["cells"])
    assert cell["verdicts"] == {"more accurate": "Lion", "less accurate": "Bop"}
    rows = [[each.strip() for each in line.split("|")[1:-1]] for line in cell["table"].splitlines()]
    own = ["RowProp", "2.50", "0.05", "81.50 (81.00 to 82.00)", "", "-0.50", "-1.00"]
    lion = ["Lion", "2.50", "0.02", "83.50 (83.00 to 84.00)", "+2.00 (+2.00 to +2.00)"]
    assert own in rows
    assert [*lion, "-1.00", "not tried"] in rows


def of_first(key: str, value: object) -> Callable[[Plan], None]:
    return lambda plan: plan["optimizers"][0].update({key: value})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda plan: plan.update(base="float"), "base float is no method"),
        (lambda plan: plan.update(base="deterministic"), "base deterministic is no method"),
        (lambda plan: plan.update(baseline="Adam"), "baseline must be one of them"),
        (lambda plan: plan.update(factors=[1, 0.5]), "factors and seeds must ascend"),
        (lambda plan: plan.update(seeds=[1, 1]), "factors and seeds must ascend"),
        (lambda plan: plan["cells"].append(dict(plan["cells"][0])), "an architecture has two"),
        (of_first("name", "Lion"), "a name of its own"),
        (of_first("rate", {"mlp-9": 0.1}), "RowProp needs a rate"),
        (of_first("rate", {"mlp-8": 0.0}), r"rate\.mlp-8"),
        (of_first("rule", "sgd"), r"optimizers\.0\.rule"),
        (of_first("bits", None), "bits belongs to latent weights"),
        (of_first("bits", 5), r"optimizers\.0\.bits"),
        (of_first("threshold", {"mlp-8": 0.1}), "threshold belongs to bop"),
        (lambda plan: plan["optimizers"][1].update(momentum=0.9), "momentum belongs to rowprop"),
        (lambda plan: plan["optimizers"][2].update(bits=16), "bits belongs to latent weights"),
    ],
)
def test_a_wrong_plan_is_named_before_anything_runs(
    fetched: Params, change: Callable[[Plan], None], message: str
) -> None:
    write_optimizers_plan(change)
    with pytest.raises(PipelineError, match=message) as caught:
        compare_optimizers(fetched)
    assert str(OPTIMIZERS_FILE) in str(caught.value)
    assert not OPTIMIZERS.exists()


@pytest.mark.parametrize(
    "change",
    [
        of_first("rate", {"mlp-8": 0.1}),
        lambda plan: plan["cells"][0].update(epochs=3),
        lambda plan: plan.update(seeds=[1, 2, 3]),
        lambda plan: plan.update(seeds=[1]),
        lambda plan: plan["optimizers"].pop(),
        lambda plan: plan["optimizers"][2].update(threshold={"mlp-8": 0.5}),
    ],
)
def test_results_of_another_plan_are_refused(
    fetched: Params, change: Callable[[Plan], None]
) -> None:
    write_optimizers(fetched)
    write_optimizers_plan(change)
    with pytest.raises(PipelineError, match=r"is of another ablation/optimizers\.yaml: run `make"):
        read_optimizers(load_optimizers(fetched))


def test_damaged_results_are_one_message(fetched: Params) -> None:
    write_optimizers(fetched)
    path = OPTIMIZERS / TABLE
    path.write_text(path.read_text().replace("81.0", "high"))
    with pytest.raises(PipelineError, match="ablation-optimizers"):
        read_optimizers(load_optimizers(fetched))


def work_twice(connection: Connection, method: TorchMethod) -> None:
    data = load_data(method)
    validation = data.read("validation")
    for _ in range(2):
        connection.send(train_optimizer(connection.recv(), method, data, validation))
    connection.recv()
    end()


def end(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_ends_early_leaves_nothing(
    fetched: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.ablation.optimizer_trials._work", end)
    with pytest.raises(PipelineError, match="the training of optimizers ended with signal 9"):
        compare_optimizers(fetched)
    assert not OPTIMIZERS.exists()
