"""The ablation: what it trains, compares, says and refuses."""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib import image
from ruamel.yaml import YAML

from pipeline.ablation.comparison import Comparison, Outcome
from pipeline.ablation.costs import measure_costs
from pipeline.ablation.optimizer_plan import load_optimizers
from pipeline.ablation.plan import PLAN_FILE, load_plan
from pipeline.ablation.report import FOLDER, report
from pipeline.ablation.results import COSTS, RESULTS, Run, VariantCosts, compared_on, provenance
from pipeline.ablation.summary import _answers
from pipeline.ablation.train import ablate
from pipeline.artifacts.tables import write_table
from pipeline.cli import main
from pipeline.common.errors import PipelineError
from pipeline.config.params import Params, load_params
from pipeline.config.paths import TRIALS
from pipeline.fetch import sources
from pipeline.fetch.store import store
from pipeline.profiling.fresh_process import run_in_fresh_process
from pipeline.report.statistics import Estimate
from pipeline.training.train import train
from pipeline.training.trials import Trial, train_trial
from tests.conftest import ROOT
from tests.unit.ablation.optimizer_project import write_optimizers, write_optimizers_plan

Change = Callable[[dict[str, Any]], None]


def make_plan() -> dict[str, Any]:
    """Return a plan of two variants beside the recipe, one of them on one architecture."""
    return {
        "variants": {
            "torch": {},
            "packed": {
                "recipe": {"base": "deterministic"},
                "short": {"base": "deterministic", "set": {"epochs": 1}},
                "plain": {
                    "base": "deterministic",
                    "set": {"pixel_gamma": 1},
                    "architectures": ["mlp-8"],
                },
            },
        },
        "costs": {"rounds": 2, "seconds": 0.01},
        "factors": [
            {
                "name": name,
                "text": "Words about it.",
                "source": "A paper",
                "baseline": "recipe",
                "level": level,
                "levels": levels,
            }
            for name, level, levels in (
                ("Length", "3 epochs", {"short": "1 epoch"}),
                ("Pixel curve", "gamma 3", {"plain": "none"}),
            )
        ],
    }


def write_plan(change: Change = lambda plan: None) -> None:
    plan = make_plan()
    change(plan)
    PLAN_FILE.parent.mkdir(exist_ok=True)
    with PLAN_FILE.open("w") as file:
        YAML().dump(plan, file)


@pytest.fixture
def fetched(params: Params) -> Params:
    """The parameters of a project with data and a plan."""
    store(sources.find(params.data, lambda _: None), params.data)
    write_plan()
    write_trials()
    write_optimizers_plan()
    return params


def write_trials() -> None:
    rows = [
        ("how long", "epochs=1 optimizer=adam", 1, 80.0),
        ("how long", "epochs=1 optimizer=adam", 2, 82.0),
        ("how long", "epochs=3 optimizer=adam", 1, 81.5),
        ("Bop", "optimizer=bop", 1, 70.0),
    ]
    table = pd.DataFrame(rows, columns=["question", "changes", "seed", "validation_accuracy"])
    more = {"architecture": "mlp-8", "method": "deterministic", "recipe": "{}", "epochs": "1"}
    more |= dict.fromkeys(("validation_loss", "training_accuracy", "seconds"), "1.0")
    TRIALS.parent.mkdir(exist_ok=True)
    table.assign(**more).to_csv(TRIALS, index=False)


def write_results(params: Params, accuracies: dict[str, list[float]]) -> None:
    """Write a result of every variant: test accuracies by variant, one per seed; and costs."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    environment = {
        **dict.fromkeys(("date", "processor", "system", "python", "torch", "numpy"), "some"),
        **dict.fromkeys(("torch_build", "torch_instruction_set", "kernels_instruction_set"), "x"),
        **dict.fromkeys(("cores", "threads", "memory_gib"), 2),
        "seconds": 90.0,
    }
    for variant, training in load_plan(params).trainings.items():
        runs = [
            make_run(architecture, seed, accuracy)
            for architecture in training.architectures
            for seed, accuracy in zip(params.seeds, accuracies[variant], strict=True)
        ]
        content = {**provenance(training, params), "environment": environment, "runs": runs}
        (RESULTS / f"{variant}.json").write_text(json.dumps(content))
    write_costs(environment)
    write_optimizers(params)


def write_costs(environment: dict[str, object]) -> None:
    """Write costs of which all variants have the same."""
    plan = load_plan(load_params())
    rows = [
        {
            "factor": factor,
            "architecture": architecture,
            "variant": variant,
            "round": number,
            "epoch_seconds": 2.0,
            "training_memory_mib": 1.0,
        }
        for factor, architecture, variants in compared_on(plan)
        for variant in variants
        for number in range(1, plan.costs.rounds + 1)
    ]
    COSTS.mkdir(exist_ok=True)
    write_table(COSTS / "costs.csv", VariantCosts, rows)
    (COSTS / "environment.json").write_text(json.dumps(environment))


def make_run(architecture: str, seed: int, accuracy: float) -> dict[str, Any]:
    return {
        "architecture": architecture,
        "seed": seed,
        "validation_accuracy": accuracy,
        "test_accuracy": accuracy,
        "model_bytes": 1024,
    }


def test_a_variant_is_the_network_that_train_trains(fetched: Params) -> None:
    ablate(fetched, "plain")
    result = json.loads((RESULTS / "plain.json").read_text())
    runs = result["runs"]
    assert [(run["architecture"], run["seed"]) for run in runs] == [("mlp-8", 1), ("mlp-8", 2)]
    assert result["recipe"]["pixel_gamma"] == 1
    path = Path("params.yaml")
    path.write_text(path.read_text().replace("pixel_gamma: 3", "pixel_gamma: 1"))
    train(load_params(), "mlp-8", "deterministic", 2)
    metrics = json.loads(Path("runs/mlp-8-deterministic-2/metrics.json").read_text())
    for part in ("validation", "test"):
        assert runs[1][f"{part}_accuracy"] == metrics[part]["accuracy"]
    assert runs[1]["model_bytes"] == metrics["model"]["bytes"]


def test_the_report_compares_seed_by_seed(fetched: Params) -> None:
    write_results(fetched, {"recipe": [90.0, 91.0], "short": [89.5, 90.0], "plain": [90.5, 90.5]})
    report(fetched)
    table = pd.read_csv(FOLDER / "table.csv")
    assert len(table) == 2 + 2 + 1
    rows = {(row["factor"], row["architecture"]): row for _, row in table.iterrows()}
    short = rows["Length", "mlp-8-5"]
    changes = ["change", "change_lower", "change_upper"]
    assert list(short[changes]) == [-0.75, -1.0, -0.5]
    assert short["time_ratio"] == pytest.approx(1 / 3)
    assert short["test_accuracy_std"] == pytest.approx(0.5 / 2**0.5)
    assert list(rows["Pixel curve", "mlp-8"][changes]) == [0.0, -0.5, 0.5]
    assert list(rows["baseline", "mlp-8"][changes]) == [0.0, 0.0, 0.0]
    summary = (FOLDER / "summary.md").read_text()
    assert (
        "- *3 epochs* rather than *1 epoch*: on mlp-8 it buys 0.75 points (0.50 to 1.00 over "
        "seeds) and takes 3.00 times the time (3 epochs against 1); on mlp-8-5 it buys"
    ) in summary
    assert "- *gamma 3* rather than *none*: on mlp-8 it makes no difference to accuracy." in summary
    assert "happens one time in 2. There are 3 comparisons here." in summary
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in summary.splitlines()]
    assert [
        "how long",
        "mlp-8",
        "deterministic",
        "3",
        "epochs 3",
        "81.50",
        "epochs 1",
        "81.00",
    ] in (lines)
    assert ["Bop", "mlp-8", "deterministic", "1", "optimizer bop", "70.00", "", ""] in lines
    pixels = image.imread(FOLDER / "figure.png")
    assert pixels.shape[0] > 300
    assert pixels.std() > 0.05
    assert "gamma 3" in (FOLDER / "figure.svg").read_text()


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: "question,seed\nhow long,1\n",
        lambda text: text.replace("81.5", ""),
        lambda text: text.replace("81.5", "high"),
    ],
)
def test_damaged_trials_are_one_message(fetched: Params, damage: Callable[[str], str]) -> None:
    write_results(fetched, {"recipe": [90.0, 91.0], "short": [89.5, 90.0], "plain": [90.5, 90.5]})
    TRIALS.write_text(damage(TRIALS.read_text()))
    with pytest.raises(PipelineError, match="get it back from git"):
        report(fetched)
    assert not FOLDER.exists()


def test_a_trial_of_the_recipe_itself_is_a_combination(fetched: Params) -> None:
    write_results(fetched, {"recipe": [90.0, 91.0], "short": [89.5, 90.0], "plain": [90.5, 90.5]})
    table = pd.read_csv(TRIALS)
    table["changes"] = table["changes"].where(table["question"] == "how long", "")
    table.loc[table["changes"].str.contains("epochs=1"), "changes"] = ""
    table.to_csv(TRIALS, index=False)
    report(fetched)
    lines = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in (FOLDER / "summary.md").read_text().splitlines()
    ]
    best = ["epochs 3, optimizer adam", "81.50", "nothing changed", "81.00"]
    assert ["how long", "mlp-8", "deterministic", "3", *best] in lines
    assert ["Bop", "mlp-8", "deterministic", "1", "nothing changed", "70.00", "", ""] in lines


def test_one_seed_has_no_spread(fetched: Params) -> None:
    params = fetched.model_copy(update={"seeds": [1]})
    write_results(params, {"recipe": [90.0], "short": [89.5], "plain": [90.5]})
    report(params)
    assert pd.read_csv(FOLDER / "table.csv")["test_accuracy_std"].isna().all()
    summary = (FOLDER / "summary.md").read_text()
    assert "±" not in summary.split("## Table")[1].split("##")[0]
    assert "One seed cannot tell" in summary


def outcome(accuracies: list[float], **recipe: object) -> Outcome:
    runs = [
        Run.model_validate(make_run("mlp-8", seed, accuracy))
        for seed, accuracy in enumerate(accuracies)
    ]
    return Outcome("variant", "mlp-8", {"epochs": 10, **recipe}, runs)


def ratios(time: float = 1.0, memory: float = 1.0) -> dict[str, Estimate]:
    values = {"time": time, "memory": memory}
    return {name: Estimate(value, value, value) for name, value in values.items()}


def test_the_answer_sorts_by_what_is_bought() -> None:
    recipe = outcome([90.0, 91.0])
    found = {
        "little": outcome([89.9, 90.8]),
        "much": outcome([85.0, 87.0]),
        "dear": outcome([90.1, 90.9]),
        "better": outcome([90.5, 91.5]),
        "hardly better": outcome([90.05, 91.1]),
        "hardly worse": outcome([89.95, 90.9]),
    }
    answers = _answers(
        [
            Comparison(
                "It", "so", name, each, recipe, ratios(2, 1.5) if name == "dear" else ratios()
            )
            for name, each in found.items()
        ]
    )
    assert answers == {
        "What buys accuracy, with every seed and 0.1 points or more": [
            "It, *so* rather than *much*: 4.50 points",
            "It, *so* rather than *little*: 0.15 points",
        ],
        "What costs accuracy, with every seed and 0.1 points or more": [
            "It, *so* rather than *better*: 0.50 points",
        ],
        "What buys time or memory of training": [
            "It, *so* rather than *dear*: 0.50 times the time and 0.67 times the memory on mlp-8",
        ],
    }


def test_what_else_differs_is_said(fetched: Params) -> None:
    write_plan(lambda plan: packed(plan)["short"]["set"].update(gradient_bits=32, pixel_gamma=1))
    write_results(fetched, {"recipe": [90.0, 91.0], "short": [89.5, 90.0], "plain": [90.5, 90.5]})
    report(fetched)
    lines = (FOLDER / "summary.md").read_text().splitlines()
    (short,) = (line for line in lines if line.startswith("- *3 epochs* rather than *1 epoch*"))
    assert short.endswith(
        ". They differ in epochs 3 → 1, pixel gamma 3 → none and gradient bits 4 → 32."
    )
    (plain,) = (line for line in lines if line.startswith("- *gamma 3* rather than *none*"))
    assert "differ in" not in plain


def test_a_ratio_whose_interval_holds_1_is_not_clear() -> None:
    same = outcome([90.0])
    for interval, clear in (((0.9, 1.5), False), ((1.1, 1.5), True), ((0.5, 0.9), True)):
        found = {"time": Estimate(1.2, *interval), "memory": Estimate(1.0, 1.0, 1.0)}
        comparison = Comparison("It", "so", "x", same, same, found)
        assert comparison.differing_costs == (["time"] if clear else [])


def test_a_ratio_within_a_hundredth_of_1_is_not_clear() -> None:
    same = outcome([90.0])
    for value, clear in ((1.005, False), (0.995, False), (1.02, True), (0.98, True)):
        found = {name: Estimate(value, value, value) for name in ("time", "memory")}
        comparison = Comparison("It", "so", "x", same, same, found)
        assert comparison.differing_costs == (["time", "memory"] if clear else [])


def test_costs_are_compared_within_rounds(fetched: Params) -> None:
    write_results(fetched, {"recipe": [90.0, 91.0], "short": [89.5, 90.0], "plain": [90.5, 90.5]})
    path = COSTS / "costs.csv"
    costs = pd.read_csv(path)
    # The machine is twice as slow in the second round, and `plain` always takes half as long again.
    costs.loc[costs["round"] == 2, "epoch_seconds"] *= 2
    costs.loc[costs["variant"] == "plain", "epoch_seconds"] *= 1.5
    costs.to_csv(path, index=False)
    report(fetched)
    table = pd.read_csv(FOLDER / "table.csv")
    plain = table[table["factor"] == "Pixel curve"]
    ends = ["time_ratio", "time_ratio_lower", "time_ratio_upper"]
    assert plain[ends].to_numpy().tolist() == [[1.5] * 3]
    assert "epoch_seconds" not in table
    assert "training_memory_mib" not in table


def test_recipes_are_compared_in_the_report_alone(fetched: Params) -> None:
    def add_recipe(plan: dict[str, Any]) -> None:
        packed(plan)["stochastic"] = {"base": "stochastic"}
        plan["factors"][0]["levels"]["stochastic"] = "the stochastic recipe"

    write_plan(add_recipe)
    names = ("recipe", "short", "plain", "stochastic")
    write_results(fetched, {name: [90.0, 91.0] for name in names})
    report(fetched)
    table = pd.read_csv(FOLDER / "table.csv").set_index("variant")
    assert table.loc["stochastic"][["time_ratio", "memory_ratio"]].isna().to_numpy().all()
    assert "stochastic" not in set(pd.read_csv(COSTS / "costs.csv")["variant"])


def test_costs_of_another_plan_are_refused(fetched: Params) -> None:
    write_results(fetched, {"recipe": [90.0, 91.0], "short": [89.5, 90.0], "plain": [90.5, 90.5]})
    costs = pd.read_csv(COSTS / "costs.csv")
    costs[costs["round"] == 1].to_csv(COSTS / "costs.csv", index=False)
    with pytest.raises(
        PipelineError, match=r"is of another ablation/variants\.yaml: run `make abl"
    ):
        report(fetched)
    assert not FOLDER.exists()


def test_variants_are_measured_in_turns_with_their_baseline(fetched: Params) -> None:
    measure_costs(fetched)
    costs = pd.read_csv(COSTS / "costs.csv")
    keys = ["factor", "architecture", "round", "variant"]
    assert list(costs[keys].itertuples(index=False, name=None)) == [
        (factor, architecture, number, variant)
        for factor, architecture, other in (
            ("Length", "mlp-8", "short"),
            ("Length", "mlp-8-5", "short"),
            ("Pixel curve", "mlp-8", "plain"),
        )
        for number in (1, 2)
        for variant in ("recipe", other)
    ]
    assert (costs[["epoch_seconds", "training_memory_mib"]] > 0).all(axis=None)


def packed(plan: dict[str, Any]) -> dict[str, Any]:
    variants: dict[str, Any] = plan["variants"]["packed"]
    return variants


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: packed(p)["short"].update(base="float"), "short: base float is none of det"),
        (lambda p: packed(p)["short"].update(set={"epoch": 1}), "short: epoch: unknown key"),
        (lambda p: packed(p)["short"].update(set={"epochs": 0}), "short: epochs: "),
        (lambda p: packed(p)["short"].update(set={"epochs": 3}), "short: epochs is 3 in det"),
        (lambda p: packed(p)["short"].update(architectures=["mlp-9"]), "architecture mlp-9: par"),
        (lambda p: packed(p)["plain"].update(architectures=["mlp-8"] * 2), "plain: .* twice"),
        (lambda p: packed(p)["recipe"].update(architectures=["mlp-8"]), "short is trained on mlp-"),
        (lambda p: packed(p).update(idle={"base": "stochastic"}), "idle: no factor compares"),
        (lambda p: p["variants"]["torch"].update(short={"base": "float"}), "short: the name of tw"),
        (lambda p: p["factors"][0].update(baseline="other"), "Length: other is no variant"),
        (lambda p: p["factors"][0].update(colour="red"), "factors.0.colour: unknown key"),
        (lambda p: packed(p).update({"a.b": {"base": "stochastic"}}), "variants.packed.a.b"),
    ],
)
def test_a_wrong_plan_is_named_before_anything_runs(
    fetched: Params, change: Change, message: str
) -> None:
    write_plan(change)
    with pytest.raises(PipelineError, match=message):
        ablate(fetched, "plain")
    assert not RESULTS.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ablation", "--variant", "other"], "error: unknown variant other: ablation/variants"),
        (["ablation-report"], "error: ablation/results/recipe.json is missing: run `make ablation"),
    ],
)
def test_bad_input_is_one_message(
    fetched: Params,
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["pipeline", *arguments])
    with pytest.raises(SystemExit, match="1"):
        main()
    said = capsys.readouterr().err
    assert said.startswith(message)
    assert len(said.splitlines()) == 1
    assert not FOLDER.exists()


def test_a_training_that_ends_early_leaves_nothing(
    fetched: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.ablation.train.train_trial", end)
    with pytest.raises(PipelineError, match=r"training of plain on mlp-8 .* ended with signal 9"):
        ablate(fetched, "plain")
    assert not RESULTS.exists()


def end(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def edit(path: Path, section: str, key: str, value: object) -> None:
    """Give a result another value, or take it away for None."""
    content = json.loads(path.read_text())
    content[section].pop(key)
    if value is not None:
        content[section][key] = value
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_text("{"), "cannot be read"),
        (lambda path: path.write_text(path.read_text().replace("mlp-8-5", "mlp-8-6")), "of other"),
        (
            lambda path: path.write_text(path.read_text().replace("cosine", "linear")),
            "of other params",
        ),
        (lambda path: edit(path, "train", "batch_size", 20), "of other params"),
        (lambda path: edit(path, "train", "threads", 7), "of other params"),
        (lambda path: edit(path, "data", "split_seed", 9), "of other params"),
        (lambda path: edit(path, "environment", "seconds", None), "cannot be read"),
        (lambda path: edit(path, "environment", "processor", None), "cannot be read"),
        (lambda path: path.unlink(), "is missing"),
    ],
)
def test_a_result_of_something_else_is_noticed(
    fetched: Params, damage: Callable[[Path], None], message: str
) -> None:
    write_results(fetched, {name: [90.0, 91.0] for name in ("recipe", "short", "plain")})
    damage(RESULTS / "recipe.json")
    with pytest.raises(PipelineError, match=rf"recipe\.json .*{message}.*--variant recipe"):
        report(fetched)
    assert not FOLDER.exists()


def has_torch_after(trial: Trial, model: Path) -> bool:
    train_trial(trial, model)
    return "torch" in sys.modules


def test_a_training_in_bits_imports_no_torch(fetched: Params, tmp_path: Path) -> None:
    trial = Trial(fetched.methods["deterministic"], "mlp-8", 1, fetched.train)
    assert not run_in_fresh_process("a training", has_torch_after, trial, tmp_path / "model")


def test_the_projects_own_plan_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert load_plan(load_params()).trainings
    assert load_optimizers(load_params()).file.optimizers
