"""Small valid model files, of which the damaged ones are made."""

from itertools import pairwise
from pathlib import Path

import numpy as np

from pipeline.engines.packed.model import Hidden, Logits, PackedModel

# Widths about whole bytes and panels; the last two have sums that need 32 bits.
ARCHITECTURES = (
    (1, 1),
    (3, 2),
    (7, 5, 3, 2, 3),
    (16, 8, 4),
    (36, 33, 10),
    (49, 70, 40, 10),
    (784, 40, 10),
    (2190, 3, 2),
    (5, 32800, 2),
)


def files(folder: Path, seed: int) -> list[bytes]:
    """Return a file of every architecture, and of some at random."""
    generator = np.random.default_rng(seed)
    path = folder / "whole.safetensors"
    contents = []
    more = [
        tuple(map(int, generator.integers(1, 130, generator.integers(2, 6))))
        for _ in range(4 * len(ARCHITECTURES))
    ]
    for index, widths in enumerate((*ARCHITECTURES, *more)):
        _model(generator, widths, 1 + index % 4, 1 + index % 3, 1 + index % 2).save(path)
        contents.append(path.read_bytes())
    path.unlink()
    return contents


def _model(
    generator: np.random.Generator,
    widths: tuple[int, ...],
    pixel_bits: int,
    pixel_gamma: int,
    passes: int,
) -> PackedModel:
    def bits(inputs: int, outputs: int) -> np.ndarray:
        ones = generator.integers(0, 2, (outputs, inputs), dtype=np.uint8)
        return np.packbits(ones, axis=1, bitorder="little")

    def normal(count: int) -> np.ndarray:
        return generator.standard_normal(count, np.float32)

    hidden = tuple(
        Hidden(
            bits(fan_in, fan_out),
            (normal(passes * fan_out) * fan_in**0.5).astype(np.int32).reshape(passes, -1),
        )
        for fan_in, fan_out in pairwise(widths[:-1])
    )
    last = Logits(bits(*widths[-2:]), normal(widths[-1]), normal(widths[-1]))
    return PackedModel(widths, pixel_bits, pixel_gamma, passes, hidden, last)
