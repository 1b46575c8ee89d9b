"""The trained network in one call, against plain NumPy, in every instruction set."""

from itertools import pairwise
from typing import Any

import binary_kernels as kernels
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle import every_set, nibbles, pack, random_bits, signs

WIDTH = st.integers(1, 150)
# A first layer may have so many outputs that AVX-512 takes pixels in groups of six.
WIDTHS = st.builds(
    lambda pixels, first, others: [pixels, first, *others],
    WIDTH,
    WIDTH | st.integers(353, 500),
    st.lists(WIDTH, max_size=3),
)


# What a byte of a pixel stands for, for so many bits; and curves, with a step of several levels.
SHIFTS = [(np.arange(256) >> (8 - bits)).astype(np.uint8) for bits in range(1, 5)]
CURVES = [
    np.zeros(256, np.uint8),
    np.full(256, 15, np.uint8),
    np.repeat([0, 9, 15], [1, 254, 1]).astype(np.uint8),
    (16 * (np.arange(256) / 256) ** (1 / 3)).astype(np.uint8),
]


def build(
    which: str,
    widths: list[int],
    levels: np.ndarray,
    bits: list[np.ndarray],
    thresholds: list[np.ndarray],
) -> Any:
    scale = np.linspace(-2, 2, widths[-1], dtype=np.float32)
    shift = np.linspace(1, -3, widths[-1], dtype=np.float32)
    packed = [pack(matrix) for matrix in bits]
    network = kernels.Network(
        levels, widths[:-1], packed, thresholds, scale, shift, instruction_set=which
    )
    return network, scale, shift


@every_set
@given(
    widths=WIDTHS,
    images=st.sampled_from([1, 2, 31, 64, 65, 150]),
    levels=st.sampled_from(SHIFTS + CURVES),
    seed=st.integers(0, 2**32 - 1),
    threads=st.integers(1, 4),
    passes=st.integers(1, 5),
)
@settings(max_examples=150)
def test_scores(
    which: str,
    widths: list[int],
    images: int,
    levels: np.ndarray,
    seed: int,
    threads: int,
    passes: int,
) -> None:
    """Also of several passes, which share the sums of the first layer."""
    generator = np.random.default_rng(seed)
    pixels = generator.integers(0, 256, (images, widths[0]), dtype=np.uint8)
    bits = [random_bits(seed + i, n, k) for i, (k, n) in enumerate(pairwise(widths))]
    thresholds = [generator.integers(-40, 40, (passes, n)).astype(np.int32) for n in widths[1:-1]]
    network, scale, shift = build(which, widths, levels, bits, thresholds)

    read = levels[pixels].astype(np.int64)
    encoded = nibbles(read.astype(np.uint8))
    # Without a layer between there is nothing that passes could differ in.
    count = passes if thresholds else 1
    expected = np.zeros((images, widths[-1]), np.float32)
    for number in range(count):
        x = read
        for matrix, limits in zip(bits[:-1], thresholds, strict=True):
            x = np.where(x @ signs(matrix).T >= limits[number], 1, -1)
        scores = (x @ signs(bits[-1]).T).astype(np.float32) * scale + shift
        expected += scores / np.float32(count)

    for given_images, is_encoded in ((pixels, False), (encoded, True)):
        scores = np.full((images, widths[-1]), np.nan, np.float32)
        network.scores(given_images, scores, encoded=is_encoded, threads=threads)
        np.testing.assert_array_equal(scores, expected)


@every_set
@pytest.mark.parametrize("width", [40, 40_000])
def test_extreme_thresholds(which: str, width: int) -> None:
    """Also where the sums of the second layer need more than 16 bits."""
    limits = np.array([-(2**31) + 1, -(2**24), -32768, -32767, 32767, 32768, 2**31 - 1], np.int32)
    ones = np.ones((width, 8), np.uint8)
    all_ones = np.full(width, -1000, np.int32)
    second = np.ones((len(limits), width), np.uint8)
    last = np.eye(len(limits), dtype=np.uint8)
    network = kernels.Network(
        SHIFTS[3],
        [8, width, len(limits)],
        [pack(ones), pack(second), pack(last)],
        [all_ones[None], limits[None]],
        np.ones(len(limits), np.float32),
        np.zeros(len(limits), np.float32),
        instruction_set=which,
    )
    scores = np.empty((1, len(limits)), np.float32)
    network.scores(np.zeros((1, 8), np.uint8), scores)
    hidden = np.where(width >= limits, 1, -1)
    np.testing.assert_array_equal(scores[0], signs(last) @ hidden)


L4 = SHIFTS[3]
BITS = [pack(random_bits(1, 5, 20)), pack(random_bits(2, 3, 5))]
LIMITS = [np.zeros((1, 5), np.int32)]
ONES = np.ones(3, np.float32)


def scores_of(images: np.ndarray, out: np.ndarray, **options: Any) -> None:
    kernels.Network(L4, [20, 5], BITS, LIMITS, ONES, ONES).scores(images, out, **options)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: kernels.Network(L4 + np.uint8(1), [20, 5], BITS, LIMITS, ONES, ONES),
            "levels must be at most 15",
        ),
        (
            lambda: kernels.Network(L4[::-1].copy(), [20, 5], BITS, LIMITS, ONES, ONES),
            "levels must not fall",
        ),
        (
            lambda: kernels.Network(L4, [20], BITS, LIMITS, ONES, ONES),
            "bits and inputs must have",
        ),
        (lambda: kernels.Network(L4, [], [], [], ONES, ONES), "bits and inputs must have"),
        (lambda: kernels.Network(L4, [25, 5], BITS, LIMITS, ONES, ONES), "bits must have 4"),
        (
            lambda: kernels.Network(L4, [20, 6], BITS, LIMITS, ONES, ONES),
            "inputs must be the out",
        ),
        (lambda: kernels.Network(L4, [0, 5], BITS, LIMITS, ONES, ONES), "inputs must be in 1"),
        (
            lambda: kernels.Network(L4, [20, 5], BITS, [np.zeros((1, 4), np.int32)], ONES, ONES),
            "thresholds must have 5",
        ),
        (
            lambda: kernels.Network(L4, [20, 5], BITS, [np.zeros((0, 5), np.int32)], ONES, ONES),
            "thresholds must not be empty",
        ),
        (
            lambda: kernels.Network(
                L4,
                [20, 5, 3],
                [*BITS, pack(random_bits(3, 3, 3))],
                [np.zeros((2, 5), np.int32), np.zeros((3, 3), np.int32)],
                ONES,
                ONES,
            ),
            "thresholds must have 2",
        ),
        (
            lambda: kernels.Network(
                L4, [20, 5], BITS, [np.full((1, 5), -(2**31), np.int32)], ONES, ONES
            ),
            "thresholds must be above",
        ),
        (lambda: kernels.Network(L4, [20, 5], BITS, LIMITS, ONES[:2], ONES), "scale must have 3"),
        (
            lambda: scores_of(np.zeros((2, 19), np.uint8), np.empty((2, 3), np.float32)),
            "images must have 20 pixels",
        ),
        (
            lambda: scores_of(
                np.zeros((2, 9), np.uint8), np.empty((2, 3), np.float32), encoded=True
            ),
            "images must have 20 pixels, two a byte",
        ),
        (
            lambda: scores_of(np.zeros((2, 20), np.uint8), np.empty((1, 3), np.float32)),
            "out must have 2",
        ),
        (
            lambda: scores_of(np.zeros((2, 20), np.uint8), np.empty((2, 4), np.float32)),
            "out must have 3",
        ),
    ],
)
def test_a_wrong_argument_is_named(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
