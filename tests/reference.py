"""A training step in plain Python: what `Trainer.step` in kernels/training.cpp computes.

It is algorithm 1 of Courbariaux et al. 2016 (arXiv 1602.02830), a whole layer at a time: no blocks,
no threads, no memory that is used twice. Products are NumPy's. What rounds or draws random numbers
is a kernel, each of which tests/kernels compares with an oracle of its own.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import binary_kernels as kernels
import numpy as np
from numpy.typing import NDArray

from pipeline.config.params import PackedMethod
from pipeline.engines.packed.engine import PackedEngine
from pipeline.engines.packed.layer import LayerSize, MapShape
from tests.oracle import from_panels, random16, to_panels

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


class Convolution(Layer):
    """A layer whose x are patches of a map, and whose sums are pooled.

    Attributes:
        shape: of the map that it reads.
        patches: of the last step, at stride 1: (batch, height, width, K).
        places: which of four pooled sums was the first largest, (batch, pooled, pooled, N).
    """

    patches: NDArray[np.int64]
    places: NDArray[np.int64] | None

    def __init__(self, index: int, outputs: int, shape: MapShape) -> None:
        super().__init__(index, 9 * shape.channels, outputs)
        self.shape = shape


class Reference:
    """A network in training, with a copy of the state of a `PackedEngine`.

    Attributes:
        state: like `PackedEngine.state()`; a step changes it.
        layers: what the last step computed.
    """

    def __init__(
        self,
        method: PackedMethod,
        sizes: Sequence[LayerSize],
        seed: int,
        state: Mapping[str, NDArray[np.generic]],
    ) -> None:
        """Copy the state of an engine that has been created with the same method and seed."""
        self.state: dict[str, NDArray[Any]] = {name: x.copy() for name, x in state.items()}
        self.layers = [
            Layer(i, size.inputs, size.outputs)
            if size.map is None
            else Convolution(i, size.outputs, size.map)
            for i, size in enumerate(sizes)
        ]
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
            if isinstance(layer, Convolution):
                self._convolve(layer, len(index))
            else:
                layer.sums = to_panels(product(x[:, : layer.inputs], layer.weights.T))
            self._normalize(layer)
            if layer is not self.layers[-1]:
                layer.bits = self._binarize(layer)
                bits = layer.bits.reshape(len(index), -1)
                x = padded_signs(bits, layer.outputs * (len(layer.bits) // len(index)))
        # Backward, and the update of each layer's weights.
        g, factors = self._loss_gradient(self.layers[-1], labels), None
        for layer in reversed(self.layers):
            if isinstance(layer, Convolution):
                g, factors = self._convolve_backward(layer, g, factors, len(index))
                self._learn(layer)
                continue
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
        size = layer.sums.shape[1]
        unbiased = np.array([[1], [size / (size - 1)]], F4)
        layer.running += MOMENTUM * (layer.batch[:, :2] * unbiased - layer.running)

    def _binarize(self, layer: Layer) -> NDArray[np.uint8]:
        bits = np.empty((layer.sums.shape[1], -(-layer.outputs // 8)), np.uint8)
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

    # ---- convolutions --------------------------------------------------------------------

    def _convolve(self, layer: Convolution, batch: int) -> None:
        """Compute patches and sums, pooled: (panels, batch x positions, 32)."""
        shape = layer.shape
        size = shape.height * shape.width * shape.channels
        maps = layer.x[:, :size].astype(np.int64)
        maps = maps.reshape(batch, shape.height, shape.width, shape.channels)
        # Bits have -1 around them, pixels 0.
        edge = 0 if layer.index == 0 else -1
        padded = np.pad(maps, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=edge)
        rows, columns = np.arange(shape.height), np.arange(shape.width)
        layer.patches = np.concatenate(
            [padded[:, rows + dy][:, :, columns + dx] for dy in range(3) for dx in range(3)], -1
        )
        if layer.index == 0:
            # Features past the last have weights of 0 here.
            layer.weights[layer.outputs :] = 0
        sums = layer.patches[:, :: shape.stride, :: shape.stride] @ layer.weights.T.astype(np.int64)
        layer.places = None
        if shape.pool:
            height, width = sums.shape[1] // 2, sums.shape[2] // 2
            four = sums[:, : 2 * height, : 2 * width]
            four = four.reshape(batch, height, 2, width, 2, -1).transpose(0, 1, 3, 2, 4, 5)
            four = four.reshape(batch, height, width, 4, -1)
            layer.places, sums = four.argmax(axis=3), four.max(axis=3)
        layer.sums = to_panels(sums.reshape(-1, sums.shape[-1]).astype(np.int32))

    def _convolve_backward(
        self,
        layer: Convolution,
        g: NDArray[Any],
        factors: NDArray[np.float32] | None,
        batch: int,
    ) -> tuple[NDArray[Any], NDArray[np.float32] | None]:
        """Set the gradients; return that of the map's bits in panels, and a factor for each row."""
        assert factors is not None
        assert self._max is not None
        positions = layer.sums.shape[1] // batch
        if len(factors) == batch:
            # From a layer that reads whole maps.
            g = to_panels(from_panels(g, positions * layer.outputs).reshape(-1, layer.outputs))
            factors = np.repeat(factors, positions)
        of_sums = from_panels(self._map_gradient(layer, g, factors, batch), layer.outputs)
        by_image = of_sums.reshape(batch, positions, -1)
        largest = np.abs(by_image).max(axis=1) / F4(self._max)
        column_factors = largest.max(axis=0)
        row_factors = largest.max(axis=1)
        draw = self._draw(layer, COLUMNS)
        columns = round_by(by_image, np.broadcast_to(column_factors, largest.shape), draw)
        rows = round_by(
            by_image, np.repeat(row_factors[:, None], layer.outputs, 1), self._draw(layer, ROWS)
        )
        gradient = np.einsum("byxn,byxk->nk", self._place(layer, columns), layer.patches)
        layer.gradient = np.zeros((layer.outputs, -(-layer.inputs // 32) * 32), np.int32)
        layer.gradient[:, : layer.inputs] = gradient
        layer.factors = np.zeros(32 * len(layer.sums), F4)
        layer.factors[: layer.outputs] = column_factors
        shape = layer.shape
        placed = np.pad(self._place(layer, rows), ((0, 0), (1, 1), (1, 1), (0, 0)))
        weights = layer.weights[: layer.outputs].reshape(layer.outputs, 3, 3, shape.channels)
        handed = np.zeros((batch, shape.height, shape.width, shape.channels), np.int64)
        for dy in range(3):
            for dx in range(3):
                # The sum at y - dy + 1 reads y by tap dy.
                part = placed[:, 2 - dy : 2 - dy + shape.height, 2 - dx : 2 - dx + shape.width]
                handed += part @ weights[:, dy, dx].astype(np.int64)
        layer.handed_back = handed.reshape(-1, shape.channels).astype(np.int32)
        limit = F4(MAX_SUM_GRADIENT) / F4(self._max)
        layer.row_factors = np.repeat(np.minimum(row_factors, limit), shape.height * shape.width)
        return to_panels(layer.handed_back), layer.row_factors

    def _map_gradient(
        self, layer: Convolution, g: NDArray[Any], factors: NDArray[np.float32], batch: int
    ) -> NDArray[np.float32]:
        """Return the gradient of s in panels: as normalize_backward, summed image by image."""
        mean, _, inverse, scale, shift = (layer.batch[:, None, row] for row in range(5))
        s = layer.sums.astype(F4)
        passed = g.astype(F4) * factors[None, :, None]
        passed = np.where(np.abs(s * scale + shift) <= 1, passed, F4(0))
        x = (s - mean) * inverse
        totals = []
        for values in (passed, passed * x):
            total = np.zeros((len(s), 32))
            for image in np.split(values, batch, axis=1):
                of_image = np.zeros((len(s), 32))
                for begin in range(0, image.shape[1], 64):
                    of_image += np.cumsum(image[:, begin : begin + 64], axis=1, dtype=F4)[:, -1]
                total += of_image
            totals.append(total)
        of_bias, of_gain = totals
        layer.parameter_gradient = np.stack([of_gain, of_bias], axis=1).astype(F4)
        rows = s.shape[1]
        mean_gradient, mean_product = ((total / rows).astype(F4)[:, None] for total in totals)
        of_sums: NDArray[np.float32] = scale * (passed - mean_gradient - x * mean_product)
        return of_sums

    def _place(self, layer: Convolution, rounded: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return rounded gradients, (batch, positions, N), where their sums are, 0 elsewhere."""
        shape = layer.shape
        batch, _, features = rounded.shape
        height, width = (-(-side // shape.stride) for side in (shape.height, shape.width))
        sums = np.zeros((batch, height, width, features), np.int64)
        if layer.places is None:
            sums[:] = rounded.reshape(sums.shape)
        else:
            places = layer.places[..., :features]
            values = rounded.reshape(places.shape)
            for place in range(4):
                part = sums[:, place // 2 :: 2, place % 2 :: 2]
                part[:, : places.shape[1], : places.shape[2]] = np.where(places == place, values, 0)
        out = np.zeros((batch, shape.height, shape.width, features), np.int64)
        out[:, :: shape.stride, :: shape.stride] = sums
        return out

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
            assert method.bop_adaptivity is not None
            # In float32, as the learner has it.
            per_rate = np.float32(method.bop_adaptivity / method.learning_rate)
            adaptivity = float(per_rate * np.float32(self._rate))
            bop = {"adaptivity": adaptivity, "threshold": method.bop_threshold}
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
    sizes = [layer.size for layer in engine.layers]
    return Reference(engine._method, sizes, seed, engine.state())


def round_by(
    g: NDArray[np.float32], factors: NDArray[np.float32], draw: tuple[int, int, int]
) -> NDArray[np.int64]:
    """Round gradients, (batch, positions, N), by a factor of each image and feature."""
    batch, positions, features = g.shape
    # An image begins with an even row.
    rows = positions + positions % 2
    random = random16(batch * rows, features, draw).reshape(batch, rows, -1)[:, :positions]
    with np.errstate(divide="ignore"):
        units = np.where(factors >= F4(2.0**-111), F4(65536) / factors, F4(0)).astype(F4)
    scaled: NDArray[np.int64] = (g * units[:, None]).astype(np.int64) + random
    return scaled >> 16


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
