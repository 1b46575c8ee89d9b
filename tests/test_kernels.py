"""Every kernel against plain NumPy, on random shapes, in every instruction set."""

from typing import Any

import binary_kernels as kernels
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

SETS = ["scalar", kernels.instruction_set("auto")]
SIZES = st.integers(1, 70)
SEEDS = st.integers(0, 2**32 - 1)
THREADS = st.integers(1, 4)

every_set = pytest.mark.parametrize("which", dict.fromkeys(SETS))


def pack(bits: np.ndarray) -> np.ndarray:
    """Pack bits (rows, columns) as the kernels do."""
    return np.packbits(bits, axis=1, bitorder="little")


def in_panels(bits: np.ndarray) -> np.ndarray:
    """Lay bits (rows, columns) in panels: (ceil(rows / 32), bytes, 32)."""
    packed = pack(bits)
    padded = np.zeros((-(-len(bits) // 32) * 32, packed.shape[1]), np.uint8)
    padded[: len(bits)] = packed
    return np.ascontiguousarray(padded.reshape(-1, 32, packed.shape[1]).transpose(0, 2, 1))


def random_bits(seed: int, rows: int, columns: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, (rows, columns), dtype=np.uint8)


def signs(bits: np.ndarray) -> np.ndarray:
    return 2 * bits.astype(np.int64) - 1


@every_set
@given(
    x=hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=40),
        elements=st.floats(width=32) | st.sampled_from([0.0, -0.0, float("nan"), -1e-45]),
    ),
    threads=THREADS,
)
def test_signs_are_packed(which: str, x: np.ndarray, threads: int) -> None:
    packed = kernels.pack_rows(x, threads=threads, instruction_set=which)
    np.testing.assert_array_equal(packed, pack(x >= 0))


@every_set
@given(rows=SIZES, columns=st.integers(1, 600), seed=SEEDS, threads=THREADS)
def test_rows_are_laid_in_panels(
    which: str, rows: int, columns: int, seed: int, threads: int
) -> None:
    bits = random_bits(seed, rows, columns)
    panels = kernels.interleave(pack(bits), threads=threads, instruction_set=which)
    np.testing.assert_array_equal(panels, in_panels(bits))


@every_set
@given(rows=SIZES, columns=SIZES, seed=SEEDS, threads=THREADS)
def test_a_transpose_is_laid_in_panels(
    which: str, rows: int, columns: int, seed: int, threads: int
) -> None:
    bits = random_bits(seed, rows, columns)
    panels = kernels.transpose(pack(bits), columns, threads=threads, instruction_set=which)
    np.testing.assert_array_equal(panels, in_panels(bits.T))


@every_set
@given(m=SIZES, n=SIZES, k=st.integers(1, 700), seed=SEEDS, threads=THREADS)
@settings(max_examples=150)
def test_bits_by_bits(which: str, m: int, n: int, k: int, seed: int, threads: int) -> None:
    a, b = random_bits(seed, m, k), random_bits(seed + 1, n, k)
    out = kernels.bits_by_bits(pack(a), in_panels(b), k, n, threads=threads, instruction_set=which)
    np.testing.assert_array_equal(out, signs(a) @ signs(b).T)


@every_set
@given(
    m=SIZES,
    n=SIZES,
    k=st.integers(1, 700),
    offset=st.integers(0, 15),
    seed=SEEDS,
    threads=THREADS,
)
@settings(max_examples=150)
def test_ints_by_bits(
    which: str, m: int, n: int, k: int, offset: int, seed: int, threads: int
) -> None:
    generator = np.random.default_rng(seed)
    a = generator.integers(0, 16, (m, k), dtype=np.uint8)
    b = random_bits(seed + 1, n, k)
    out = kernels.ints_by_bits(a, offset, in_panels(b), n, threads=threads, instruction_set=which)
    np.testing.assert_array_equal(out, (a.astype(np.int64) - offset) @ signs(b).T)


@every_set
@pytest.mark.parametrize("value", [0, 1])
@pytest.mark.parametrize("rows", [1, 5])
def test_the_longest_sums_do_not_overflow(which: str, value: int, rows: int) -> None:
    """All terms alike, over more elements than one pass of 16-bit counts holds."""
    k = 70_001
    a = np.full((rows, k), value, np.uint8)
    b = np.ones((3, k), np.uint8)
    out = kernels.bits_by_bits(pack(a), in_panels(b), k, 3, instruction_set=which)
    np.testing.assert_array_equal(out, np.full((rows, 3), k * (2 * value - 1)))
    out = kernels.ints_by_bits(15 * a, 15 * (1 - value), in_panels(b), 3, instruction_set=which)
    np.testing.assert_array_equal(out, np.full((rows, 3), 15 * k * (2 * value - 1)))


BITS = pack(random_bits(1, 4, 20))
PANELS = in_panels(random_bits(2, 6, 20))


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
        (lambda: kernels.transpose(BITS, 25), ValueError, "columns does not fit"),
        (
            lambda: kernels.bits_by_bits(BITS, PANELS[..., :16].copy(), 20, 6),
            ValueError,
            "b must have 32 bytes",
        ),
        (lambda: kernels.bits_by_bits(BITS, PANELS, 20, 33), ValueError, "outputs does not fit"),
        (lambda: kernels.bits_by_bits(BITS, PANELS, 25, 6), ValueError, "b must have one byte"),
        (lambda: kernels.bits_by_bits(BITS, PANELS, 2**31, 6), ValueError, "elements must be in"),
        (
            lambda: kernels.ints_by_bits(np.zeros((1, 2**31 // 45 + 1), np.uint8), 0, PANELS, 6),
            ValueError,
            "sums could overflow",
        ),
        (
            lambda: kernels.bits_by_bits(BITS[:, :2].copy(), PANELS, 20, 6),
            ValueError,
            "a must have as many bytes",
        ),
        (
            lambda: kernels.ints_by_bits(np.full((1, 20), 16, np.uint8), 0, PANELS, 6),
            ValueError,
            "a must hold values in 0..15",
        ),
        (
            lambda: kernels.ints_by_bits(np.ones((1, 20), np.uint8), 16, PANELS, 6),
            ValueError,
            "offset must be",
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


def test_the_environment_forces_an_instruction_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BINARY_KERNELS", "scalar")
    assert kernels.instruction_set() == "scalar"
    monkeypatch.setenv("BINARY_KERNELS", "nonsense")
    with pytest.raises(ValueError, match="unknown instruction set 'nonsense'"):
        kernels.instruction_set()
