"""All runtimes in one process, in turn: how long a call takes, and how well it predicts."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.params import InferenceParams
from pipeline.data import dataset
from pipeline.inference.runtimes import RUNTIMES, Files, Images, Network, Scores
from pipeline.profiling.timing import repeats_within, seconds_per_call

# ONNX Runtime's threads spin for some 40 ms after their work, twice as long on a busy machine. They
# would take a processor from the runtimes that come next.
_SPIN_SECONDS = 0.1


@dataclass(frozen=True)
class Row:
    """Seconds per call of one runtime in one round."""

    threads: int
    batch_size: int
    round: int
    runtime: str
    seconds: float


@dataclass(frozen=True)
class Latencies:
    """What was measured of some runtimes with one number of threads; mappings are by runtime.

    Attributes:
        rows: of all batch sizes, rounds and runtimes.
        test_accuracy: in percent.
        confusion: (classes, classes) counts on the test set, rows the actual class.
        file_bytes: the size of the network's file.
    """

    rows: list[Row]
    test_accuracy: dict[str, float]
    confusion: dict[str, list[list[int]]]
    file_bytes: dict[str, int]


def measure_latency(
    params: InferenceParams, files: Files, runtimes: list[str], threads: int
) -> Latencies:
    """Time `runtimes` in this process, round after round.

    Raises:
        PipelineError: missing data or a damaged model.
    """
    test = dataset.load_test()
    networks = {name: RUNTIMES[name].build(files, threads) for name in runtimes}
    confusion = {
        name: _confusion(network, test.images, test.labels) for name, network in networks.items()
    }
    return Latencies(
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
            seconds=_seconds(call, repeats[name]),
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
    return repeats_within(call, seconds)


def _seconds(call: Callable[[], Any], repeats: int) -> float:
    time.sleep(_SPIN_SECONDS)
    # Another runtime has used the caches since.
    call()
    return seconds_per_call(call, repeats)
