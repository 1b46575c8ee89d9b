"""The protocol that every engine fulfils, and the one place that chooses an engine.

Training, profiling and the data know this protocol and NumPy alone. An engine's own imports, such
as torch, happen when it is chosen, and in no process that chose another.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.config.architecture import Architecture
from pipeline.config.params import Method, PackedMethod
from pipeline.data import dataset
from pipeline.data.dataset import Dataset
from pipeline.data.gamma import brighten


class Engine(Protocol):
    """A network in training."""

    def train_batch(
        self,
        images: NDArray[np.uint8],
        index: NDArray[np.int64],
        labels: NDArray[np.uint8],
        learning_rate: float,
        progress: float,
    ) -> None:
        """Take one step: forward, backward, update, clip.

        Args:
            images: (images, bytes) uint8: all images there are, as `load_data` returns them.
            index: (batch) int64: the rows of `images` that make the batch, at least 2.
            labels: (batch) uint8, below the number of classes.
            learning_rate: of this step, already scheduled.
            progress: the share of all steps already taken, in [0, 1).
        """

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return (batch, classes) logits of the network as it predicts.

        Args:
            images: (batch, bytes) uint8, as `load_data` returns them, batch at least 1.
        """

    def save(self, path: Path) -> None:
        """Write the model to `path`: tensors and numbers only, nothing executable."""

    def state(self) -> Mapping[str, NDArray[np.generic]]:
        """Return all that the steps so far leave to the next, by name, as `restore` takes it.

        Every array has one or two dimensions. Its name, shape and dtype are the same throughout
        the training, and before the first step. Arrays may be the engine's own memory: do not
        write to them, and expect them to change with the next step.
        """

    def restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Take the next step as the engine whose `state` this is would have taken it.

        Args:
            state: arrays of the same names, shapes and dtypes as this engine's own.

        Raises:
            ValueError: a number in it is impossible. The engine is then unchanged.
        """

    def parameter_count(self) -> int:
        """Return how many numbers or bits training learns."""

    def phase_seconds(self) -> Mapping[str, float]:
        """Return the seconds that all steps so far spent in each of `phases.PHASES`."""

    def tell_normalization_apart(self) -> None:
        """Time normalization as a phase of its own from now on, even where that costs time."""

    def memory_breakdown(
        self, images: NDArray[np.uint8], index: NDArray[np.int64], labels: NDArray[np.uint8]
    ) -> Mapping[str, int]:
        """Return the bytes that a training step on this batch holds, by kind.

        Call it after a step. The kinds are weights, gradients, optimizer_state,
        saved_activations (all that is kept between forward and backward), input (the batch as the
        network reads it) and temporaries (what else is held at the step's peak).
        """


def create_engine(method: Method, architecture: Architecture, *, seed: int, threads: int) -> Engine:
    """Build a freshly initialized network.

    Args:
        method: how it is trained: one of `methods` in params.yaml.
        architecture: its layers.
        seed: of the initialization and of every random number in training.
        threads: how many the engine may use.
    """
    if isinstance(method, PackedMethod):
        from pipeline.engines.packed.engine import PackedEngine

        return PackedEngine(method, architecture, seed=seed, threads=threads)
    from pipeline.engines.torch.engine import TorchEngine

    return TorchEngine(method, architecture, seed=seed, threads=threads)


def load_data(method: Method) -> Dataset:
    """Load the dataset with its images as the method's engine holds them.

    The torch engine holds a uint8 per pixel, the packed engine a byte per two pixels. Images are
    encoded as they are read, so that the packed engine's never lie in memory a byte per pixel.

    Raises:
        PipelineError: data that is missing or damaged.
    """
    if not isinstance(method, PackedMethod):
        return dataset.load(encode=lambda images: brighten(images, method.pixel_gamma))
    from pipeline.engines.packed.encoding import encode

    return dataset.load(
        encode=lambda images: encode(brighten(images, method.pixel_gamma), method.pixel_bits)
    )
