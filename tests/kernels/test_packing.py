"""Packing against plain NumPy, on random shapes, in every instruction set."""

import binary_kernels as kernels
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.oracle import every_set, in_panels, pack, random_bits

SIZES = st.integers(1, 70)
SEEDS = st.integers(0, 2**32 - 1)
THREADS = st.integers(1, 4)


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
    panels = np.full((-(-columns // 32), -(-rows // 8), 32), 255, np.uint8)
    kernels.transpose(pack(bits), columns, panels, threads=threads, instruction_set=which)
    np.testing.assert_array_equal(panels, in_panels(bits.T))


def test_the_environment_forces_an_instruction_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BINARY_KERNELS", "scalar")
    assert kernels.instruction_set() == "scalar"
    monkeypatch.setenv("BINARY_KERNELS", "nonsense")
    with pytest.raises(ValueError, match="unknown instruction set 'nonsense'"):
        kernels.instruction_set()
