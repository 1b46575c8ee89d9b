"""frontier/results/peers.csv, and reports/peers.md, which shows it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.artifacts.environment import read_environment
from pipeline.artifacts.profile import Measurements
from pipeline.artifacts.tables import Table, read_table, to_csv
from pipeline.common.atomic import write_text
from pipeline.common.console import echo
from pipeline.common.errors import PipelineError
from pipeline.config.params import Params
from pipeline.config.paths import REPORTS, TABLES
from pipeline.frontier.peers.plan import PeersPlan, load_plan
from pipeline.frontier.peers.results import (
    ACCURACY,
    ACCURACY_ADVICE,
    COSTS,
    COSTS_ADVICE,
    LARQ,
    TABLE,
    Accuracies,
    Peers,
    TrainingMemory,
    Versions,
)
from pipeline.report.markdown import markdown
from pipeline.report.statistics import estimate_columns, paired_ratio
from pipeline.report.summary.document import render_template
from pipeline.report.summary.machine import machine_in_words

Row = dict[str, Any]

REPORT = REPORTS / "peers.md"
_KEYS = ["architecture", "batch_size", "threads"]
_ADVICE = "run `make peers` or `python -m pipeline peers`"


class OurAccuracies(Table):
    """The columns of the report's accuracy.csv that are read here."""

    architecture: str
    method: str
    epochs: int
    seeds: int
    validation_accuracy: float
    test_accuracy: float
    test_accuracy_std: float


def write_peers(params: Params) -> None:
    """Write frontier/results/peers.csv, see `results.Peers`, and reports/peers.md.

    Raises:
        PipelineError: a table is missing, damaged or of another plan.
    """
    plan = load_plan(params)
    measurements = read_table(COSTS / "measurements.csv", Measurements, COSTS_ADVICE)
    memory = read_table(COSTS / "training_memory.csv", TrainingMemory, COSTS_ADVICE)
    trained = read_table(ACCURACY / "accuracy.csv", Accuracies, ACCURACY_ADVICE)
    ours = read_table(TABLES / "accuracy.csv", OurAccuracies, "run `dvc repro`")
    _check_plan(measurements, trained, plan, params)
    batch_sizes = {name: method.batch_size for name, method in params.methods.items()}
    batch_sizes |= dict.fromkeys(LARQ, params.train.batch_size)
    rows = peers_rows(measurements, memory, larq_accuracies(trained), ours, batch_sizes)
    write_text(TABLE, to_csv(Peers, rows))
    machine = machine_in_words(read_environment(COSTS, COSTS_ADVICE))
    versions = read_table(COSTS / "versions.csv", Versions, COSTS_ADVICE).iloc[0]
    write_text(
        REPORT,
        render_template(
            Path(__file__).with_name("peers.md.jinja"),
            {
                "table": peers_table(),
                "machine": machine,
                "larq": versions["larq"],
                "tensorflow": versions["tensorflow"],
                "rounds": plan.rounds,
            },
        ),
    )
    echo(f"{TABLE} and {REPORT} written")


def larq_accuracies(trained: pd.DataFrame) -> pd.DataFrame:
    """Return a row per architecture and number of epochs, as `OurAccuracies` has them but method.

    Args:
        trained: of the schema `Accuracies`.
    """
    groups = trained.groupby(["architecture", "epochs"], sort=False)
    return groups.agg(
        seeds=("seed", "size"),
        validation_accuracy=("validation_accuracy", "mean"),
        test_accuracy=("test_accuracy", "mean"),
        test_accuracy_std=("test_accuracy", "std"),
    ).reset_index()


def peers_rows(
    measurements: pd.DataFrame,
    memory: pd.DataFrame,
    larq: pd.DataFrame,
    ours: pd.DataFrame,
    trained_batch_sizes: Mapping[str, int],
) -> list[Row]:
    """Return the rows of the table: see `results.Peers`.

    Args:
        measurements: of the schema `Measurements`.
        memory: of the schema `TrainingMemory`.
        larq: as `larq_accuracies` returns it.
        ours: of the schema `OurAccuracies`.
        trained_batch_sizes: of the trainings whose accuracies are given, by method.
    """
    rows: list[Row] = []
    points = measurements[_KEYS].drop_duplicates()
    for keys in (dict(zip(_KEYS, point, strict=True)) for point in points.to_numpy().tolist()):
        timed = _at(measurements, keys)
        seconds = timed.pivot(index="round", columns="method", values="epoch_seconds")
        process = timed.groupby("method")["process_memory_mib"].median()
        held = _at(memory, keys).set_index("method")["training_memory_mib"]
        peer = str(seconds[list(LARQ)].median().idxmin())
        for method in (peer, *(str(name) for name in seconds if name not in LARQ)):
            ratio = paired_ratio(seconds[method].to_numpy(), seconds[peer].to_numpy())
            costs: Row = {
                **keys,
                "method": method,
                "epoch_seconds": seconds[method].median(),
                **estimate_columns("epoch_seconds_ratio", ratio),
                "process_memory_mib": process[method],
                "training_memory_mib": held[method],
                "training_memory_mib_ratio": held[method] / held[peer],
            }
            known = larq if method == peer else ours[ours["method"] == method]
            known = known[known["architecture"] == keys["architecture"]]
            if keys["batch_size"] == trained_batch_sizes[method] and len(known):
                rows += [costs | _accuracy(row, costs) for row in known.to_dict("records")]
            else:
                rows.append(costs)
    return rows


def _at(table: pd.DataFrame, keys: Row) -> pd.DataFrame:
    """Return the rows that have these values in these columns."""
    return table[(table[list(keys)] == list(keys.values())).all(axis=1)]


def _accuracy(row: Mapping[Any, Any], costs: Row) -> Row:
    names = ("epochs", "seeds", "validation_accuracy", "test_accuracy", "test_accuracy_std")
    return {
        **{name: row[name] for name in names},
        "train_seconds": costs["epoch_seconds"] * row["epochs"],
    }


def peers_table(path: Path = TABLE) -> str:
    """Return the table as Markdown.

    Raises:
        PipelineError: it is missing or damaged.
    """
    return markdown(
        (
            *("network", "batch", "method", "s / epoch", "over Larq", "training MiB"),
            *("process MiB", "epochs", "seconds", "validation %", "test %"),
        ),
        (_cells(row) for _, row in read_table(path, Peers, _ADVICE).iterrows()),
    )


def _cells(row: "pd.Series[Any]") -> list[str]:
    trained = not pd.isna(row["epochs"])
    return [
        row["architecture"],
        str(row["batch_size"]),
        LARQ.get(row["method"], row["method"]),
        f"{row['epoch_seconds']:.3f}",
        f"{row['epoch_seconds_ratio']:.2f}",
        f"{row['training_memory_mib']:.1f}",
        f"{row['process_memory_mib']:.0f}",
        f"{row['epochs']:.0f}" if trained else "",
        f"{row['train_seconds']:.1f}" if trained else "",
        f"{row['validation_accuracy']:.2f}" if trained else "",
        f"{row['test_accuracy']:.2f}" if trained else "",
    ]


def _check_plan(
    measurements: pd.DataFrame, trained: pd.DataFrame, plan: PeersPlan, params: Params
) -> None:
    """Raise PipelineError unless the tables have every case of the plan, and no other."""
    measured = {
        (architecture, batch_size, params.train.threads, method, number)
        for architecture in params.connected_architectures
        for batch_size in plan.all_batch_sizes(params)
        for method in (*plan.methods, *LARQ)
        for number in range(1, plan.rounds + 1)
    }
    if _cases(measurements, [*_KEYS, "method", "round"]) != measured:
        raise PipelineError(f"{COSTS} was measured with another plan: {COSTS_ADVICE}")
    trainings = {
        (architecture, params.train.batch_size, epochs, seed)
        for architecture in params.connected_architectures
        for epochs in plan.epochs
        for seed in params.seeds
    }
    if _cases(trained, ["architecture", "batch_size", "epochs", "seed"]) != trainings:
        raise PipelineError(f"{ACCURACY} was trained by another plan: {ACCURACY_ADVICE}")


def _cases(table: pd.DataFrame, columns: list[str]) -> set[tuple[object, ...]]:
    return set(table[columns].itertuples(index=False, name=None))
