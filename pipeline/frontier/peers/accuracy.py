"""The peer's accuracy: a search on validation, then every seed with what won."""

from pathlib import Path
from typing import Any

from pipeline.artifacts.tables import write_table
from pipeline.common.atomic import atomic_directory
from pipeline.common.console import echo, progress
from pipeline.config.params import Params
from pipeline.data import dataset
from pipeline.frontier.peers.plan import PeersPlan, load_plan
from pipeline.frontier.peers.process import Request, ask, check_installed, with_rate
from pipeline.frontier.peers.results import ACCURACY, Accuracies, Trials

Row = dict[str, Any]


def measure_accuracy(params: Params) -> None:
    """Train the peer; write trials.csv and accuracy.csv to frontier/results/peers/accuracy/.

    Both are described by `results`. The test set is read by the trainings that follow the search.

    Raises:
        PipelineError: the peer is not installed, data that is missing, or a training that failed.
    """
    plan = load_plan(params)
    check_installed()
    dataset.check_present()
    data = dataset.load()
    dataset.check_split(data, params.data)
    widths = {name: data.architecture(name).widths for name in params.connected_architectures}
    del data
    trials: list[Row] = []
    trainings: list[Row] = []
    tried = [(name, rate) for name in plan.recipes for rate in plan.learning_rates]
    final = [(epochs, seed) for epochs in plan.epochs for seed in params.seeds]
    with progress("peers accuracy", len(widths) * (len(tried) + len(final))) as advance:
        for architecture in widths:
            for recipe, rate in tried:
                row = _case(params, architecture, recipe, rate, plan.epochs[0], params.seeds[0])
                trials.append(_train(plan, params, widths[architecture], row, test=False))
                advance(_line(trials[-1]))
            best = best_trial(trials, architecture)
            for epochs, seed in final:
                row = _case(
                    params, architecture, best["recipe"], best["learning_rate"], epochs, seed
                )
                trainings.append(_train(plan, params, widths[architecture], row, test=True))
                advance(_line(trainings[-1]))
    with atomic_directory(ACCURACY) as folder:
        _write(folder, trials, trainings)
    echo(f"{ACCURACY}/ written")


def best_trial(trials: list[Row], architecture: str) -> Row:
    """Return the trial of `architecture` with the highest accuracy on validation."""
    return max(
        (row for row in trials if row["architecture"] == architecture),
        key=lambda row: float(row["validation_accuracy"]),
    )


def _case(
    params: Params, architecture: str, recipe: str, rate: float, epochs: int, seed: int
) -> Row:
    return {
        "architecture": architecture,
        "batch_size": params.train.batch_size,
        "recipe": recipe,
        "learning_rate": rate,
        "epochs": epochs,
        "seed": seed,
    }


def _train(
    plan: PeersPlan, params: Params, widths: tuple[int, ...], row: Row, *, test: bool
) -> Row:
    """Return `row` with the accuracies of its training."""
    request = Request(
        task="train",
        widths=widths,
        batch_size=row["batch_size"],
        threads=params.train.threads,
        operations=1,
        form="compiled",
        recipe=with_rate(plan.recipes[row["recipe"]], row["learning_rate"]),
        epochs=row["epochs"],
        seed=row["seed"],
        test=test,
    )
    what = f"the training of Larq on {row['architecture']} with seed {row['seed']}"
    answer = ask(what, request)
    return row | {name: round(value, 4) for name, value in answer.items() if value is not None}


def _line(row: Row) -> str:
    part = "test" if "test_accuracy" in row else "validation"
    return (
        f"{row['architecture']}, recipe {row['recipe']}, rate {row['learning_rate']}, "
        f"{row['epochs']} epochs, seed {row['seed']}: {part} accuracy {row[f'{part}_accuracy']} %"
    )


def _write(folder: Path, trials: list[Row], trainings: list[Row]) -> None:
    write_table(folder / "trials.csv", Trials, trials)
    write_table(folder / "accuracy.csv", Accuracies, trainings)
