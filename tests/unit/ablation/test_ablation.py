"""The ablation: what it trains, compares, says and refuses."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib import image
from ruamel.yaml import YAML

from pipeline.ablation.answer import answer
from pipeline.ablation.comparison import Comparison, Outcome
from pipeline.ablation.plan import PLAN_FILE, load_plan
from pipeline.ablation.report import FOLDER, report
from pipeline.ablation.results import RESULTS, Run, settings
from pipeline.ablation.stage import ablate
from pipeline.cli import main
from pipeline.common.errors import PipelineError
from pipeline.config.params import Params, load_params
from pipeline.config.paths import TRIALS
from pipeline.fetch import sources
from pipeline.fetch.store import store
from pipeline.training.train import train
from tests.conftest import ROOT, heavy_imports

TRAINING = ["ablation-run", "--variant", "short", "--seed", "1", "--output", "run.json"]
ROW = (
    "question,architecture,method,changes,seed,validation_accuracy\n"
    "how long,mlp-8,deterministic,epochs=1,1,{}\n"
)
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
        "ingredients": [
            {
                "name": name,
                "text": "Words about it.",
                "source": "A paper",
                "reference": "recipe",
                "chosen": chosen,
                "settings": settings,
            }
            for name, chosen, settings in (
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
    return params


def write_trials() -> None:
    rows = [
        ("how long", "epochs=1 optimizer=adam", 1, 80.0),
        ("how long", "epochs=1 optimizer=adam", 2, 82.0),
        ("how long", "epochs=3 optimizer=adam", 1, 81.5),
        ("Bop", "optimizer=bop", 1, 70.0),
    ]
    table = pd.DataFrame(rows, columns=["question", "changes", "seed", "validation_accuracy"])
    TRIALS.parent.mkdir(exist_ok=True)
    table.assign(architecture="mlp-8", method="deterministic").to_csv(TRIALS, index=False)


def write_results(params: Params, accuracies: dict[str, list[float]]) -> None:
    """Write a result of every variant: test accuracies by variant, a seed each."""
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
        content = {**settings(training, params), "environment": environment, "runs": runs}
        (RESULTS / f"{variant}.json").write_text(json.dumps(content))


def make_run(architecture: str, seed: int, accuracy: float) -> dict[str, Any]:
    return {
        "architecture": architecture,
        "seed": seed,
        "validation_accuracy": accuracy,
        "test_accuracy": accuracy,
        "epoch_seconds": 2.0,
        "training_memory": 2**20,
        "model_bytes": 1024,
    }


def test_a_variant_is_the_network_that_train_trains(fetched: Params) -> None:
    ablate(fetched, "plain")
    result = json.loads((RESULTS / "plain.json").read_text())
    runs = result["runs"]
    assert [(run["architecture"], run["seed"]) for run in runs] == [("mlp-8", 1), ("mlp-8", 2)]
    assert all(run["epoch_seconds"] > 0 and run["training_memory"] > 0 for run in runs)
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
    rows = {(row["ingredient"], row["architecture"]): row for _, row in table.iterrows()}
    short = rows["Length", "mlp-8-5"]
    changes = ["change", "change_lower", "change_upper"]
    assert list(short[changes]) == [-0.75, -1.0, -0.5]
    assert short["time_ratio"] == pytest.approx(1 / 3)
    assert short["test_accuracy_std"] == pytest.approx(0.5 / 2**0.5)
    assert list(rows["Pixel curve", "mlp-8"][changes]) == [0.0, -0.5, 0.5]
    assert list(rows["reference", "mlp-8"][changes]) == [0.0, 0.0, 0.0]
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
    "text", [None, "", "question,seed\nhow long,1\n", ROW.format(""), ROW.format("high")]
)
def test_damaged_trials_are_one_message(fetched: Params, text: str | None) -> None:
    write_results(fetched, {"recipe": [90.0, 91.0], "short": [89.5, 90.0], "plain": [90.5, 90.5]})
    TRIALS.unlink() if text is None else TRIALS.write_text(text)
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
    assert "Of one seed there is no telling" in summary


def outcome(
    accuracies: list[float], seconds: float = 1.0, memory: int = 100, **recipe: object
) -> Outcome:
    runs = [
        Run.model_validate(
            make_run("mlp-8", seed, accuracy)
            | {"epoch_seconds": seconds, "training_memory": memory}
        )
        for seed, accuracy in enumerate(accuracies)
    ]
    return Outcome("variant", "mlp-8", {"epochs": 10, **recipe}, runs)


def test_the_answer_sorts_by_what_is_bought() -> None:
    recipe = outcome([90.0, 91.0])
    found = {
        "little": outcome([89.9, 90.8]),
        "much": outcome([85.0, 87.0]),
        "dear": outcome([90.1, 90.9], seconds=2.0, memory=150),
        "better": outcome([90.5, 91.5]),
        "hardly better": outcome([90.05, 91.1]),
        "hardly worse": outcome([89.95, 90.9]),
    }
    said = answer([Comparison("It", "chosen", name, each, recipe) for name, each in found.items()])
    assert said == (
        "What buys accuracy, with every seed and 0.1 points or more:\n\n"
        "- It, *chosen* rather than *much*: 4.50 points\n"
        "- It, *chosen* rather than *little*: 0.15 points\n\n"
        "What costs accuracy, with every seed and 0.1 points or more:\n\n"
        "- It, *chosen* rather than *better*: 0.50 points\n\n"
        "What buys time or memory of training:\n\n"
        "- It, *chosen* rather than *dear*: 0.50 times the time and 0.67 times the memory on mlp-8"
    )


def test_what_else_differs_is_said(fetched: Params) -> None:
    write_plan(lambda plan: packed(plan)["short"]["set"].update(state_bits=32, pixel_gamma=1))
    write_results(fetched, {"recipe": [90.0, 91.0], "short": [89.5, 90.0], "plain": [90.5, 90.5]})
    report(fetched)
    lines = (FOLDER / "summary.md").read_text().splitlines()
    (short,) = (line for line in lines if line.startswith("- *3 epochs* rather than *1 epoch*"))
    assert short.endswith(
        ". They differ in epochs 3 → 1, pixel gamma 3 → none and state bits 8 → 32."
    )
    (plain,) = (line for line in lines if line.startswith("- *gamma 3* rather than *none*"))
    assert "differ in" not in plain


@pytest.mark.parametrize(
    ("seconds", "clear"),
    [(1.3, False), (1.4, True), (1 / 1.3, False), (0.7, True), (0.75, False)],
)
def test_what_is_near_is_not_clear(seconds: float, clear: bool) -> None:
    comparison = Comparison("It", "chosen", "x", outcome([90.0], seconds), outcome([90.0]))
    assert comparison.differing_costs == (["time"] if clear else [])


def test_overlapping_ranges_are_not_clear() -> None:
    def of(*seconds: float) -> Outcome:
        return Outcome(
            "x", "mlp-8", {"epochs": 1}, [outcome([90.0], each).runs[0] for each in seconds]
        )

    assert Comparison("It", "a", "b", of(1.0, 1.5), of(1.0, 1.1)).differing_costs == []
    assert Comparison("It", "a", "b", of(1.5, 1.6), of(1.0, 1.1)).differing_costs == ["time"]
    # 1.6 times the median, above all of the reference's; which differ 1.7 times among themselves.
    assert Comparison("It", "a", "b", of(1.75, 1.76), of(1.0, 1.1, 1.7)).differing_costs == []


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
        (lambda p: packed(p).update(idle={"base": "stochastic"}), "idle: no ingredient compares"),
        (lambda p: p["variants"]["torch"].update(short={"base": "float"}), "short: the name of tw"),
        (lambda p: p["ingredients"][0].update(reference="other"), "Length: other is no variant"),
        (lambda p: p["ingredients"][0].update(colour="red"), "ingredients.0.colour: unknown key"),
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
        (
            [*TRAINING, "--architecture", "mlp-9"],
            "error: unknown architecture mlp-9",
        ),
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
    fetched: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = tmp_path / "killed"
    killed.write_text("#!/bin/sh\nkill -9 $$\n")
    killed.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(killed))
    with pytest.raises(PipelineError, match=r"ended with signal 9 .*ablation-run --variant plain"):
        ablate(fetched, "plain")
    assert not RESULTS.exists()


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
        (lambda path: path.write_text(path.read_text().replace("0.01", "0.02")), "of other params"),
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


def test_a_training_in_bits_imports_no_torch(fetched: Params) -> None:
    assert heavy_imports([*TRAINING, "--architecture", "mlp-8"]) == []
    assert Run.model_validate_json(Path("run.json").read_text()).seed == 1


def test_the_projects_own_plan_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert load_plan(load_params()).trainings
