"""Small valid model files, of which the damaged ones are made."""

from itertools import pairwise
from pathlib import Path

import numpy as np

from pipeline.engines.packed.layer import TAPS, MapShape
from pipeline.engines.packed.model import Convolved, Hidden, Logits, PackedModel

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
# Maps that convolutions read, and the widths of what follows.
CONVOLUTIONS = (
    ((MapShape(3, 4, 1, 1, False),), (96, 3)),
    ((MapShape(5, 4, 2, 1, True), MapShape(2, 2, 16, 2, False)), (8, 5, 3)),
    ((MapShape(4, 4, 3, 2, True), MapShape(1, 1, 40, 1, False)), (16, 4)),
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
    for index, (maps, widths) in enumerate(5 * CONVOLUTIONS):
        _model(generator, widths, 4, 1 + index % 3, 1 + index % 2, maps).save(path)
        contents.append(path.read_bytes())
    path.unlink()
    return contents


def _model(
    generator: np.random.Generator,
    widths: tuple[int, ...],
    pixel_bits: int,
    pixel_gamma: int,
    passes: int,
    maps: tuple[MapShape, ...] = (),
) -> PackedModel:
    def bits(inputs: int, outputs: int) -> np.ndarray:
        ones = generator.integers(0, 2, (outputs, inputs), dtype=np.uint8)
        return np.packbits(ones, axis=1, bitorder="little")

    def normal(count: int) -> np.ndarray:
        return generator.standard_normal(count, np.float32)

    def thresholds(inputs: int, outputs: int) -> np.ndarray:
        numbers: np.ndarray = (normal(passes * outputs) * inputs**0.5).astype(np.int32)
        return numbers.reshape(passes, outputs)

    hidden = tuple(Hidden(bits(*pair), thresholds(*pair)) for pair in pairwise(widths[:-1]))
    # What enters the first layer says how many channels the last map has.
    channels = [each.channels for each in maps[1:]]
    if maps:
        channels.append(widths[0] // (maps[-1].out_height * maps[-1].out_width))
    convolutions = tuple(
        Convolved(
            bits(TAPS * each.channels, features),
            thresholds(TAPS * each.channels, features),
            each,
            generator.integers(0, 256, features // 8, dtype=np.uint8) if each.pool else None,
        )
        for each, features in zip(maps, channels, strict=True)
    )
    last = Logits(bits(*widths[-2:]), normal(widths[-1]), normal(widths[-1]))
    return PackedModel(widths, pixel_bits, pixel_gamma, passes, hidden, last, convolutions)
