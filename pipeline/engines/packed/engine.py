"""The packed engine: a binary network that trains in bits.

A step follows algorithm 1 of Courbariaux et al. 2016 ("Binarized Neural Networks", arXiv
1602.02830). `PackedEngine.train_batch` is that algorithm, and `BinaryLayer` has a layer's part.
"""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.config.architecture import Architecture
from pipeline.config.params import PackedMethod
from pipeline.engines.packed.layer import BinaryLayer, Incoming
from pipeline.engines.packed.model import PackedModel, fold
from pipeline.engines.packed.normalization import NetworkNormalization
from pipeline.engines.packed.operands import Bits, Operand, Pixels
from pipeline.engines.packed.predictor import Predictor
from pipeline.engines.packed.random_stream import RandomStream
from pipeline.engines.packed.step import StepContext
from pipeline.engines.packed.weights import create_weights

# The largest absolute value of a gradient rounded to so many bits. Eight bits are two nibbles of
# -7..7 and 0..15, which gives 112. Gradients of 32 bits are exact.
MAX_GRADIENT = {2: 1, 4: 7, 8: 112, 32: None}
# No training comes near this number, and its square is far below float32's largest.
_MAX_NUMBER = 2.0**40


class PackedEngine:
    """Fulfils `pipeline.engines.engine.Engine` with packed bits, on the CPU, without torch.

    Attributes:
        layers: from the pixels to the classes.
        context: what the layers share in a step.
    """

    def __init__(
        self, method: PackedMethod, architecture: Architecture, *, seed: int, threads: int
    ) -> None:
        """Build a freshly initialized network. See `create_engine`."""
        self.context = StepContext(
            threads=threads,
            random=RandomStream(seed),
            max_gradient=MAX_GRADIENT[method.gradient_bits],
            stochastic=method.activations == "stochastic",
            label_smoothing=method.label_smoothing,
        )
        widths = architecture.widths
        self._normalization = NetworkNormalization(widths[1:])
        self.layers = [
            BinaryLayer(
                index,
                inputs,
                outputs,
                create_weights(method, index, inputs, outputs, seed),
                self._normalization.layers[index],
                last=index == len(widths) - 2,
            )
            for index, (inputs, outputs) in enumerate(pairwise(widths))
        ]
        self._method = method
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
        context, phases = self.context, self.context.phases
        self._predictor = None
        phases.enter("forward")
        context.rate.advance(learning_rate)
        context.weight_noise = self._weight_noise(progress)
        x: Operand = Pixels(images, self.layers[0].inputs, index, context.threads)
        inputs = [x]
        for layer in self.layers[:-1]:
            layer.forward(inputs[-1], context)
            inputs.append(Bits(layer.bits, layer.outputs, context.threads))
        incoming = _by_panels(self.layers[-1].forward_to_loss(inputs[-1], labels, context))
        phases.enter("backward")
        for layer in reversed(self.layers):
            assert incoming is not None
            # Each layer updates and clips its weights here, when their gradient is there.
            incoming = layer.backward(inputs.pop(), incoming, context)
        phases.enter("optimizer")
        self._normalization.update(context)
        context.random.step += 1
        phases.enter(None)

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return (batch, classes) logits. See `Engine`."""
        if self._predictor is None:
            self._predictor = Predictor(self.model(), self.context.threads)
        return self._predictor.encoded_logits(images)

    def model(self) -> PackedModel:
        """Return the network that predicts.

        Raises:
            PipelineError: the training diverged.
        """
        method = self._method
        return fold(self.layers, method.pixel_bits, method.pixel_gamma, method.prediction_passes)

    def save(self, path: Path) -> None:
        """Write the model that predicts: see `pipeline.engines.packed.model`."""
        self.model().save(path)

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Return what training goes on from. See `Engine`."""
        return {
            "powers": np.array(self.context.rate.powers),
            "steps": np.array([self.context.random.step]),
            **self._arrays(),
        }

    def restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Go on from `state`. See `Engine`."""
        power1, power2 = (float(power) for power in state["powers"])
        step = int(state["steps"][0])
        # The kernels take steps of 32 bits, and must still do so at the end of the training.
        if not (0 <= power1 <= 1 and 0 <= power2 <= 1 and 0 <= step < 2**31):
            raise ValueError("its powers or steps are out of range")
        for name in self._arrays():
            if not _is_possible(name, state[name]):
                raise ValueError(f"{name} has a number out of range")
        self._predictor = None
        self.context.rate.powers = power1, power2
        self.context.random.step = step
        for name, array in self._arrays().items():
            array[...] = state[name]

    def parameter_count(self) -> int:
        """Return how many weights and batch normalization parameters training learns."""
        return sum(layer.inputs * layer.outputs + 2 * layer.outputs for layer in self.layers)

    def phase_seconds(self) -> Mapping[str, float]:
        """Return the seconds of every phase so far. See `Engine`."""
        return self.context.phases.seconds()

    def tell_normalization_apart(self) -> None:
        """Do nothing: it always is. See `Engine`."""

    def memory_breakdown(
        self, images: NDArray[np.uint8], index: NDArray[np.int64], labels: NDArray[np.uint8]
    ) -> Mapping[str, int]:
        """Return the bytes of a training step by kind. See `Engine`."""
        workspace, layers = self.context.workspace, self.layers
        gradients = workspace.bytes_of("weight gradient")
        sums = workspace.bytes_of(*(layer.sums_name for layer in layers))
        state = sum(layer.weights.state_bytes() for layer in layers)
        return {
            "weights": sum(layer.weight_bytes() for layer in layers),
            "gradients": gradients,
            "optimizer_state": state + self._normalization.state_bytes(),
            "saved_activations": sum(layer.saved_bytes() for layer in layers) + sums,
            "input": index.nbytes,
            "temporaries": workspace.nbytes - gradients - sums,
        }

    def _weight_noise(self, progress: float) -> float:
        if self._method.weight_noise is None:
            return 0.0
        if self._method.weight_noise == "constant":
            return 1.0
        # Squared, so that most of the training is spent near the network that predicts. A product,
        # because the last bit of a power is up to the platform.
        return (1 - progress) * (1 - progress)

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        arrays: dict[str, NDArray[np.generic]] = {}
        for index, layer in enumerate(self.layers):
            for name, array in layer.weights.arrays().items():
                arrays[f"layers.{index}.{name}"] = array
        for name, array in self._normalization.arrays().items():
            arrays[f"normalization.{name}"] = array
        return arrays


def _by_panels(gradient: NDArray[np.float32]) -> Incoming | None:
    # Nothing else holds on to the gradient: its memory is free for what a layer before needs.
    return lambda panels: (gradient[panels.range], None)


def _is_possible(name: str, array: NDArray[np.generic]) -> bool:
    """Tell whether a training may hold these numbers: all that they lead to is then finite."""
    if array.dtype == np.uint16:
        # A bfloat16 is the upper half of a float32.
        numbers = (array.astype(np.uint32) << 16).view(np.float32)
    elif array.dtype == np.float32:
        numbers = array.astype(np.float32, copy=False)
    else:
        return True
    if name.startswith("normalization.running."):
        # The rows are means and variances in turn.
        squares = numbers[1::2]
    else:
        squares = numbers if name.endswith(".v") else numbers[:0]
    return bool((np.abs(numbers) <= _MAX_NUMBER).all() and (squares >= 0).all())
