"""Products against plain NumPy, on random shapes, in every instruction set."""

from typing import Any

import binary_kernels as kernels
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle import (
    every_set,
    from_panels,
    in_panels,
    nibbles,
    pack,
    random_bits,
    signs,
)

SIZES = st.integers(1, 70)
ELEMENTS = st.integers(1, 700)
# More than one pass takes: the kernels add what each pass over the elements makes. Passes end at
# 992, 1024, 1152, 1536, 1568 or 2048 elements, by kernel and instruction set.
MANY_ELEMENTS = st.integers(990, 3200)
# So many outputs that AVX-512 takes pixels in groups of six.
MANY_OUTPUTS = st.integers(353, 500)
SEEDS = st.integers(0, 2**32 - 1)
THREADS = st.integers(1, 4)
NUMBERS = st.sampled_from([np.int16, np.int32])
# Both layouts of a result: panels first, or rows first.
LAYOUTS = st.booleans()


def output(m: int, n: int, number: Any, panels_first: bool) -> np.ndarray:
    """Return memory for a product, full of what must not remain."""
    panels = -(-n // 32)
    return np.full((panels, m, 32) if panels_first else (m, 32 * panels), -999, number)


def result(out: np.ndarray, n: int) -> np.ndarray:
    return from_panels(out, n) if out.ndim == 3 else out[:, :n]


def sparse_pixels(generator: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """Return pixels of which none, some or nearly all are 0: the kernels leave zeros out."""
    pixels = generator.integers(0, 16, (rows, columns), dtype=np.uint8)
    pixels[generator.random((rows, columns)) < generator.choice([0.0, 0.5, 0.95])] = 0
    return pixels


@every_set
@given(m=SIZES, n=SIZES, k=ELEMENTS, seed=SEEDS, threads=THREADS, number=NUMBERS, first=LAYOUTS)
@settings(max_examples=150)
def test_bits_by_bits(
    which: str, m: int, n: int, k: int, seed: int, threads: int, number: Any, first: bool
) -> None:
    a, b = random_bits(seed, m, k), random_bits(seed + 1, n, k)
    out = output(m, n, number, first)
    kernels.bits_by_bits(pack(a), in_panels(b), k, out, threads=threads, instruction_set=which)
    np.testing.assert_array_equal(result(out, n), signs(a) @ signs(b).T)


@every_set
@given(
    m=SIZES,
    n=SIZES | MANY_OUTPUTS,
    k=ELEMENTS,
    seed=SEEDS,
    threads=THREADS,
    number=NUMBERS,
    all_rows=...,
)
@settings(max_examples=150)
def test_pixels_by_bits(
    which: str, m: int, n: int, k: int, seed: int, threads: int, number: Any, all_rows: bool
) -> None:
    generator = np.random.default_rng(seed)
    x = sparse_pixels(generator, m, k)
    index = np.arange(m) if all_rows else generator.integers(0, m, m)
    b, out = random_bits(seed + 1, n, k), output(m, n, number, True)
    kernels.pixels_by_bits(
        nibbles(x),
        in_panels(b),
        k,
        out,
        None if all_rows else index,
        threads=threads,
        instruction_set=which,
    )
    np.testing.assert_array_equal(from_panels(out, n), x[index].astype(np.int64) @ signs(b).T)


@every_set
@given(
    m=SIZES,
    n=SIZES,
    k=ELEMENTS,
    max_value=st.sampled_from([1, 7, 8, 112]),
    seed=SEEDS,
    threads=THREADS,
    first=LAYOUTS,
)
@settings(max_examples=150)
def test_gradients_by_bits(
    which: str, m: int, n: int, k: int, max_value: int, seed: int, threads: int, first: bool
) -> None:
    generator = np.random.default_rng(seed)
    a = generator.integers(-max_value, max_value + 1, (m, k + seed % 5)).astype(np.int8)
    b, out = random_bits(seed + 1, n, k), output(m, n, np.int32, first)
    kernels.gradients_by_bits(
        a, in_panels(b), k, max_value, out, threads=threads, instruction_set=which
    )
    np.testing.assert_array_equal(result(out, n), a[:, :k].astype(np.int64) @ signs(b).T)


@every_set
@given(
    n=SIZES,
    pixels=st.integers(1, 100),
    batch=st.integers(1, 600),
    max_value=st.sampled_from([1, 7, 112, 127]),
    seed=SEEDS,
    threads=THREADS,
    number=NUMBERS,
)
@settings(max_examples=150)
def test_gradients_by_pixels(
    which: str,
    n: int,
    pixels: int,
    batch: int,
    max_value: int,
    seed: int,
    threads: int,
    number: Any,
) -> None:
    # The sums of more need int32.
    batch = min(batch, 32767 // (15 * max_value)) if number is np.int16 else batch
    generator = np.random.default_rng(seed)
    a = generator.integers(-max_value, max_value + 1, (n, -(-batch // 4) * 4)).astype(np.int8)
    x = sparse_pixels(generator, batch + 3, pixels)
    index = generator.integers(0, batch + 3, batch)
    out = output(n, pixels, number, False)
    kernels.gradients_by_pixels(
        a, nibbles(x), max_value, out, index, threads=threads, instruction_set=which
    )
    expected = a[:, :batch].astype(np.int64) @ x[index].astype(np.int64)
    np.testing.assert_array_equal(out[:, :pixels], expected)


@every_set
@given(m=SIZES, n=SIZES, k=MANY_ELEMENTS, seed=SEEDS, number=NUMBERS, first=LAYOUTS)
@settings(max_examples=20)
def test_several_passes(
    which: str, m: int, n: int, k: int, seed: int, number: Any, first: bool
) -> None:
    generator = np.random.default_rng(seed)
    options = {"threads": 1 + seed % 2, "instruction_set": which}
    b = random_bits(seed + 1, n, k)
    panels = in_panels(b)
    a, x = random_bits(seed, m, k), sparse_pixels(generator, m, k)
    out = output(m, n, number, first)
    kernels.bits_by_bits(pack(a), panels, k, out, **options)
    np.testing.assert_array_equal(result(out, n), signs(a) @ signs(b).T)
    out = output(m, n, np.int32, True)
    kernels.pixels_by_bits(nibbles(x), panels, k, out, **options)
    np.testing.assert_array_equal(from_panels(out, n), x.astype(np.int64) @ signs(b).T)
    for max_value in (7, 112):
        g = generator.integers(-max_value, max_value + 1, (m, k)).astype(np.int8)
        out = output(m, n, np.int32, first)
        kernels.gradients_by_bits(g, panels, k, max_value, out, **options)
        np.testing.assert_array_equal(result(out, n), g.astype(np.int64) @ signs(b).T)


@every_set
@given(m=SIZES, n=MANY_OUTPUTS, k=MANY_ELEMENTS, seed=SEEDS, number=NUMBERS)
@settings(max_examples=10)
def test_pixels_by_bits_of_several_passes_and_many_outputs(
    which: str, m: int, n: int, k: int, seed: int, number: Any
) -> None:
    x = sparse_pixels(np.random.default_rng(seed), m, k)
    b = random_bits(seed + 1, n, k)
    # The sums of more elements need int32.
    k_narrow = min(k, 2184) if number is np.int16 else k
    out = output(m, n, number, True)
    kernels.pixels_by_bits(
        nibbles(x), in_panels(b[:, :k_narrow]), k_narrow, out, instruction_set=which
    )
    expected = x[:, :k_narrow].astype(np.int64) @ signs(b[:, :k_narrow]).T
    np.testing.assert_array_equal(from_panels(out, n), expected)


@every_set
@given(n=SIZES, pixels=SIZES, batch=st.integers(512, 5100), seed=SEEDS)
@settings(max_examples=20)
def test_gradients_by_pixels_of_several_passes(
    which: str, n: int, pixels: int, batch: int, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    x = sparse_pixels(generator, batch, pixels)
    for max_value in (7, 127):
        a = generator.integers(-max_value, max_value + 1, (n, -(-batch // 4) * 4)).astype(np.int8)
        out = output(n, pixels, np.int32, False)
        kernels.gradients_by_pixels(
            a, nibbles(x), max_value, out, threads=1 + seed % 2, instruction_set=which
        )
        expected = a[:, :batch].astype(np.int64) @ x.astype(np.int64)
        np.testing.assert_array_equal(out[:, :pixels], expected)


@every_set
@given(m=SIZES, n=SIZES, k=st.integers(1, 200), seed=SEEDS, threads=THREADS, first=LAYOUTS)
def test_floats(which: str, m: int, n: int, k: int, seed: int, threads: int, first: bool) -> None:
    """The terms of a sum are added in order, in float32."""
    generator = np.random.default_rng(seed)
    a = generator.normal(size=(m, k + 1)).astype(np.float32)
    b = random_bits(seed + 1, k, n)
    x = generator.integers(0, 16, (k, n), dtype=np.uint8)
    for other, factor in ((pack(b), signs(b)), (nibbles(x), x)):
        expected = np.zeros((m, n), np.float32)
        for i in range(k):
            expected += a[:, i : i + 1] * factor[i].astype(np.float32)
        out = output(m, n, np.float32, first)
        if factor is x:
            kernels.floats_by_pixels(a, other, out, threads=threads, instruction_set=which)
        else:
            kernels.floats_by_bits(a, other, k, out, threads=threads, instruction_set=which)
        np.testing.assert_array_equal(result(out, n), expected)


@every_set
@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("rows", [1, 5])
def test_the_longest_sums_do_not_overflow(which: str, sign: int, rows: int) -> None:
    """All terms alike, over more elements than one pass of 16-bit counts holds."""
    k = 70_001
    b = np.ones((3, k), np.uint8)
    panels = in_panels(b)
    out = output(rows, 3, np.int32, True)
    bits = np.full((rows, k), sign == 1, np.uint8)
    kernels.bits_by_bits(pack(bits), panels, k, out, instruction_set=which)
    np.testing.assert_array_equal(from_panels(out, 3), k * sign)
    for max_value in (7, 112):
        a = np.full((rows, k), sign * max_value, np.int8)
        kernels.gradients_by_bits(a, panels, k, max_value, out, instruction_set=which)
        np.testing.assert_array_equal(from_panels(out, 3), sign * max_value * k)
    pixels = nibbles(np.full((rows, k), 15))
    negated = in_panels(b if sign == 1 else 1 - b)
    kernels.pixels_by_bits(pixels, negated, k, out, instruction_set=which)
    np.testing.assert_array_equal(from_panels(out, 3), sign * 15 * k)
    many = np.repeat(negated[:, :, :1], 32, axis=2).repeat(12, axis=0)
    wide = output(rows, 384, np.int32, True)
    kernels.pixels_by_bits(pixels, many, k, wide, instruction_set=which)
    np.testing.assert_array_equal(from_panels(wide, 384), sign * 15 * k)
    batch = 20_000
    a = np.full((rows, batch), sign * 127, np.int8)
    out = output(rows, 32, np.int32, False)
    white = nibbles(np.full((batch, 32), 15))
    kernels.gradients_by_pixels(a, white, 127, out, instruction_set=which)
    np.testing.assert_array_equal(out, sign * 127 * 15 * batch)


BITS = pack(random_bits(1, 4, 20))
PANELS = in_panels(random_bits(2, 6, 20))
OUT = np.zeros((1, 4, 32), np.int32)
PIXELS = nibbles(np.ones((4, 20), np.uint8))
# 15 x 7 times their number is just more than int16 holds.
MANY_PIXELS = nibbles(np.ones((313, 20), np.uint8))
GRADIENTS = np.zeros((4, 20), np.int8)
FLOATS = np.zeros((4, 20), np.float32)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: kernels.pack_rows([1.0]), TypeError, "x must be a NumPy array"),
        (lambda: kernels.pack_rows(np.ones((2, 2))), TypeError, "x must be of type float32"),
        (lambda: kernels.pack_rows(np.ones(2, np.float32)), ValueError, "x must have 2 axes"),
        (
            lambda: kernels.pack_rows(np.ones((4, 4), np.float32)[:, ::2]),
            ValueError,
            "x must be C-contiguous",
        ),
        (
            lambda: kernels.pack_rows(np.empty((0, 4), np.float32)),
            ValueError,
            "x must not be empty",
        ),
        (
            lambda: kernels.pack_rows(
                np.frombuffer(bytes(17), np.uint8)[1:].view(np.float32).reshape(2, 2)
            ),
            ValueError,
            "x must be aligned",
        ),
        (lambda: kernels.transpose(BITS, 25, PANELS), ValueError, "columns does not fit"),
        (
            lambda: kernels.bits_by_bits(BITS, PANELS[..., :16].copy(), 20, OUT),
            ValueError,
            "b must have 32 elements on axis 2",
        ),
        (
            lambda: kernels.bits_by_bits(BITS, PANELS, 20, np.zeros((2, 4, 32), np.int32)),
            ValueError,
            "b must have 2 elements on axis 0",
        ),
        (lambda: kernels.bits_by_bits(BITS, PANELS, 25, OUT), ValueError, "a must have 4"),
        (lambda: kernels.bits_by_bits(BITS, PANELS, 2**31, OUT), ValueError, "elements must be"),
        (
            lambda: kernels.bits_by_bits(
                np.zeros((4, 4096), np.uint8), PANELS, 2**15, OUT.astype(np.int16)
            ),
            ValueError,
            "out must be of type int32",
        ),
        (
            lambda: kernels.bits_by_bits(BITS, PANELS, 20, OUT.astype(np.float32)),
            TypeError,
            "out must be of type int16 or int32",
        ),
        (
            lambda: kernels.bits_by_bits(BITS, PANELS, 20, np.zeros((4, 33), np.int32)),
            ValueError,
            "out must have a multiple of 32",
        ),
        (
            lambda: kernels.bits_by_bits(
                BITS, PANELS, 20, np.frombuffer(bytes(512), np.int32).reshape(1, 4, 32)
            ),
            ValueError,
            "out must be writable",
        ),
        (
            lambda: kernels.pixels_by_bits(PIXELS, PANELS, 20, OUT, np.array([0, 1, 2, 4])),
            ValueError,
            "index must name rows of x",
        ),
        (
            lambda: kernels.pixels_by_bits(PIXELS, PANELS, 20, OUT, np.array([0, 1, 2, -1])),
            ValueError,
            "index must name rows of x",
        ),
        (
            lambda: kernels.pixels_by_bits(PIXELS[:2].copy(), PANELS, 20, OUT),
            ValueError,
            "out must have a row",
        ),
        (
            lambda: kernels.pixels_by_bits(PIXELS[:, :8].copy(), PANELS, 20, OUT),
            ValueError,
            "x must have a byte for 2 elements",
        ),
        (
            lambda: kernels.gradients_by_bits(GRADIENTS, PANELS, 20, 113, OUT),
            ValueError,
            "max must be in 1..112",
        ),
        (
            lambda: kernels.gradients_by_bits(GRADIENTS, PANELS, 21, 7, OUT),
            ValueError,
            "a must have the elements",
        ),
        (
            lambda: kernels.gradients_by_pixels(
                np.zeros((2, 3), np.int8), PIXELS, 7, np.zeros((2, 32), np.int32)
            ),
            ValueError,
            "a must have the rows of x, padded",
        ),
        (
            lambda: kernels.gradients_by_pixels(
                np.zeros((2, 4), np.int8), PIXELS, 7, np.zeros((2, 64), np.int32)
            ),
            ValueError,
            "x must have 16 bytes",
        ),
        (
            lambda: kernels.gradients_by_pixels(
                np.zeros((2, 316), np.int8), MANY_PIXELS, 7, np.zeros((2, 32), np.int16)
            ),
            ValueError,
            "out must be of type int32",
        ),
        (
            lambda: kernels.floats_by_bits(FLOATS, BITS, 5, np.zeros((4, 32), np.float32)),
            ValueError,
            "elements must be in 1..4",
        ),
        (
            lambda: kernels.floats_by_bits(FLOATS, BITS, 4, OUT),
            TypeError,
            "out must be of type float32",
        ),
        (
            lambda: kernels.pack_rows(np.ones((1, 1), np.float32), threads=0),
            ValueError,
            "threads must be",
        ),
        (lambda: kernels.instruction_set("sse9"), ValueError, "unknown instruction set 'sse9'"),
    ],
)
def test_a_wrong_argument_is_named(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
