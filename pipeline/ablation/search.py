"""The search for hyperparameters: trials of recipes, compared by validation accuracy alone.

ablation/search.yaml lists what is tried and ablation/trials.csv holds what came out, a row per
trial; both are in git. A trial that has a row is not run again. Nothing here ever looks at the test
set.
"""

import json
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from pipeline.ablation.trials import open_trials
from pipeline.common.console import echo
from pipeline.common.errors import PipelineError
from pipeline.config.params import (
    ArchitectureName,
    Method,
    MethodGroups,
    Section,
    Seed,
)
from pipeline.config.recipes import changed, load_yaml
from pipeline.data.dataset import Dataset
from pipeline.engines.engine import create_engine, load_data
from pipeline.training.evaluate import evaluate
from pipeline.training.trials import train_fully

SEARCH_FILE = Path("ablation/search.yaml")
# What a row means that does not say otherwise: what all rows had before there were others. It is
# Fashion-MNIST in the split of params.yaml: the first digits of `Dataset.sha256`.
USUAL_DATA = "0d0412a1bbd2"


class Question(Section):
    """Trials that answer one question: every combination of `vary`, with every seed.

    Attributes:
        question: what is asked, in a few words.
        architectures: those that it is asked of.
        method: the recipe, of `methods` in the same file, that the trials start from.
        set: keys of the recipe that all of the trials change.
        vary: keys of the recipe, each with the values to try.
        seeds: of each combination.
    """

    question: Annotated[str, Field(min_length=1)]
    architectures: Annotated[list[ArchitectureName], Field(min_length=1)]
    method: str
    set: dict[str, Any] = Field(default_factory=dict)
    vary: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(default_factory=dict)
    seeds: Annotated[list[Seed], Field(min_length=1)]

    def changes(self) -> Iterator[dict[str, Any]]:
        """Yield what each combination changes of the recipe."""
        for values in product(*self.vary.values()):
            yield self.set | dict(zip(self.vary, values, strict=True))


class Search(Section):
    """The whole of search.yaml: the recipes to start from, and the questions."""

    methods: MethodGroups
    questions: Annotated[list[Question], Field(min_length=1)]


def search(threads: int) -> None:
    """Run every trial of ablation/search.yaml that has no row in ablation/trials.csv yet.

    A row has the whole recipe, and the data where it is not the usual one: it means the same after
    params.yaml has changed. Its seconds are those of training alone. Rows are added one by one: a
    search that is stopped goes on where it was. Searches that run at once share the trials.

    Raises:
        PipelineError: search.yaml, trials.csv or the data is missing or not valid.
    """
    trials = list(_trials(load_yaml(SEARCH_FILE, Search)))
    loaded: tuple[object, Dataset] | None = None
    with open_trials() as rows:
        for question, architecture, method, changes, seed in trials:
            # Trials of one kind follow each other: their images are loaded and encoded once.
            kind = (type(method), method.pixel_bits, method.pixel_gamma)
            if loaded is None:
                loaded = kind, load_data(method)
            unusual = _unusual(loaded[1])
            recipe = _recipe(method, unusual)
            if not rows.claim((architecture, str(seed), recipe)):
                continue
            if loaded[0] != kind:
                loaded = kind, load_data(method)
                if _unusual(loaded[1]) != unusual:
                    raise PipelineError("data/ has changed since the search began: run it again")
            row = _trial(loaded[1], architecture, method, seed, threads)
            row |= {"question": question.question, "method": question.method, "recipe": recipe}
            shown = {**changes, **unusual}
            row["changes"] = " ".join(f"{name}={value}" for name, value in shown.items())
            rows.append(row)
            echo(
                f"{architecture} {question.method} {row['changes']}: "
                f"validation accuracy {row['validation_accuracy']} %, {row['seconds']} s"
            )


def _unusual(data: Dataset) -> dict[str, Any]:
    """Return what a row says beyond the recipe's keys: see USUAL_DATA."""
    digits = data.sha256[: len(USUAL_DATA)]
    return {"data": digits} if digits != USUAL_DATA else {}


def _trial(
    data: Dataset, architecture: str, method: Method, seed: int, threads: int
) -> dict[str, Any]:
    engine = create_engine(method, data.architecture(architecture), seed=seed, threads=threads)
    seconds = train_fully(engine, data, method, method.batch_size, seed)
    classes = len(data.class_names)
    training = evaluate(engine, data.train, classes)
    validation = evaluate(engine, data.read("validation"), classes)
    return {
        "architecture": architecture,
        "seed": seed,
        "epochs": method.epochs,
        "validation_accuracy": round(validation.accuracy, 4),
        "validation_loss": round(validation.loss, 6),
        "training_accuracy": round(training.accuracy, 4),
        "seconds": round(seconds, 1),
    }


def _trials(search: Search) -> Iterator[tuple[Question, str, Method, dict[str, Any], int]]:
    methods: dict[str, Method] = {**search.methods.torch, **search.methods.packed}
    for question in search.questions:
        if question.method not in methods:
            raise PipelineError(f"{SEARCH_FILE}: {question.method} is no method of its own")
        base = methods[question.method]
        for architecture in question.architectures:
            for changes in question.changes():
                method = changed(base, changes, f"{SEARCH_FILE}: {question.question}")
                for seed in question.seeds:
                    yield question, architecture, method, changes, seed


def _recipe(method: Method, unusual: dict[str, Any]) -> str:
    # Keys at their default are left out: a key that is added later, which the old trials did
    # not know, does not make them new ones.
    return json.dumps(method.model_dump(exclude_defaults=True) | unusual, sort_keys=True)
