"""Trainings in which the packed engine is compared with tests/reference.py."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.config.architecture import Architecture
from pipeline.config.params import PackedMethod
from pipeline.engines.engine import create_engine
from pipeline.engines.packed.encoding import encode
from pipeline.engines.packed.engine import PackedEngine
from tests.conftest import OPTIMIZERS, packed_methods, with_optimizer
from tests.oracle import SETS
from tests.reference import Reference, assert_same, reference_of

METHODS = packed_methods()
STEPS = 3
# Bop has no latent weights to add noise to.
NOISES = {name: ["none", "activations", "both"][: 2 if name == "bop" else 3] for name in OPTIMIZERS}
# Of every optimizer.
EVERY_NOISE = [(name, noise) for name in NOISES for noise in NOISES[name]]


@dataclass(frozen=True)
class Case:
    """What is trained.

    Attributes:
        architecture: the layers.
        batch: of every step.
        optimizer: one of OPTIMIZERS.
        bits: of the gradients.
        noise: of what: "none", "activations", "both".
        changes: other changes of the recipe.
        seed: of the training, and of what it learns from.
    """

    architecture: Architecture
    batch: int
    optimizer: str = "rowprop8"
    bits: int = 4
    noise: str = "none"
    changes: dict[str, Any] = field(default_factory=dict)
    seed: int = 1

    @property
    def method(self) -> PackedMethod:
        of_noise = {"none": "deterministic", "activations": "stochastic", "both": "both_stochastic"}
        recipe = with_optimizer(METHODS[of_noise[self.noise]].model_dump(), self.optimizer)
        return PackedMethod.model_validate(recipe | {"gradient_bits": self.bits} | self.changes)

    def engine(self, threads: int = 1) -> PackedEngine:
        engine = create_engine(self.method, self.architecture, seed=self.seed, threads=threads)
        assert isinstance(engine, PackedEngine)
        return engine

    def reference(self) -> Reference:
        return reference_of(self.engine(), self.seed)

    def data(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return images, more than a batch, of which half the pixels are 0, and labels."""
        generator = np.random.default_rng(self.seed)
        pixels, count = math.prod(self.architecture.image_shape), self.batch + 5
        images = generator.integers(0, 256, (count, pixels), dtype=np.uint8)
        images[generator.integers(0, 2, images.shape) == 0] = 0
        classes = min(self.architecture.classes, 256)
        return images, generator.integers(0, classes, count, dtype=np.uint8)


def train(network: PackedEngine | Reference, case: Case, steps: int = STEPS) -> None:
    """Take steps of batches, rates and noise that differ."""
    images, labels = case.data()
    encoded = encode(images, 4)
    generator = np.random.default_rng(case.seed)
    for step in range(steps):
        index = generator.permutation(len(images))[: case.batch]
        network.train_batch(encoded, index, labels[index], 0.02 / (step + 1), step / steps)


def check(case: Case, threads: Sequence[int] = (1, 3), sets: Sequence[str] = SETS) -> bool:
    """Compare with the reference, byte for byte; return whether the weights of all layers moved."""
    expected = case.reference()
    before = {name: array.copy() for name, array in expected.state.items()}
    train(expected, case)
    for which in sets:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("BINARY_KERNELS", which)
            for count in threads:
                engine = case.engine(count)
                train(engine, case)
                assert_same(engine, expected)
    learnt = "m" if case.optimizer == "bop" else "latent"
    names = [f"layers.{layer.index}.{learnt}" for layer in expected.layers]
    return all(not np.array_equal(expected.state[name], before[name]) for name in names)
