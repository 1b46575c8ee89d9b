"""Kernels against torch's float32 product of the same shape, interleaved in one run."""

import importlib.util
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import binary_kernels as kernels
import numpy as np
import pandas as pd

from pipeline.progress import progress
from pipeline.ratios import paired_ratio

# M, N, K: a large batch through mlp-1024's first layer, a square, a small batch, one vector.
SHAPES = ((5000, 1024, 784), (2048, 2048, 2048), (128, 1024, 784), (1, 4096, 4096))
# A timed call is repeated until it takes this long, so that the clock does not matter.
SECONDS = 0.05


def benchmark(threads: int, rounds: int) -> pd.DataFrame:
    """Time every kernel and shape, in turn, round after round.

    Returns:
        A row a shape and kernel: m, n, k, kernel, microseconds (median), gops (2MNK
        operations, 10^9 a second), and how many times faster than torch (ratio), with lower
        and upper (95 % interval from 6 rounds on). Bits by bits takes both operands packed;
        4-bit by bits makes its tables within the time.
    """
    rows = []
    with progress("benchmark", len(SHAPES) * rounds) as advance:
        for shape in SHAPES:
            calls = _calls(*shape, threads)
            repeats = {name: _repeats(call) for name, call in calls.items()}
            seconds: dict[str, list[float]] = {name: [] for name in calls}
            for _ in range(rounds):
                for name, call in calls.items():
                    seconds[name].append(_time(call, repeats[name]))
                advance(f"{shape[0]} x {shape[1]} x {shape[2]}")
            rows += _rows(shape, {name: np.array(values) for name, values in seconds.items()})
    return pd.DataFrame(rows)


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
        "torch float32": lambda: torch.mm(x, w.T, out=product),
        **_peers(a, kernels.pack_rows(w.numpy()), threads),
        "bits by bits": lambda: kernels.bits_by_bits(a, b, k, sums, threads=threads),
        "4-bit by bits": lambda: kernels.gradients_by_bits(
            gradients, b, k, 7, sums, threads=threads
        ),
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

    return {"numkong bits by bits": call}


def _time(call: Callable[[], object], repeats: int) -> float:
    started = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - started) / repeats


def _repeats(call: Callable[[], object]) -> int:
    call()
    return max(1, round(SECONDS / _time(call, 3)))


def _rows(shape: tuple[int, int, int], seconds: dict[str, np.ndarray]) -> list[dict[str, object]]:
    m, n, k = shape
    rows = []
    for name, values in seconds.items():
        ratio = paired_ratio(seconds["torch float32"], values)
        median = float(np.median(values))
        rows.append(
            {
                "m": m,
                "n": n,
                "k": k,
                "kernel": name,
                "microseconds": 1e6 * median,
                "gops": 2e-9 * m * n * k / median,
                "ratio": ratio.value,
                "lower": ratio.lower,
                "upper": ratio.upper,
            }
        )
    return rows
