"""What the kernels should compute, in plain NumPy."""

from collections.abc import Callable
from typing import Any

import binary_kernels as kernels
import numpy as np
import pytest


def _runs(which: str) -> bool:
    try:
        return bool(kernels.instruction_set(which))
    except ValueError:
        return False


# The instruction sets of the kernels that this processor runs.
SETS = [which for which in ("scalar", "avx2", "avx512", "neon") if _runs(which)]
every_set: Callable[[Any], Any] = pytest.mark.parametrize("which", SETS)


def pack(bits: np.ndarray) -> np.ndarray:
    """Pack bits (rows, columns) as the kernels do."""
    return np.packbits(bits, axis=1, bitorder="little")


def in_panels(bits: np.ndarray) -> np.ndarray:
    """Lay bits (rows, columns) in panels: (ceil(rows / 32), bytes, 32)."""
    packed = pack(bits)
    padded = np.zeros((-(-len(bits) // 32) * 32, packed.shape[1]), np.uint8)
    padded[: len(bits)] = packed
    return np.ascontiguousarray(padded.reshape(-1, 32, packed.shape[1]).transpose(0, 2, 1))


def to_panels(matrix: np.ndarray) -> np.ndarray:
    """Lay (rows, columns) in panels of 32 columns: (panels, rows, 32), zeros past the last."""
    rows, columns = matrix.shape
    padded = np.zeros((rows, -(-columns // 32) * 32), matrix.dtype)
    padded[:, :columns] = matrix
    return np.ascontiguousarray(padded.reshape(rows, -1, 32).transpose(1, 0, 2))


def from_panels(panels: np.ndarray, columns: int) -> np.ndarray:
    """Return (rows, columns) of (panels, rows, 32)."""
    return panels.transpose(1, 0, 2).reshape(panels.shape[1], -1)[:, :columns]


def random_bits(seed: int, rows: int, columns: int) -> np.ndarray:
    """Return (rows, columns) of 0 and 1."""
    return np.random.default_rng(seed).integers(0, 2, (rows, columns), dtype=np.uint8)


def signs(bits: np.ndarray) -> np.ndarray:
    """Map 0 and 1 to -1 and +1."""
    return 2 * bits.astype(np.int64) - 1


def nibbles(pixels: np.ndarray) -> np.ndarray:
    """Pack (rows, pixels) of 0..15 two per byte, padded to whole panels."""
    rows, count = pixels.shape
    padded = np.zeros((rows, -(-count // 32) * 32), np.uint8)
    padded[:, :count] = pixels
    packed: np.ndarray = padded[:, ::2] | padded[:, 1::2] << 4
    return packed


def philox(counter: np.ndarray, key: tuple[int, int], rounds: int = 7) -> np.ndarray:
    """Map (..., 4) counters of 32 bits to random words with Philox4x32 (Salmon et al. 2011)."""
    c = [counter[..., i].astype(np.uint64) for i in range(4)]
    mask = np.uint64(0xFFFFFFFF)
    k0, k1 = key
    for _ in range(rounds):
        p0, p1 = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [
            (p1 >> np.uint64(32)) ^ c[1] ^ np.uint64(k0),
            p1 & mask,
            (p0 >> np.uint64(32)) ^ c[3] ^ np.uint64(k1),
            p0 & mask,
        ]
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return np.stack(c, axis=-1).astype(np.uint32)


def random16(rows: int, columns: int, draw: tuple[int, int, int]) -> np.ndarray:
    """Return the 16 random bits of every element of (rows, columns): see kernels/random.hpp."""
    seed, purpose, step = draw
    row, column = np.indices((rows, -(-columns // 32) * 32))
    lane, word = column % 8, column % 32 // 8
    counter = np.stack(
        [row // 2 * 8 + lane, column // 32, np.full_like(row, step), np.zeros_like(row)], axis=-1
    )
    words = philox(counter, (seed, purpose))
    picked = np.take_along_axis(words, word[..., None], axis=-1)[..., 0]
    return np.where(row % 2 == 1, picked >> 16, picked & 0xFFFF)[:, :columns].astype(np.int64)


def random8(rows: int, columns: int, draw: tuple[int, int, int]) -> np.ndarray:
    """Return the 8 random bits of every element: see kernels/byte_weights.hpp."""
    seed, purpose, step = draw
    row, column = np.indices((rows, -(-columns // 32) * 32))
    # Of 16 rows, four draw their own numbers, each a byte of 16-bit words.
    drawn = row % 4
    half = drawn // 2 * 32 + column % 32
    # There are 64 of these: 32-bit word 8 w + i is word w of counter i.
    word = half // 2
    counter = np.stack(
        [row // 16 * 8 + word % 8, column // 32, np.full_like(row, step), np.zeros_like(row)],
        axis=-1,
    )
    words = philox(counter, (seed, purpose))
    picked = np.take_along_axis(words, word[..., None] // 8, axis=-1)[..., 0].astype(np.int64)
    byte = picked >> (half % 2 * 16 + drawn % 2 * 8) & 255
    # The others shift them by a quarter, half or three quarters of their range.
    shifted: np.ndarray = (byte + row % 16 // 4 * 64) % 256
    return shifted[:, :columns]


def noise(rows: int, columns: int, draw: tuple[int, int, int]) -> np.ndarray:
    """Return the uniform numbers in (-1, 1) of stochastic binarization, float32."""
    bits = random16(rows, columns, draw).astype(np.float32)
    uniform = (bits + np.float32(0.5)) * np.float32(1 / 65536)
    return uniform * np.float32(2) - np.float32(1)
