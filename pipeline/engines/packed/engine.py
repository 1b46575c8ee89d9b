"""The packed engine: what the pipeline calls."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.config.params import PackedMethod
from pipeline.engines.packed.layer import BinaryLayer
from pipeline.engines.packed.model import PackedModel, fold
from pipeline.engines.packed.network import PackedNetwork
from pipeline.engines.packed.predictor import Predictor


class PackedEngine:
    """Fulfils `pipeline.engines.engine.Engine` with packed bits, on the CPU, without torch."""

    # A step's temporaries lie where the last step's did.
    kept_between_steps: tuple[str, ...] = (
        *("weights", "gradients", "optimizer_state"),
        *("saved_activations", "input", "temporaries"),
    )

    def __init__(self, method: PackedMethod, widths: list[int], *, seed: int, threads: int) -> None:
        self._network = PackedNetwork(method, widths, seed=seed, threads=threads)
        self._method, self._threads = method, threads
        self._predictor: Predictor | None = None

    def train_batch(
        self,
        images: NDArray[np.uint8],
        index: NDArray[np.int64],
        labels: NDArray[np.uint8],
        learning_rate: float,
        progress: float,
    ) -> None:
        """Take one step: forward, backward, update, clip. See `Engine`."""
        self._predictor = None
        self._network.train_batch(images, index, labels, learning_rate, progress)

    def phase_seconds(self) -> Mapping[str, float]:
        """Return the seconds of every phase so far. See `Engine`."""
        return self._network.phases.seconds()

    def tell_normalization_apart(self) -> None:
        """Do nothing: it always is. See `Engine`."""

    def scores(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return (batch, classes) class scores. See `Engine`."""
        if self._predictor is None:
            self._predictor = Predictor(self._model(), self._threads)
        return self._predictor.encoded_scores(images)

    def save(self, path: Path) -> None:
        """Write the model that predicts: see `pipeline.engines.packed.model`."""
        self._model().save(path)

    def state(self) -> Mapping[str, NDArray[np.generic]]:
        """Return what training goes on from. See `Engine`."""
        return self._network.state()

    def restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Go on from `state`. See `Engine`."""
        self._predictor = None
        self._network.restore(state)

    def parameter_count(self) -> int:
        """Return how many weights and batch normalization parameters training learns."""
        return sum(layer.inputs * layer.outputs + 2 * layer.outputs for layer in self._layers)

    def ledger(
        self, images: NDArray[np.uint8], index: NDArray[np.int64], labels: NDArray[np.uint8]
    ) -> Mapping[str, int]:
        """Return the bytes of a training step by kind. See `Engine`."""
        workspace, layers = self._network.workspace, self._layers
        gradients = workspace.bytes_of("weight gradient")
        sums = workspace.bytes_of(*(layer.sums_name for layer in layers))
        state = sum(layer.weights.state_bytes() for layer in layers)
        return {
            "weights": sum(layer.weight_bytes() for layer in layers),
            "gradients": gradients,
            "optimizer_state": state + self._network.normalization.state_bytes(),
            "saved_activations": sum(layer.saved_bytes() for layer in layers),
            "input": index.nbytes,
            "temporaries": workspace.nbytes - gradients - sums,
        }

    @property
    def _layers(self) -> list[BinaryLayer]:
        return self._network.layers

    def _model(self) -> PackedModel:
        method = self._method
        return fold(
            self._network.layers, method.pixel_bits, method.pixel_gamma, method.prediction_passes
        )
