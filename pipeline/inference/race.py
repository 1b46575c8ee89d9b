"""All runtimes in one process, in turn: how long a call takes, and how well it predicts."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from pipeline.common.atomic import write_text
from pipeline.config.params import InferenceParams
from pipeline.data import dataset
from pipeline.inference.runtimes import Files, Images, Network, Scores, find_runtime
from pipeline.profiling.quiet import let_threads_sleep


class Row(BaseModel):
    """Seconds a call of one runtime in one round."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threads: int
    batch_size: int
    round: int
    runtime: str
    seconds: float


class Race(BaseModel):
    """What a race reports: its rows, and of every runtime what it predicts and its file's size.

    Attributes:
        test_accuracy: in percent.
        confusion: (classes, classes) counts on the test set, rows the actual class.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: list[Row]
    test_accuracy: dict[str, float]
    confusion: dict[str, list[list[int]]]
    file_bytes: dict[str, int]


def race(
    params: InferenceParams, files: Files, runtimes: list[str], threads: int, output: Path
) -> None:
    """Time `runtimes` in this process, round after round, and write a Race to `output`.

    Raises:
        PipelineError: an unknown runtime, missing data or a damaged model.
    """
    test = dataset.load_test()
    networks = {name: find_runtime(name).build(files, threads) for name in runtimes}
    confusion = {
        name: _confusion(network, test.images, test.labels) for name, network in networks.items()
    }
    result = Race(
        rows=[
            row
            for batch in params.batch_sizes
            for row in _rounds(params, networks, _batch(test.images, batch), threads)
        ],
        test_accuracy={
            name: 100 * int(np.trace(counts)) / len(test.labels)
            for name, counts in confusion.items()
        },
        confusion={name: counts.tolist() for name, counts in confusion.items()},
        file_bytes={name: network.file_bytes for name, network in networks.items()},
    )
    write_text(output, json.dumps(result.model_dump()))


def _batch(images: Images, size: int) -> Images:
    """Return `size` images, the same ones again where there are not so many."""
    return np.resize(images, (size, images.shape[1]))


def _confusion(network: Network, images: Images, labels: NDArray[np.uint8]) -> NDArray[np.int64]:
    scores: Scores = np.asarray(network.scores(network.prepare(images)))
    confusion = np.zeros((scores.shape[1],) * 2, np.int64)
    np.add.at(confusion, (labels, scores.argmax(axis=1)), 1)
    return confusion


def _rounds(
    params: InferenceParams, networks: dict[str, Network], images: Images, threads: int
) -> list[Row]:
    calls = {name: _call(network, images) for name, network in networks.items()}
    repeats = {name: _repeats(call, params.seconds) for name, call in calls.items()}
    return [
        Row(
            threads=threads,
            batch_size=len(images),
            round=number,
            runtime=name,
            seconds=_time(call, repeats[name]),
        )
        for number in range(1, params.rounds + 1)
        for name, call in calls.items()
    ]


def _call(network: Network, images: Images) -> Callable[[], Any]:
    prepared = network.prepare(images)
    return lambda: network.scores(prepared)


def _repeats(call: Callable[[], Any], seconds: float) -> int:
    # The first calls compile, and find out which code is fastest.
    for _ in range(3):
        call()
    return max(1, round(seconds / _time(call, 3)))


def _time(call: Callable[[], Any], repeats: int) -> float:
    let_threads_sleep()
    call()
    started = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - started) / repeats
