"""Kernels against torch's float32 product of the same shape, interleaved in one run."""

import importlib.util
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import binary_kernels as kernels
import numpy as np

from pipeline.artifacts.environment import write_environment
from pipeline.artifacts.kernels import KERNELS_FILE, KernelSeconds
from pipeline.artifacts.tables import write_table
from pipeline.common.atomic import atomic_directory
from pipeline.common.console import echo, progress
from pipeline.common.machine import describe_machine
from pipeline.config.names import BITS, GRADIENTS, NUMKONG, TORCH
from pipeline.config.params import Params
from pipeline.config.paths import BENCHMARK
from pipeline.profiling.timing import repeats_within, seconds_per_call

# M, N, K: a large batch through mlp-1024's first layer, a square, a small batch, one vector.
SHAPES = ((5000, 1024, 784), (2048, 2048, 2048), (128, 1024, 784), (1, 4096, 4096))
# A timed call is repeated until it takes this long, so that the clock does not matter.
SECONDS = 0.05


def benchmark(params: Params) -> None:
    """Time every kernel and shape, in turn, round after round; write profiles/benchmark/.

    kernels.csv has a row per shape, round and kernel; environment.json describes the machine. Bits
    by bits takes both operands packed; 4-bit by bits makes its tables within the time.

    Raises:
        PipelineError: the folder cannot be written.
    """
    started = time.monotonic()
    rows = []
    with progress("benchmark", len(SHAPES) * params.benchmark.rounds) as advance:
        for m, n, k in SHAPES:
            calls = _calls(m, n, k, params.train.threads)
            repeats = {name: repeats_within(call, SECONDS) for name, call in calls.items()}
            for number in range(1, params.benchmark.rounds + 1):
                for name, call in calls.items():
                    row = {"m": m, "n": n, "k": k, "round": number, "kernel": name}
                    rows.append({**row, "seconds": seconds_per_call(call, repeats[name])})
                advance(f"{m} x {n} x {k}")
    with atomic_directory(BENCHMARK) as temporary:
        write_table(temporary / KERNELS_FILE.name, KernelSeconds, rows)
        write_environment(temporary, describe_machine(params.train.threads, started))
    echo(f"{BENCHMARK}/ written")


def _calls(m: int, n: int, k: int, threads: int) -> dict[str, Callable[[], object]]:
    import torch

    torch.set_num_threads(threads)
    generator = np.random.default_rng(0)
    x, w = (torch.from_numpy(generator.normal(size=s).astype(np.float32)) for s in ((m, k), (n, k)))
    a, b = kernels.pack_rows(x.numpy()), kernels.interleave(kernels.pack_rows(w.numpy()))
    gradients = generator.integers(-7, 8, (m, k), dtype=np.int8)
    # Both sides write where they wrote before, as in training.
    product = torch.empty(m, n)
    sums = np.empty((len(b), m, 32), np.int16)
    return {
        TORCH: lambda: torch.mm(x, w.T, out=product),
        **_peers(a, kernels.pack_rows(w.numpy()), threads),
        BITS: lambda: kernels.bits_by_bits(a, b, k, sums, threads=threads),
        GRADIENTS: lambda: kernels.gradients_by_bits(gradients, b, k, 7, sums, threads=threads),
    }


def _peers(a: np.ndarray, b: np.ndarray, threads: int) -> dict[str, Callable[[], object]]:
    """Return what else multiplies packed rows a and b, if installed: pip install '.[peers]'."""
    if importlib.util.find_spec("numkong") is None:
        return {}
    import numkong

    # It runs on one thread, with the best instructions of the processor, and lets go of the
    # interpreter's lock: rows are divided, or for a single row what it is multiplied with.
    count = min(threads, max(len(a), len(b)))
    by_rows = len(a) >= count
    lefts = np.array_split(a, count) if by_rows else [a] * count
    rights = [b] * count if by_rows else np.array_split(b, count)
    packed = [numkong.hammings_pack(np.ascontiguousarray(right)) for right in rights]
    outs = [
        numkong.zeros((len(left), len(right)), dtype="uint32")
        for left, right in zip(lefts, rights, strict=True)
    ]
    jobs = list(zip(lefts, packed, outs, strict=True))
    pool = ThreadPoolExecutor(count)

    def multiply(left: Any, right: Any, out: Any) -> None:
        numkong.hammings_packed(left, right, out=out)

    def call() -> None:
        others = [pool.submit(multiply, *job) for job in jobs[1:]]
        multiply(*jobs[0])
        for other in others:
            other.result()

    return {NUMKONG: call}
