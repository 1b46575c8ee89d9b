"""Normalization, rounding, loss and optimizers against plain NumPy, in every instruction set."""

from typing import Any

import binary_kernels as kernels
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle import (
    SETS,
    every_set,
    from_panels,
    noise,
    pack,
    philox,
    random8,
    random16,
    random_bits,
    to_panels,
)

SIZES = st.integers(1, 70)
BATCHES = st.integers(2, 200)
SEEDS = st.integers(0, 2**32 - 1)
THREADS = st.integers(1, 4)
DRAWS = st.tuples(*(st.integers(0, 2**32 - 1) for _ in range(3)))
NUMBERS = st.sampled_from([np.int16, np.int32])
GRADIENTS = st.sampled_from([np.int16, np.int32, np.float32])
EPSILON = 1e-5
F4 = np.float32


def test_philox_gives_its_authors_numbers() -> None:
    """Known answers of the authors' own implementation (Random123, tests/kat_vectors)."""
    zeros = philox(np.zeros(4, np.uint32), (0, 0))
    assert [f"{word:08x}" for word in zeros] == ["5f6fb709", "0d893f64", "4f121f81", "4f730a48"]
    ten = philox(np.zeros(4, np.uint32), (0, 0), rounds=10)
    assert [f"{word:08x}" for word in ten] == ["6627e8d5", "e169c58d", "bc57ac4c", "9b00dbd8"]


def normalize(
    s: np.ndarray, gain: np.ndarray, bias: np.ndarray, which: str, threads: int = 1
) -> np.ndarray:
    """Return `batch` of the sums s, (rows, columns)."""
    parameters = np.ascontiguousarray(np.stack([to_panels(gain), to_panels(bias)], 1)[:, :, 0])
    batch = np.empty((parameters.shape[0], 5, 32), F4)
    kernels.batch_statistics(
        to_panels(s), parameters, EPSILON, batch, threads=threads, instruction_set=which
    )
    return batch


def parameters_of(seed: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    gain, bias = generator.normal(size=(2, 1, columns)).astype(F4)
    gain[:, ::7] = 0
    return gain, bias


def sums(seed: int, rows: int, columns: int, number: Any) -> np.ndarray:
    """Sums as large as the type of a layer's sums lets them be, and a column of one value."""
    max_value = 32767 if number is np.int16 else 400_000
    s = (
        np.random.default_rng(seed)
        .integers(-max_value, max_value + 1, (rows, columns))
        .astype(number)
    )
    s[:, seed % columns] = -max_value
    return s


@every_set
@given(rows=BATCHES, columns=SIZES, seed=SEEDS, number=NUMBERS, threads=THREADS)
def test_statistics(
    which: str, rows: int, columns: int, seed: int, number: Any, threads: int
) -> None:
    s = sums(seed, rows, columns, number)
    gain, bias = parameters_of(seed, columns)
    batch = normalize(s, gain, bias, which, threads)
    mean, variance, inverse, scale, shift = (
        from_panels(np.ascontiguousarray(batch[:, i : i + 1]), columns)[0] for i in range(5)
    )
    exact = s.astype(np.float64)
    np.testing.assert_allclose(mean, exact.mean(axis=0), rtol=1e-6, atol=1e-2)
    np.testing.assert_allclose(variance, exact.var(axis=0), rtol=1e-6, atol=1e-2)
    expected = 1 / np.sqrt(exact.var(axis=0) + EPSILON)
    np.testing.assert_allclose(inverse, expected, rtol=1e-5)
    np.testing.assert_allclose(scale, gain[0] * expected, rtol=1e-5)
    np.testing.assert_allclose(
        shift, bias[0] - exact.mean(axis=0) * gain[0] * expected, rtol=1e-4, atol=1e-4
    )


@every_set
@given(rows=BATCHES, columns=SIZES, seed=SEEDS, number=NUMBERS, threads=THREADS, draw=DRAWS)
def test_binarization(
    which: str, rows: int, columns: int, seed: int, number: Any, threads: int, draw: Any
) -> None:
    s = sums(seed, rows, columns, number)
    batch = normalize(s, *parameters_of(seed, columns), which)
    scale, shift = (
        from_panels(np.ascontiguousarray(batch[:, i : i + 1]), columns)[0] for i in (3, 4)
    )
    a = s.astype(F4) * scale + shift
    out = np.full((rows, -(-columns // 8)), 255, np.uint8)
    for stochastic in (False, True):
        # The second panel by itself, as a block of features would be.
        for first, panels in ((0, slice(0, 1)), (1, slice(1, None))):
            if first < len(batch):
                kernels.binarize(
                    np.ascontiguousarray(to_panels(s)[panels]),
                    batch[panels],
                    columns,
                    out,
                    first,
                    draw if stochastic else None,
                    threads=threads,
                    instruction_set=which,
                )
        expected = a + noise(rows, columns, draw) if stochastic else a
        np.testing.assert_array_equal(out, pack(expected >= 0))


@every_set
@given(
    rows=BATCHES,
    columns=SIZES,
    seed=SEEDS,
    number=NUMBERS,
    of_gradient=GRADIENTS,
    masked=st.booleans(),
    threads=THREADS,
)
def test_the_way_back_through_normalization(
    which: str,
    rows: int,
    columns: int,
    seed: int,
    number: Any,
    of_gradient: Any,
    masked: bool,
    threads: int,
) -> None:
    generator = np.random.default_rng(seed)
    s = generator.integers(-500, 500, (rows, columns)).astype(number)
    gain, bias = parameters_of(seed, columns)
    batch = normalize(s, gain, bias, which)
    g = generator.integers(-300, 300, (rows, columns)).astype(of_gradient)
    factor = generator.uniform(0.5, 2, rows).astype(F4)
    out = np.empty((len(batch), rows, 32), F4)
    of_parameters = np.empty((len(batch), 2, 32), F4)
    kernels.normalize_backward(
        to_panels(s),
        batch,
        to_panels(g),
        factor,
        masked,
        out,
        of_parameters,
        threads=threads,
        instruction_set=which,
    )
    mean, _, inverse, scale, shift = (
        from_panels(np.ascontiguousarray(batch[:, i : i + 1]), columns)[0] for i in range(5)
    )
    a = s.astype(F4) * scale + shift
    x = (s.astype(np.float64) - mean) * inverse
    passed = g * factor[:, None].astype(np.float64) * ((np.abs(a) <= 1) | (not masked))
    expected = scale * (passed - passed.mean(axis=0) - x * (passed * x).mean(axis=0))
    tolerance = {"rtol": 1e-4, "atol": 1e-4 * (1 + np.abs(passed).max())}
    of_gain, of_bias = (
        from_panels(np.ascontiguousarray(of_parameters[:, i : i + 1]), columns)[0] for i in range(2)
    )
    np.testing.assert_allclose(of_gain, (passed * x).sum(axis=0), **tolerance)
    np.testing.assert_allclose(of_bias, passed.sum(axis=0), **tolerance)
    scaled = {"rtol": 1e-4, "atol": 1e-4 * (1 + np.abs(passed).max()) * np.abs(scale).max()}
    np.testing.assert_allclose(from_panels(out, columns), expected, **scaled)


def rounded(g: np.ndarray, factor: np.ndarray, random: np.ndarray) -> np.ndarray:
    """Round g / factor with 16 random bits, as kernels/rounding.hpp says."""
    with np.errstate(divide="ignore", over="ignore"):
        units = np.where(factor >= F4(2.0**-111), F4(65536) / factor, F4(0)).astype(F4)
    integers: np.ndarray = (np.trunc(g * units).astype(np.int64) + random) >> 16
    return integers


@every_set
@given(
    rows=BATCHES,
    columns=SIZES,
    seed=SEEDS,
    max_value=st.sampled_from([1, 7, 112]),
    # From 2^-111 down, a factor has no reciprocal; from 2^-126 down, it is not a normal number.
    smallest=st.sampled_from([1e-26, 1e-31, 1e-33, 1e-38, 1e-42]),
    draw=DRAWS,
    threads=THREADS,
)
def test_stochastic_rounding(
    which: str,
    rows: int,
    columns: int,
    seed: int,
    max_value: int,
    smallest: float,
    draw: Any,
    threads: int,
) -> None:
    g = np.random.default_rng(seed).normal(size=(rows, columns)).astype(F4)
    g[:, seed % columns] = 0
    g[seed % rows] *= F4(smallest)
    random = random16(rows, columns, draw)
    options = {"threads": threads, "instruction_set": which}

    padded = -(-rows // 32) * 32
    out, factors = np.empty((columns, padded), np.int8), np.empty(-(-columns // 32) * 32, F4)
    kernels.round_columns(to_panels(g), columns, max_value, out, factors, draw, **options)
    expected = np.abs(g).max(axis=0) / F4(max_value)
    np.testing.assert_array_equal(factors[:columns], expected)
    np.testing.assert_array_equal(out[:, :rows], rounded(g, expected, random).T)
    assert not out[:, rows:].any()
    assert np.abs(out.astype(int)).max() <= max_value

    out, factors = np.empty((rows, -(-columns // 32) * 32), np.int8), np.empty(rows, F4)
    kernels.round_rows(to_panels(g), columns, max_value, out, factors, draw, **options)
    expected = np.abs(g).max(axis=1) / F4(max_value)
    np.testing.assert_array_equal(factors, expected)
    np.testing.assert_array_equal(out[:, :columns], rounded(g, expected[:, None], random))
    assert not out[:, columns:].any()


@every_set
def test_what_is_no_number_rounds_to_0(which: str) -> None:
    g = np.ones((4, 64), F4)
    g[1, [0, 33]] = np.nan
    g[2, [1, 34]] = [np.inf, -np.inf]
    g[3, 2] = np.finfo(F4).max
    finite = np.isfinite(g)
    options = {"instruction_set": which}
    out, factors = np.empty((64, 32), np.int8), np.empty(64, F4)
    with np.errstate(all="ignore"):
        kernels.round_columns(to_panels(g), 64, 7, out, factors, (1, 2, 3), **options)
    columns = out[:, :4].T
    assert not columns[~finite].any()
    # Beside an infinite gradient, all of its column is 0; beside one that is no number, nothing is.
    assert not columns[:, [1, 34]].any()
    assert (columns[:, [0, 33]][finite[:, [0, 33]]] == 7).all()
    assert np.isinf(factors[[1, 34]]).all()
    out, factors = np.empty((4, 64), np.int8), np.empty(4, F4)
    kernels.round_rows(to_panels(g), 64, 7, out, factors, (1, 2, 3), **options)
    assert not out[~finite].any()
    assert not out[2].any()
    assert out[0].tolist() == [7] * 64
    assert out[3].tolist() == [0, 0, 7] + [0] * 61


def test_stochastic_rounding_is_unbiased() -> None:
    g = np.tile(np.linspace(-1, 1, 32, dtype=F4), (4096, 1))
    total = np.zeros(32)
    for step in range(8):
        out, factors = np.empty((32, 4096), np.int8), np.empty(32, F4)
        # One factor for all columns, as if the largest were in each.
        whole = g.copy()
        whole[0] = 1
        kernels.round_columns(whole[None], 32, 7, out, factors, (1, 2, step))
        total += (out[:, 1:] * factors[:, None].astype(np.float64)).mean(axis=1) / 8
    # The standard error is at most 1 / (2 * 7 * sqrt(8 * 4095)) = 0.0004.
    np.testing.assert_allclose(total, g[0], atol=0.002)


@every_set
@given(rows=SIZES, columns=st.integers(1, 100), seed=SEEDS, draw=DRAWS, threads=THREADS)
def test_latent_weights_are_packed(
    which: str, rows: int, columns: int, seed: int, draw: Any, threads: int
) -> None:
    generator = np.random.default_rng(seed)
    latent = np.zeros((rows, -(-columns // 32) * 32), np.int16)
    latent[:, :columns] = generator.integers(-32767, 32768, (rows, columns))
    latent[0, 0] = 0
    options = {"threads": threads, "instruction_set": which}
    octets = (latent >> 8).astype(np.int8)
    for values, weights in (
        (latent, latent * (F4(1) / F4(32767))),
        (latent / F4(32767), latent / F4(32767)),
        (octets, octets * (F4(1) / F4(127))),
    ):
        bits = kernels.pack_latent(values, columns, **options)
        np.testing.assert_array_equal(bits, pack(values[:, :columns] >= 0))
        amplitude = F4(generator.uniform())
        bits = kernels.pack_latent(values, columns, noise=amplitude, draw=draw, **options)
        expected = weights[:, :columns] + amplitude * noise(rows, columns, draw)
        np.testing.assert_array_equal(bits, pack(expected >= 0))


@given(
    rows=BATCHES,
    classes=SIZES,
    seed=SEEDS,
    smoothing=st.sampled_from([0.0, 0.1, 0.9]),
    threads=THREADS,
)
def test_softmax_gradient(
    rows: int, classes: int, seed: int, smoothing: float, threads: int
) -> None:
    generator = np.random.default_rng(seed)
    s = generator.integers(-1024, 1025, (rows, classes)).astype(np.int16)
    batch = normalize(s, *parameters_of(seed, classes), "scalar")
    labels = generator.integers(0, classes, rows, dtype=np.uint8)
    out = np.empty((len(batch), rows, 32), F4)
    kernels.softmax_gradient(
        to_panels(s), batch, labels, classes, out, smoothing=smoothing, threads=threads
    )
    scale, shift = (
        from_panels(np.ascontiguousarray(batch[:, i : i + 1]), classes)[0] for i in (3, 4)
    )
    # In float32: a column of almost equal sums has a large scale, and its scores cancel.
    scores = (s.astype(F4) * scale + shift).astype(np.float64)
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    target = (1 - smoothing) * np.eye(classes)[labels] + smoothing / classes
    expected = (e / e.sum(axis=1, keepdims=True) - target) / rows
    np.testing.assert_allclose(from_panels(out, classes), expected, rtol=1e-5, atol=1e-6 / rows)
    assert not from_panels(out, 32 * len(batch))[:, classes:].any()


def test_the_exponential_over_its_whole_range() -> None:
    """Two classes, the second below the first by 0 to 120: its share is e^-d / (1 + e^-d)."""
    d = np.arange(32, dtype=np.int16)[:, None] * 4
    s = np.concatenate([0 * d, -d], axis=1)
    batch = np.zeros((1, 5, 32), F4)
    batch[:, 3] = 1
    out = np.empty((1, 32, 32), F4)
    kernels.softmax_gradient(to_panels(s), batch, np.zeros(32, np.uint8), 2, out)
    expected = np.exp(-d[:, 0].astype(np.float64))
    expected /= 1 + expected
    np.testing.assert_allclose(out[0, :, 1] * 32, expected, rtol=1e-6, atol=1e-37)


ADAM = {
    "beta1": 0.9,
    "beta2": 0.999,
    "epsilon": 1e-8,
    "step_size": 0.02,
    "correction": 3.0,
    "limit": 1.0,
}


def adam(w: np.ndarray, m: np.ndarray, v: np.ndarray, g: np.ndarray) -> tuple[Any, Any, Any]:
    """Algorithm 1 of arXiv 1412.6980 in float64, then clipping."""
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g * g
    return np.clip(w - 0.02 * m / (np.sqrt(v) * 3 + 1e-8), -1, 1), m, v


@every_set
@given(rows=SIZES, panels=st.integers(1, 3), seed=SEEDS, threads=THREADS, number=GRADIENTS)
def test_adam_in_float32(
    which: str, rows: int, panels: int, seed: int, threads: int, number: Any
) -> None:
    generator = np.random.default_rng(seed)
    shape = (rows, 32 * panels)
    w = generator.uniform(-1, 1, shape).astype(F4)
    m = generator.normal(size=shape).astype(F4)
    v = generator.uniform(0.01, 2, shape).astype(F4)
    g = generator.integers(-500, 500, shape).astype(number)
    factor = generator.uniform(0, 0.01, rows).astype(F4)
    expected = adam(w, m, v, g * factor[:, None].astype(np.float64))
    kernels.adam(w, m, v, g, factor, **ADAM, threads=threads, instruction_set=which)
    for ours, theirs in zip((w, m, v), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


ROWPROP = {"rate": 0.01, "correction": 0.5, "beta": 0.999}
# Of latent weights in bits: their type, and the units of the largest.
LATENT: dict[int, tuple[Any, int]] = {8: (np.int8, 127), 16: (np.int16, 32767)}
every_latent = pytest.mark.parametrize("bits", LATENT)
# A panel, a few, and more than the 32 whose random numbers are made at once.
WIDE = st.integers(1, 100) | st.integers(1020, 1060)


def rowprop(
    w: np.ndarray,
    v: np.ndarray,
    g: np.ndarray,
    factor: np.ndarray | None,
    columns: int,
    random: np.ndarray,
    rate: float,
    correction: float,
    beta: float,
) -> tuple[np.ndarray, np.ndarray]:
    """RowProp as kernels/optimizers.hpp has it: the weights to the last unit, v in float64.

    The scale is in float32, and so is the gradient.
    """
    bits = 8 * w.itemsize
    number, largest = LATENT[bits]
    # A change of one byte is in 1/256 of a unit.
    most = F4(largest * 256 if bits == 8 else largest)
    factors = np.ones(len(w), F4) if factor is None else factor
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = F4(rate) * most * F4(correction) / np.sqrt(v)
    scale = np.where(v > 0, scale, F4(0)).astype(F4) * factors
    change = np.trunc(np.clip(g.astype(F4) * scale[:, None], -most, most)).astype(np.int64)
    moved = w + ((random - change) >> 8) if bits == 8 else w - change
    mean = (g[:, :columns].astype(np.float64) ** 2).mean(axis=1) * factors.astype(np.float64) ** 2
    rest = 1 - np.float64(F4(beta))
    return np.clip(moved, -largest, largest).astype(number), v + rest * (mean - v)


def latent_weights(generator: np.random.Generator, bits: int, shape: tuple[int, int]) -> np.ndarray:
    number, largest = LATENT[bits]
    w: np.ndarray = generator.integers(-largest, largest + 1, shape).astype(number)
    w[0, :4] = (-largest, largest, 0, -1)
    return w


@every_set
@every_latent
@given(
    rows=SIZES,
    columns=WIDE,
    seed=SEEDS,
    # Of gradients, beside the root of their mean square.
    size=st.sampled_from([1e-3, 1.0, 30.0, 1e4]),
    # Squares far below and far above 1.
    unit=st.sampled_from([1e-12, 1.0, 1e12]),
    number=GRADIENTS,
    with_factor=st.booleans(),
    correction=st.sampled_from([0.0, 0.03, 1.0]),
    first=st.integers(0, 5),
    draw=DRAWS,
    threads=THREADS,
)
def test_rowprop(
    which: str,
    bits: int,
    rows: int,
    columns: int,
    seed: int,
    size: float,
    unit: float,
    number: Any,
    with_factor: bool,
    correction: float,
    first: int,
    draw: Any,
    threads: int,
) -> None:
    generator = np.random.default_rng(seed)
    shape = (rows, -(-columns // 32) * 32)
    w = latent_weights(generator, bits, shape)
    v = (generator.uniform(0.5, 2, rows) * unit * unit).astype(F4)
    v[seed % rows] = 0
    if number is np.float32:
        g = (generator.normal(size=shape) * size * unit).astype(F4)
        factor = generator.uniform(0, 2, rows).astype(F4)
    else:
        g = generator.integers(-2000, 2001, shape).astype(number)
        factor = (generator.uniform(0, 2, rows) * size * unit / 1000).astype(F4)
    g[-1, : seed % 3] = 0
    factors = factor if with_factor else None
    random = random8(16 * first + rows, shape[1], draw)[16 * first :]
    options = ROWPROP | {"correction": correction}
    expected, mean_square = rowprop(w, v, g, factors, columns, random, **options)
    kernels.rowprop(
        w,
        v,
        g,
        factors,
        columns,
        **options,
        draw=draw,
        first_row=16 * first,
        threads=threads,
        instruction_set=which,
    )
    np.testing.assert_array_equal(w, expected)
    # Numbers that are not normal have fewer digits.
    np.testing.assert_allclose(v, mean_square, rtol=1e-5, atol=1e-38)


@every_latent
@given(rows=SIZES, columns=WIDE, seed=SEEDS, number=GRADIENTS)
@settings(max_examples=30)
def test_rowprop_is_the_same_in_every_set(
    bits: int, rows: int, columns: int, seed: int, number: Any
) -> None:
    """To the last bit, of the mean square as well, and whatever the gradients are."""
    generator = np.random.default_rng(seed)
    shape = (rows, -(-columns // 32) * 32)
    start = latent_weights(generator, bits, shape)
    if number is np.float32:
        g = generator.normal(size=(3, *shape)).astype(F4)
        g[1, 0] *= F4(1e25)
        g[2, -1, : seed % 4] = (np.nan, np.inf, -np.inf)[: seed % 4]
    else:
        info = np.iinfo(number)
        g = generator.integers(info.min, info.max + 1, (3, *shape)).astype(number)
    results = set()
    for which in SETS:
        w, v = start.copy(), np.zeros(rows, F4)
        for step in range(3):
            options = ROWPROP | {"correction": 0.03 * step}
            kernels.rowprop(
                w, v, g[step], None, columns, **options, draw=(1, 2, step), instruction_set=which
            )
        # What is no number has bits that nobody reads.
        results.add((w.tobytes(), np.nan_to_num(v, nan=-1).tobytes()))
    assert len(results) == 1


@every_set
@every_latent
def test_the_first_step_of_rowprop_only_measures(which: str, bits: int) -> None:
    w = np.arange(-64, 64).reshape(2, 64).astype(LATENT[bits][0])
    before, v = w.copy(), np.zeros(2, F4)
    g = np.full((2, 64), 3, F4)
    # Those past the columns do not count.
    g[:, 40:] = 1e6
    options = {"rate": 1.0, "beta": 0.75, "instruction_set": which}
    kernels.rowprop(w, v, g, None, 40, **options, correction=0.0)
    np.testing.assert_array_equal(w, before)
    np.testing.assert_array_equal(v, [2.25, 2.25])
    # A row whose gradients have all been 0 stays where it is, and learns of the first that is not.
    v[1] = 0
    kernels.rowprop(w, v, g, np.array([0, 2], F4), 40, **options, correction=0.5)
    np.testing.assert_array_equal(w[1], before[1])
    np.testing.assert_array_equal(v, [2.25 * 0.75, 9.0])


@every_set
@every_latent
def test_rowprop_clips_at_1(which: str, bits: int) -> None:
    number, most = LATENT[bits]
    # The least number of all can only come from a file.
    w = np.array([[-most, 5 - most, 0, most - 5, most, -most - 1, *(0,) * 26]] * 2).astype(number)
    g = np.array([[1.0] * 32, [-1.0] * 32], F4) * F4(1e20)
    kernels.rowprop(w, np.ones(2, F4), g, None, 32, **ROWPROP, instruction_set=which)
    # A step is of at most half of the range.
    assert w[0, :6].tolist() == [-most, -most, -most, -5, 0, -most]
    assert w[1, :6].tolist() == [0, 5, most, most, most, -1]


def test_rowprop_is_right_on_average() -> None:
    """Each of the 16 rows that share random numbers, whatever fraction of a unit a step is of."""
    rows, steps = 32, 64
    # From 2 units down to 2 units up; the rest of a fraction, 1/256 of a unit, is cut.
    g = np.tile(np.linspace(-2, 2, 1024, dtype=F4), (rows, 1))
    w = np.zeros((steps, rows, 1024), np.int8)
    for step in range(steps):
        # A unit for a gradient of 1.
        kernels.rowprop(
            *(w[step], np.ones(rows, F4), g, None, 1024),
            **{"rate": 1 / 127, "correction": 1.0, "beta": 0.9, "draw": (7, 8, step)},
        )
    error = -w.astype(np.float64) - np.trunc(g * 256) / 256
    assert np.abs(error).max() < 1
    # A step's standard deviation is at most half a unit.
    assert np.abs(error.mean(axis=(0, 2))).max() < 5 * 0.5 / np.sqrt(steps * 1024)
    assert np.abs(error.mean(axis=(0, 1))).max() < 5 * 0.5 / np.sqrt(steps * rows / 4)


def test_small_steps_of_rowprop_are_not_lost_in_a_byte() -> None:
    """A thousand steps of a sixteenth of a unit move the weights by 62.5 units."""
    w = np.zeros((64, 32), np.int8)
    g = np.ones((64, 32), F4)
    for step in range(1000):
        options = {"rate": 1 / (16 * 127), "correction": 1.0, "beta": 0.9, "draw": (3, 1, step)}
        kernels.rowprop(w, np.ones(64, F4), g, None, 32, **options)
    assert abs(w.mean() + 62.5) < 0.5


def test_random_bytes_are_uniform_and_differ() -> None:
    """Of the oracle, which the kernels' weights are compared with."""
    drawn = random8(32, 3200, (5, 6, 7))
    assert (np.bincount(drawn.ravel(), minlength=256) > 0).all()
    np.testing.assert_allclose(drawn.mean(axis=1), 127.5, atol=6 * 74 / np.sqrt(3200))
    # Four rows of every 16 draw their own.
    own = [0, 1, 2, 3, 16, 17, 18, 19]
    assert np.abs(np.corrcoef(drawn[own]) - np.eye(8)).max() < 0.1
    assert len(np.unique(drawn, axis=0)) == 32


@every_set
@given(rows=SIZES, columns=st.integers(1, 100), seed=SEEDS, threads=THREADS, number=NUMBERS)
def test_bop(which: str, rows: int, columns: int, seed: int, threads: int, number: Any) -> None:
    generator = np.random.default_rng(seed)
    bits = random_bits(seed, rows, columns)
    padded = -(-columns // 32) * 32
    m = generator.normal(size=(rows, padded)).astype(F4)
    g = generator.integers(-5, 6, (rows, padded)).astype(number)
    factor = generator.uniform(0, 1, rows).astype(F4)
    packed = pack(bits)
    filtered = F4(1 - F4(0.2)) * m + F4(0.2) * (g.astype(F4) * factor[:, None])
    kernels.bop(
        packed,
        m,
        g,
        factor,
        columns,
        adaptivity=0.2,
        threshold=0.3,
        threads=threads,
        instruction_set=which,
    )
    np.testing.assert_allclose(m[:, :columns], filtered[:, :columns], rtol=1e-6, atol=1e-7)
    sign = np.where(bits == 1, 1.0, -1.0)
    flips = (np.abs(m) > 0.3)[:, :columns] & (np.sign(m[:, :columns]) == sign)
    np.testing.assert_array_equal(packed, pack(bits ^ flips))


PANEL = np.zeros((1, 4, 32), np.int16)
BATCH = np.zeros((1, 5, 32), F4)
WEIGHTS = np.zeros((4, 32), F4)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: kernels.batch_statistics(PANEL.astype(F4), BATCH[:, :2], EPSILON, BATCH),
            TypeError,
            "s must be of type int16 or int32",
        ),
        (
            lambda: kernels.batch_statistics(PANEL, BATCH, EPSILON, BATCH),
            ValueError,
            "parameters must have 2 elements on axis 1",
        ),
        (
            lambda: kernels.binarize(PANEL, BATCH, 33, np.zeros((4, 5), np.uint8), 2),
            ValueError,
            "first_panel and the panels of s go past columns",
        ),
        (
            lambda: kernels.binarize(PANEL, BATCH, 32, np.zeros((4, 4), np.uint8), 2**40),
            ValueError,
            "first_panel and the panels of s go past columns",
        ),
        (
            lambda: kernels.softmax_gradient(
                PANEL, BATCH, np.full(4, 10, np.uint8), 10, PANEL.astype(F4)
            ),
            ValueError,
            "labels must be below classes",
        ),
        (
            lambda: kernels.softmax_gradient(
                PANEL, BATCH, np.zeros(4, np.uint8), 10, PANEL.astype(F4), smoothing=1.0
            ),
            ValueError,
            "smoothing must be in",
        ),
        (
            lambda: kernels.round_columns(
                PANEL.astype(F4), 32, 128, np.zeros((32, 32), np.int8), BATCH[0, 0], (0, 0, 0)
            ),
            ValueError,
            "max must be in 1..127",
        ),
        (
            lambda: kernels.pack_latent(WEIGHTS[:, :31].copy(), 8),
            ValueError,
            "latent must have a multiple of 32",
        ),
        (lambda: kernels.pack_latent(WEIGHTS, 33), ValueError, "columns must be in"),
        (lambda: kernels.pack_latent(WEIGHTS, 8, noise=1.5), ValueError, "noise must be in"),
        (
            lambda: kernels.adam(
                WEIGHTS, WEIGHTS, WEIGHTS.astype(np.uint16), WEIGHTS, None, **ADAM
            ),
            TypeError,
            "v must be of type float32",
        ),
        (
            lambda: kernels.adam(*(WEIGHTS.copy() for _ in range(4)), np.zeros(3, F4), **ADAM),
            ValueError,
            "factor must have a number a row",
        ),
        (
            lambda: kernels.rowprop(
                *(WEIGHTS.astype(np.int8), np.ones(4, F4), WEIGHTS, None, 32),
                **ROWPROP,
                first_row=8,
            ),
            ValueError,
            "first_row must be a multiple of 16",
        ),
        (
            lambda: kernels.rowprop(
                *(WEIGHTS.astype(np.int32), np.ones(4, F4), WEIGHTS, None, 32), **ROWPROP
            ),
            TypeError,
            "latent must be of type int8 or int16",
        ),
    ],
)
def test_a_wrong_argument_is_named(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
