"""Every kernel, with work enough that several threads are started, gives what one thread gives.

The oracles' tests take small shapes, for which one thread is enough, whatever is asked for: see
kernels/parallel.hpp.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import binary_kernels as kernels
import numpy as np
import pytest

from tests.oracle import every_set, in_panels, nibbles, pack, random_bits

ROWS, COLUMNS, ELEMENTS = 701, 333, 1100
PANELS = -(-COLUMNS // 32)
PADDED = 32 * PANELS
DRAW = (1, 2, 3)
F4 = np.float32

Options = dict[str, Any]
GENERATOR = np.random.default_rng(0)
ROW_BITS, COLUMN_BITS = random_bits(1, ROWS, ELEMENTS), random_bits(2, COLUMNS, ELEMENTS)
INTEGERS = GENERATOR.integers(-7, 8, (ROWS, ELEMENTS)).astype(np.int8)
PIXELS = nibbles(GENERATOR.integers(0, 16, (ROWS, ELEMENTS), dtype=np.uint8))
SUMS = GENERATOR.integers(-900, 900, (PANELS, ROWS, 32)).astype(np.int16)
FLOATS = GENERATOR.normal(size=(PANELS, ROWS, 32)).astype(F4)
PARAMETERS = GENERATOR.normal(size=(PANELS, 2, 32)).astype(F4)
GRADIENT = GENERATOR.normal(size=(ROWS, PADDED)).astype(F4)
COLUMN_GRADIENTS = GENERATOR.integers(-7, 8, (PADDED, ROWS)).astype(np.int8)
LATENT = GENERATOR.integers(-32767, 32768, (ROWS, PADDED)).astype(np.int16)
BATCH = np.empty((PANELS, 5, 32), F4)
kernels.batch_statistics(SUMS, PARAMETERS, 1e-5, BATCH)


def product(kernel: Callable[..., None], *arguments: Any, number: Any = np.int32) -> Any:
    def run(**options: Any) -> tuple[np.ndarray, ...]:
        out = np.empty((PANELS, ROWS, 32), number)
        kernel(*arguments, out, **options)
        # Past the last output there may be anything.
        return (out.transpose(1, 0, 2).reshape(ROWS, -1)[:, :COLUMNS],)

    return run


def pixel_gradient(**options: Any) -> tuple[np.ndarray, ...]:
    padded = np.zeros((PADDED, -(-ROWS // 4) * 4), np.int8)
    padded[:, :ROWS] = COLUMN_GRADIENTS
    out = np.empty((PADDED, PIXELS.shape[1] * 2), np.int32)
    kernels.gradients_by_pixels(padded, PIXELS, 7, out, **options)
    return (out,)


def exact_pixel_gradient(**options: Any) -> tuple[np.ndarray, ...]:
    out = np.empty((PADDED, PIXELS.shape[1] * 2), F4)
    kernels.floats_by_pixels(COLUMN_GRADIENTS.astype(F4), PIXELS, out, **options)
    return (out,)


def transpose(**options: Any) -> tuple[np.ndarray, ...]:
    out = np.empty((-(-ELEMENTS // 32), -(-ROWS // 8), 32), np.uint8)
    kernels.transpose(pack(ROW_BITS), ELEMENTS, out, **options)
    return (out,)


def statistics(**options: Any) -> tuple[np.ndarray, ...]:
    batch = np.empty_like(BATCH)
    kernels.batch_statistics(SUMS, PARAMETERS, 1e-5, batch, **options)
    return (batch,)


def binarize(draw: Any) -> Any:
    def run(**options: Any) -> tuple[np.ndarray, ...]:
        out = np.empty((ROWS, -(-COLUMNS // 8)), np.uint8)
        kernels.binarize(SUMS, BATCH, COLUMNS, out, 0, draw, **options)
        return (out,)

    return run


def normalize_backward(**options: Any) -> tuple[np.ndarray, ...]:
    out, of_parameters = np.empty_like(FLOATS), np.empty_like(PARAMETERS)
    kernels.normalize_backward(SUMS, BATCH, FLOATS, None, True, out, of_parameters, **options)
    return out, of_parameters


def round_columns(**options: Any) -> tuple[np.ndarray, ...]:
    out, factors = np.empty((COLUMNS, -(-ROWS // 32) * 32), np.int8), np.empty(PADDED, F4)
    kernels.round_columns(FLOATS, COLUMNS, 7, out, factors, DRAW, **options)
    return out, factors[:COLUMNS]


def round_rows(**options: Any) -> tuple[np.ndarray, ...]:
    out, factors = np.empty((ROWS, PADDED), np.int8), np.empty(ROWS, F4)
    kernels.round_rows(FLOATS, COLUMNS, 7, out, factors, DRAW, **options)
    return out, factors


def softmax_gradient(**options: Any) -> tuple[np.ndarray, ...]:
    out, labels = np.empty_like(FLOATS), (np.arange(ROWS) % 100).astype(np.uint8)
    kernels.softmax_gradient(SUMS, BATCH, labels, COLUMNS, out, **options)
    return (out,)


def adam(**options: Any) -> tuple[np.ndarray, ...]:
    state = (LATENT / F4(32767)).astype(F4), np.zeros(LATENT.shape, F4), np.zeros(LATENT.shape, F4)
    rates = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "step_size": 0.1, "correction": 2.0}
    kernels.adam(*state, GRADIENT, None, **rates, limit=1.0, **options)
    return state


def rowprop(bits: int, real: bool) -> Any:
    def run(**options: Any) -> tuple[np.ndarray, ...]:
        latent = (LATENT >> 8).astype(np.int8) if bits == 8 else LATENT.copy()
        mean_square = np.ones(ROWS, F4)
        gradient = GRADIENT if real else (GRADIENT * 100).astype(np.int32)
        factors = np.linspace(0.001, 1, ROWS, dtype=F4)
        rates = {"rate": 0.01, "correction": 0.5, "beta": 0.9}
        kernels.rowprop(
            latent, mean_square, gradient, factors, COLUMNS, **rates, draw=DRAW, **options
        )
        return latent, mean_square

    return run


def bop(**options: Any) -> tuple[np.ndarray, ...]:
    bits, m = pack(random_bits(3, ROWS, COLUMNS)), np.zeros((ROWS, PADDED), F4)
    kernels.bop(bits, m, GRADIENT, None, COLUMNS, adaptivity=0.5, threshold=0.1, **options)
    return bits, m


CASES: dict[str, Callable[..., tuple[np.ndarray, ...]]] = {
    "bits_by_bits": product(
        kernels.bits_by_bits, pack(ROW_BITS), in_panels(COLUMN_BITS), ELEMENTS, number=np.int16
    ),
    "gradients_by_bits": product(
        kernels.gradients_by_bits, INTEGERS, in_panels(COLUMN_BITS), ELEMENTS, 7
    ),
    "pixels_by_bits": product(kernels.pixels_by_bits, PIXELS, in_panels(COLUMN_BITS), ELEMENTS),
    "floats_by_bits": product(
        kernels.floats_by_bits,
        INTEGERS.astype(F4),
        pack(random_bits(4, ELEMENTS, COLUMNS)),
        ELEMENTS,
        number=F4,
    ),
    "gradients_by_pixels": pixel_gradient,
    "floats_by_pixels": exact_pixel_gradient,
    "pack_rows": lambda **options: (kernels.pack_rows(GRADIENT, **options),),
    "pack_latent": lambda **options: (
        kernels.pack_latent(LATENT, COLUMNS, noise=0.5, draw=DRAW, **options),
    ),
    "interleave": lambda **options: (kernels.interleave(pack(ROW_BITS), **options),),
    "transpose": transpose,
    "batch_statistics": statistics,
    "binarize": binarize(None),
    "binarize with noise": binarize(DRAW),
    "normalize_backward": normalize_backward,
    "round_columns": round_columns,
    "round_rows": round_rows,
    "softmax_gradient": softmax_gradient,
    "adam": adam,
    "rowprop in 8 bits": rowprop(8, real=True),
    "rowprop in 8 bits of integers": rowprop(8, real=False),
    "rowprop in 16 bits": rowprop(16, real=True),
    "rowprop in 16 bits of integers": rowprop(16, real=False),
    "bop": bop,
}
# It has one form for all.
WITHOUT_SETS = {"softmax_gradient"}


@every_set
@pytest.mark.parametrize("case", CASES)
def test_threads_change_nothing(which: str, case: str) -> None:
    options: Options = {} if case in WITHOUT_SETS else {"instruction_set": which}
    expected = CASES[case](threads=1, **options)
    for threads in (2, 3, 4):
        for ours, theirs in zip(CASES[case](threads=threads, **options), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_threads_of_python_each_have_their_own() -> None:
    """Many at once, each with more threads than there are processors."""
    expected = CASES["bits_by_bits"](threads=1)
    with ThreadPoolExecutor(5) as executor:
        for ours in executor.map(lambda _: CASES["bits_by_bits"](threads=7), range(50)):
            np.testing.assert_array_equal(ours, expected)
