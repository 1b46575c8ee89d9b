"""The search for hyperparameters: trials of recipes, chosen by validation accuracy alone.

search.yaml lists what is tried, search/trials.csv holds what came out, a row a trial, and both are
in git. A trial whose row is there is not run again. Nothing here ever looks at the test set.
"""

import csv
import fcntl
import json
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from pipeline.data.store import Dataset
from pipeline.engine import create_engine, load_data
from pipeline.errors import PipelineError
from pipeline.evaluate import evaluate
from pipeline.params import (
    Architecture,
    Method,
    MethodGroups,
    Params,
    Section,
    Seed,
    explain,
)
from pipeline.plain import read_yaml
from pipeline.progress import say
from pipeline.train import layer_widths, run_epoch

SEARCH_FILE = Path("search.yaml")
TRIALS = Path("search/trials.csv")
COLUMNS = (
    "question",
    "architecture",
    "method",
    "changes",
    "seed",
    "epochs",
    "validation_accuracy",
    "validation_loss",
    "training_accuracy",
    "seconds",
    "recipe",
)


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
    architectures: Annotated[list[Architecture], Field(min_length=1)]
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


def search(params: Params, threads: int) -> None:
    """Run every trial of search.yaml that has no row in search/trials.csv yet.

    A row has the whole recipe, so that it means the same after params.yaml has changed, and the
    seconds of training alone. Rows are added one by one: a search that is stopped goes on where
    it was.

    Raises:
        PipelineError: search.yaml is missing or not valid, or so is the data.
    """
    done = _done()
    data: tuple[object, Dataset] | None = None
    for question, architecture, method, changes, seed in list(_trials(_load(SEARCH_FILE))):
        key = (architecture, str(seed), _recipe(method))
        if key in done:
            continue
        # Trials of one kind follow each other: their images are loaded and encoded once.
        kind = (type(method), method.pixel_bits, method.pixel_gamma)
        if data is None or data[0] != kind:
            data = kind, load_data(method)
        row = _trial(data[1], params.train.batch_size, architecture, method, seed, threads)
        row |= {"question": question.question, "method": question.method}
        row["changes"] = " ".join(f"{name}={value}" for name, value in changes.items())
        done.add(key)
        _append(row)
        say(
            f"{architecture} {question.method} {row['changes']}: "
            f"validation accuracy {row['validation_accuracy']} %, {row['seconds']} s"
        )


def _trial(
    data: Dataset, batch_size: int, architecture: str, method: Method, seed: int, threads: int
) -> dict[str, Any]:
    engine = create_engine(method, layer_widths(architecture, data), seed=seed, threads=threads)
    started = time.perf_counter()
    for epoch in range(method.epochs):
        run_epoch(engine, data.train, method, batch_size, seed, epoch)
    seconds = time.perf_counter() - started
    classes = len(data.class_names)
    training = evaluate(engine, data.train, classes)
    validation = evaluate(engine, data.validation, classes)
    return {
        "architecture": architecture,
        "seed": seed,
        "epochs": method.epochs,
        "validation_accuracy": round(validation.accuracy, 4),
        "validation_loss": round(validation.loss, 6),
        "training_accuracy": round(training.accuracy, 4),
        "seconds": round(seconds, 1),
        "recipe": _recipe(method),
    }


def _trials(search: Search) -> Iterator[tuple[Question, str, Method, dict[str, Any], int]]:
    methods: dict[str, Method] = {**search.methods.torch, **search.methods.packed}
    for question in search.questions:
        if question.method not in methods:
            raise PipelineError(f"{SEARCH_FILE}: {question.method} is no method of its own")
        base = methods[question.method]
        for architecture in question.architectures:
            for changes in question.changes():
                try:
                    method = type(base).model_validate(base.model_dump() | changes)
                except ValidationError as error:
                    raise PipelineError(
                        f"{SEARCH_FILE}: {question.question}: {_problems(error)}"
                    ) from None
                for seed in question.seeds:
                    yield question, architecture, method, changes, seed


def _recipe(method: Method) -> str:
    # Keys at their default are left out: a key that is added later, which the old trials did
    # not know, does not make them new ones.
    return json.dumps(method.model_dump(exclude_defaults=True), sort_keys=True)


def _load(path: Path) -> Search:
    try:
        return TypeAdapter(Search).validate_python(read_yaml(path))
    except OSError as error:
        raise PipelineError(f"cannot read {path}: {error.strerror}") from error
    except ValidationError as error:
        raise PipelineError(f"{path} is not valid: {_problems(error)}") from None
    except ValueError as error:
        raise PipelineError(f"{path} is not valid YAML: {error}") from error


def _problems(error: ValidationError) -> str:
    return "; ".join(explain(error))


def _done() -> set[tuple[str, str, str]]:
    if not TRIALS.exists():
        return set()
    with TRIALS.open(newline="", encoding="utf-8") as file:
        return {(row["architecture"], row["seed"], row["recipe"]) for row in csv.DictReader(file)}


def _append(row: dict[str, Any]) -> None:
    TRIALS.parent.mkdir(exist_ok=True)
    with TRIALS.open("a", newline="", encoding="utf-8") as file:
        # Two searches may run at once.
        fcntl.flock(file, fcntl.LOCK_EX)
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if file.tell() == 0:
            writer.writeheader()
        writer.writerow(row)
