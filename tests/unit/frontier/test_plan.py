"""What the plan tries and chooses, and what it refuses."""

from typing import Any

import pytest

from pipeline.common.errors import PipelineError
from pipeline.config.params import Params
from pipeline.frontier.pareto import frontier, undominated
from pipeline.frontier.plan import Candidate, Plan, load_plan
from tests.conftest import ROOT
from tests.unit.frontier.conftest import Change, write_plan


def candidate(
    plan: Plan, architecture: str, epochs: int, *, name: str = "deterministic", batch: int = 10
) -> Candidate:
    return Candidate(name, plan._method(name, epochs, 0.01), architecture, batch)


@pytest.mark.usefixtures("project")
def test_the_best_rate_is_that_of_each_method_and_batch() -> None:
    def batches(plan: dict[str, Any]) -> None:
        plan["methods"]["packed"]["stochastic"]["grids"][0]["batch_sizes"] = [10, 20]

    plan = write_plan(batches)
    accuracies = {each: 90.0 - abs(each.method.learning_rate - 0.05) for each in plan.rate_trials()}
    rates = plan.best_rates(accuracies)
    assert rates == {
        ("float", 10): 0.05,
        ("deterministic", 10): 0.05,
        ("stochastic", 10): 0.05,
        ("stochastic", 20): 0.05,
    }
    grid = plan.grid_trials(rates)
    assert len(grid) == len(set(grid)) == 2 + 2 + 4
    assert {each.method.learning_rate for each in grid} == {0.05}


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("best", [1e-9, 900.0])
def test_a_best_rate_at_the_end_is_refused(best: float) -> None:
    plan = write_plan()
    accuracies = {each: float(each.method.learning_rate == best) for each in plan.rate_trials()}
    with pytest.raises(PipelineError, match="at the end of those that were tried"):
        plan.best_rates(accuracies)


def rename_float(plan: dict[str, Any]) -> None:
    plan["methods"]["torch"]["full"] = plan["methods"]["torch"].pop("float")


def of_packed(plan: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = plan["methods"]["packed"]["deterministic"]
    return found


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (rename_float, "methods must be float in torch"),
        (lambda plan: of_packed(plan)["recipe"].pop("pixel_bits"), "deterministic: pixel_bits"),
        (lambda plan: of_packed(plan).update(rates=[0.02, 0.01, 0.04]), "rates must ascend"),
        (lambda plan: plan["points"].update(seeds=[1]), "seeds of their own"),
        (lambda plan: plan["records"].update(seeds=[2]), "seeds of their own"),
        (lambda plan: plan["records"]["simulated"].update(pixel_bits=9), "records.simulated"),
        (lambda plan: plan.pop("trial_seed"), "trial_seed: missing key"),
    ],
)
def test_an_impossible_plan_is_refused(change: Change, message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        write_plan(change)


def test_the_plan_of_the_project_is_valid(monkeypatch: pytest.MonkeyPatch, params: Params) -> None:
    monkeypatch.chdir(ROOT)
    plan = load_plan()
    # The same effort for all.
    assert len({len(each.rates) for each in plan.methods.values()}) == 1
    assert {each.batch_sizes[-1] for each in plan.methods.values()} == {1000}


def test_a_frontier_holds_what_nothing_cheaper_equals() -> None:
    costs = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 3.0, "e": 4.0}
    accuracies = {"a": 80.0, "b": 80.0, "c": 81.0, "d": 82.0, "e": 82.05}
    assert frontier(list(costs), costs, accuracies) == ["a", "d", "e"]
    assert frontier(list(costs), costs, accuracies, 0.1) == ["a", "d"]
    assert frontier([], costs, accuracies) == []


@pytest.mark.usefixtures("project")
def test_what_a_surely_cheaper_trial_equals_is_left_out() -> None:
    plan = write_plan()
    best = candidate(plan, "mlp-8", 2)
    accuracies = {
        best: 80.0,
        candidate(plan, "mlp-9", 2): 80.0,
        candidate(plan, "mlp-8-5", 2): 79.0,
        candidate(plan, "mlp-8", 3): 79.0,
        candidate(plan, "mlp-9", 3): 81.0,
        candidate(plan, "mlp-7-9", 2): 79.5,
        candidate(plan, "mlp-8", 1): 70.0,
        candidate(plan, "mlp-8", 2, batch=20): 60.0,
        candidate(plan, "mlp-8", 2, name="stochastic"): 60.0,
    }
    left = undominated(accuracies)
    assert {accuracies[each] for each in left} == {80.0, 81.0, 79.5, 70.0, 60.0}
    assert len(left) == 6
