"""A training step in plain Python: what `Trainer.step` in kernels/training.cpp computes.

It is algorithm 1 of Courbariaux et al. 2016 (arXiv 1602.02830), a whole layer at a time: no blocks,
no threads, no memory that is used twice. Products are NumPy's. What rounds or draws random numbers
is a kernel, each of which tests/kernels compares with an oracle of its own.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import binary_kernels as kernels
import numpy as np
from numpy.typing import NDArray

from pipeline.config.params import PackedMethod
from pipeline.engines.packed.engine import PackedEngine
from tests.oracle import from_panels, to_panels

F4 = np.float32
BETA1, BETA2, ADAM_EPSILON = 0.9, 0.999, 1e-8
EPSILON, MOMENTUM = 1e-5, F4(0.1)
MAX_GRADIENT = {2: 1, 4: 7, 8: 112, 32: None}
# The largest gradient of a sum that a layer hands back, of an image.
MAX_SUM_GRADIENT = 1024.0
# What a layer draws random numbers for.
ACTIVATIONS, WEIGHTS, COLUMNS, ROWS, UPDATE, PURPOSES = range(6)


class Layer:
    """s = x Wb^T, a = BatchNorm(s), bits = Binarize(a); the last layer binarizes nothing.

    Past its last input and output, up to a multiple of 32, a layer has weights of -1 that nothing
    uses. They are here because the state holds what becomes of them.

    Attributes:
        index: the layer's number, from the pixels on.
        inputs: K.
        outputs: N.
        arrays: what its weights and their optimizer keep.
        parameters: gain and bias, (panels, 2, 32).
        running: mean and unbiased variance of s, (panels, 2, 32).
        x: of the last step, as everything below: the inputs, (batch, K padded).
        weights: Wb, (N padded, K).
        sums: s in panels, (panels, batch, 32).
        batch: the statistics of s, (panels, 5, 32).
        bits: (batch, ceil(N / 8)) uint8.
        parameter_gradient: of gain and bias.
        gradient: of the weights, (N, K padded), the factors left out.
        factors: of the gradient, (at least N); None stands for 1.
        handed_back: the gradient of x, (batch, K), the factors left out.
        row_factors: of what is handed back, (batch); None stands for 1.
    """

    arrays: dict[str, NDArray[Any]]
    parameters: NDArray[np.float32]
    running: NDArray[np.float32]
    x: NDArray[Any]
    weights: NDArray[np.int8]
    sums: NDArray[np.int32]
    batch: NDArray[np.float32]
    bits: NDArray[np.uint8]
    parameter_gradient: NDArray[np.float32]
    gradient: NDArray[Any]
    factors: NDArray[np.float32] | None
    handed_back: NDArray[Any]
    row_factors: NDArray[np.float32] | None

    def __init__(self, index: int, inputs: int, outputs: int) -> None:
        self.index, self.inputs, self.outputs = index, inputs, outputs


class Reference:
    """A network in training, with a copy of the state of a `PackedEngine`.

    Attributes:
        state: like `PackedEngine.state()`; a step changes it.
        layers: what the last step computed.
    """

    def __init__(
        self,
        method: PackedMethod,
        widths: tuple[int, ...],
        seed: int,
        state: Mapping[str, NDArray[np.generic]],
    ) -> None:
        """Copy the state of an engine that has been created with the same method and seed."""
        self.state: dict[str, NDArray[Any]] = {name: x.copy() for name, x in state.items()}
        self.layers = [Layer(i, *sizes) for i, sizes in enumerate(pairwise(widths))]
        self._method, self._seed = method, seed
        self._max = MAX_GRADIENT[method.gradient_bits]
        panels = self.state["normalization.parameters"].reshape(-1, 2, 32)
        first = 0
        for layer in self.layers:
            prefix = f"layers.{layer.index}."
            names = [name for name in self.state if name.startswith(prefix)]
            layer.arrays = {name.removeprefix(prefix): self.state[name] for name in names}
            layer.running = self.state[f"normalization.running.{layer.index}"].reshape(-1, 2, 32)
            layer.parameters = panels[first : first + len(layer.running)]
            first += len(layer.running)

    def train_batch(
        self,
        images: NDArray[np.uint8],
        index: NDArray[np.int64],
        labels: NDArray[np.uint8],
        learning_rate: float,
        progress: float,
    ) -> None:
        """Take one step: see `PackedEngine.train_batch`."""
        self._advance(learning_rate)
        # Forward.
        x: NDArray[Any]
        x = np.stack([images[index] & 15, images[index] >> 4], axis=-1).reshape(len(index), -1)
        for layer in self.layers:
            layer.x = x
            layer.weights = self._binary_weights(layer, self._noise(progress))
            layer.sums = to_panels(product(x[:, : layer.inputs], layer.weights.T))
            self._normalize(layer)
            if layer is not self.layers[-1]:
                layer.bits = self._binarize(layer)
                x = padded_signs(layer.bits, layer.outputs)
        # Backward, and the update of each layer's weights.
        g, factors = self._loss_gradient(self.layers[-1], labels), None
        for layer in reversed(self.layers):
            of_sums = self._normalize_backward(layer, g, factors)
            columns, layer.factors = self._round_columns(layer, of_sums)
            layer.gradient = product(columns, layer.x)
            rows, factors = self._round_rows(layer, of_sums)
            layer.handed_back = product(rows, layer.weights[: layer.outputs])
            layer.row_factors = factors
            g = to_panels(layer.handed_back)
            self._learn(layer)
        self._learn_normalization()
        self.state["steps"] += 1

    def _advance(self, learning_rate: float) -> None:
        powers = self.state["powers"]
        self._rate, self._correction_before = learning_rate, float(np.sqrt(1 - powers[1]))
        powers *= (BETA1, BETA2)
        self._adam = {
            **{"beta1": BETA1, "beta2": BETA2, "epsilon": ADAM_EPSILON},
            "step_size": learning_rate / (1 - powers[0]),
            "correction": 1 / np.sqrt(1 - powers[1]),
        }

    def _draw(self, layer: Layer, purpose: int) -> tuple[int, int, int]:
        return self._seed, layer.index * PURPOSES + purpose, int(self.state["steps"][0])

    def _noise(self, progress: float) -> float:
        noise = {None: 0.0, "constant": 1.0, "annealed": (1 - progress) * (1 - progress)}
        return noise[self._method.weight_noise]

    # ---- forward -------------------------------------------------------------------------

    def _binary_weights(self, layer: Layer, noise: float) -> NDArray[np.int8]:
        """Return Wb, (N padded, K): the signs of the latent weights, or the weights of Bop."""
        bits = layer.arrays.get("bits")
        if bits is None:
            draw = self._draw(layer, WEIGHTS)
            bits = kernels.pack_latent(layer.arrays["latent"], layer.inputs, noise=noise, draw=draw)
        weights = np.full((32 * len(layer.running), layer.inputs), -1, np.int8)
        weights[: layer.outputs] = padded_signs(bits, layer.inputs)[:, : layer.inputs]
        return weights

    def _normalize(self, layer: Layer) -> None:
        """Compute the batch's statistics, and move the running ones towards them."""
        layer.batch = np.empty((len(layer.running), 5, 32), F4)
        kernels.batch_statistics(layer.sums, layer.parameters, EPSILON, layer.batch)
        size = len(layer.x)
        unbiased = np.array([[1], [size / (size - 1)]], F4)
        layer.running += MOMENTUM * (layer.batch[:, :2] * unbiased - layer.running)

    def _binarize(self, layer: Layer) -> NDArray[np.uint8]:
        bits = np.empty((len(layer.x), -(-layer.outputs // 8)), np.uint8)
        stochastic = self._method.activations == "stochastic"
        draw = self._draw(layer, ACTIVATIONS) if stochastic else None
        kernels.binarize(layer.sums, layer.batch, layer.outputs, bits, 0, draw)
        return bits

    def _loss_gradient(self, last: Layer, labels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the gradient of the loss by a, (panels, batch, 32)."""
        g, smoothing = np.empty(last.sums.shape, F4), self._method.label_smoothing
        kernels.softmax_gradient(
            last.sums, last.batch, labels, last.outputs, g, smoothing=smoothing
        )
        return g

    # ---- backward ------------------------------------------------------------------------

    def _normalize_backward(
        self, layer: Layer, g: NDArray[Any], factors: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        """Return the gradient of s in panels, from that of the bits, or of a in the last layer."""
        of_sums = np.empty(layer.sums.shape, F4)
        layer.parameter_gradient = np.empty(layer.parameters.shape, F4)
        # The straight-through estimator.
        masked = layer is not self.layers[-1]
        kernels.normalize_backward(
            layer.sums, layer.batch, g, factors, masked, of_sums, layer.parameter_gradient
        )
        return of_sums

    def _round_columns(
        self, layer: Layer, of_sums: NDArray[np.float32]
    ) -> tuple[NDArray[Any], NDArray[np.float32] | None]:
        """Return what multiplies x, (N, batch), and the factor of each feature."""
        if self._max is None:
            return from_panels(of_sums, layer.outputs).T, None
        size = len(layer.x)
        columns = np.empty((layer.outputs, -(-size // 32) * 32), np.int8)
        factors, draw = np.empty(32 * len(of_sums), F4), self._draw(layer, COLUMNS)
        kernels.round_columns(of_sums, layer.outputs, self._max, columns, factors, draw)
        return columns[:, :size], factors

    def _round_rows(
        self, layer: Layer, of_sums: NDArray[np.float32]
    ) -> tuple[NDArray[Any], NDArray[np.float32] | None]:
        """Return what multiplies Wb, (batch, N), and the factor of each image, limited."""
        if self._max is None:
            rows = from_panels(of_sums, layer.outputs)
            largest = np.abs(rows).max(axis=1, keepdims=True)
            return rows * (F4(MAX_SUM_GRADIENT) / np.maximum(largest, F4(MAX_SUM_GRADIENT))), None
        size = len(layer.x)
        rows, factors = np.empty((size, 32 * len(of_sums)), np.int8), np.empty(size, F4)
        draw = self._draw(layer, ROWS)
        kernels.round_rows(of_sums, layer.outputs, self._max, rows, factors, draw)
        limit = F4(MAX_SUM_GRADIENT) / F4(self._max)
        return rows[:, : layer.outputs], np.minimum(factors, limit)

    # ---- update --------------------------------------------------------------------------

    def _learn(self, layer: Layer) -> None:
        method, arrays = self._method, layer.arrays
        gradient, columns = (layer.gradient, layer.factors), layer.inputs
        if method.optimizer == "rowprop":
            rate = {"rate": self._rate, "correction": self._correction_before, "beta": BETA2}
            draw = self._draw(layer, UPDATE)
            kernels.rowprop(arrays["latent"], arrays["v"], *gradient, columns, **rate, draw=draw)
        elif method.optimizer == "adam":
            moments = arrays["m"], arrays["v"]
            kernels.adam(arrays["latent"], *moments, *gradient, **self._adam, limit=1.0)
        else:
            bop = {"adaptivity": method.bop_adaptivity, "threshold": method.bop_threshold}
            kernels.bop(arrays["bits"], arrays["m"], *gradient, columns, **bop)

    def _learn_normalization(self) -> None:
        gradients = []
        for layer in self.layers:
            # Features past the last get no gradient.
            feature = np.arange(32 * len(layer.running)).reshape(-1, 1, 32)
            gradients.append(np.where(feature < layer.outputs, layer.parameter_gradient, F4(0)))
        parameters = (self.state[f"normalization.{name}"] for name in ("parameters", "m", "v"))
        gradient = np.concatenate(gradients).reshape(-1, 32)
        kernels.adam(*parameters, gradient, None, **self._adam, limit=np.inf)


def reference_of(engine: PackedEngine, seed: int) -> Reference:
    """Return the same network, as it is now."""
    widths = (engine.layers[0].inputs, *(layer.outputs for layer in engine.layers))
    return Reference(engine._method, widths, seed, engine.state())


def assert_same(engine: PackedEngine, expected: Reference) -> None:
    """Assert that two networks have the same state, byte for byte."""
    state = engine.state()
    assert state.keys() == expected.state.keys()
    for name, array in state.items():
        theirs = expected.state[name]
        assert array.dtype == theirs.dtype, name
        np.testing.assert_array_equal(array, theirs, err_msg=name)
        # Zeros have their signs, too.
        assert array.tobytes() == theirs.tobytes(), name


def product(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """Return a b: exact in int32, or in float32 with the terms of every sum in their order."""
    if a.dtype != np.float32:
        # Sums stay below 2^53.
        return (a.astype(np.float64) @ b.astype(np.float64)).astype(np.int32)
    out = np.zeros((len(a), b.shape[1]), F4)
    for column, row in zip(a.T, b.astype(F4), strict=True):
        out += column[:, None] * row
    return out


def padded_signs(bits: NDArray[np.uint8], columns: int) -> NDArray[np.int8]:
    """Return +1 and -1 of packed bits, (rows, columns padded to a multiple of 32)."""
    signs = np.full((len(bits), -(-columns // 32) * 32), -1, np.int8)
    signs[:, :columns] = 2 * np.unpackbits(bits, axis=1, count=columns, bitorder="little") - 1
    return signs
