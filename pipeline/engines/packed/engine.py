"""The packed engine: a binary network that trains in bits.

A step follows algorithm 1 of Courbariaux et al. 2016 ("Binarized Neural Networks", arXiv
1602.02830). It is one call of the kernels, `Trainer.step` in kernels/training.cpp, because Python
between the kernels would take a quarter of a small network's step. tests/reference.py has the same
step in Python.
"""

from collections.abc import Mapping
from pathlib import Path

import binary_kernels as kernels
import numpy as np
from numpy.typing import NDArray

from pipeline.common.errors import PipelineError
from pipeline.config.architecture import Architecture
from pipeline.config.params import PackedMethod
from pipeline.engines.packed.layer import BinaryLayer, layer_sizes
from pipeline.engines.packed.model import PackedModel, fold
from pipeline.engines.packed.normalization import EPSILON, MOMENTUM, NetworkNormalization
from pipeline.engines.packed.predictor import Predictor
from pipeline.engines.packed.rate import BETA1, BETA2, Rate
from pipeline.engines.packed.rate import EPSILON as ADAM_EPSILON
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
    """

    def __init__(
        self, method: PackedMethod, architecture: Architecture, *, seed: int, threads: int
    ) -> None:
        """Build a freshly initialized network. See `create_engine`."""
        sizes = list(layer_sizes(architecture))
        maps = [size.map for size in sizes if size.map is not None]
        if maps and MAX_GRADIENT[method.gradient_bits] is None:
            raise PipelineError(
                f"{architecture.name}: convolutions train with gradients of 2, 4 or 8 bits, and "
                f"gradient_bits is {method.gradient_bits}"
            )
        self._normalization = NetworkNormalization([size.outputs for size in sizes])
        self.layers = [
            BinaryLayer(
                size,
                create_weights(method, index, size.inputs, size.outputs, seed),
                self._normalization.layers[index],
            )
            for index, size in enumerate(sizes)
        ]
        self._name, self._method, self._threads = architecture.name, method, threads
        self._rate, self._steps = Rate(), 0
        self._trainer = kernels.Trainer(
            [layer.weights.learner() for layer in self.layers],
            [layer.normalization.running for layer in self.layers],
            self._normalization.parameters,
            *self._normalization.moments,
            max_gradient=MAX_GRADIENT[method.gradient_bits],
            stochastic=method.activations == "stochastic",
            label_smoothing=method.label_smoothing,
            epsilon=EPSILON,
            momentum=MOMENTUM,
            beta1=BETA1,
            beta2=BETA2,
            adam_epsilon=ADAM_EPSILON,
            seed=seed,
            threads=threads,
            convolutions=[each.as_tuple() for each in maps],
        )
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
        if len(index) > self._trainer.max_batch:
            raise PipelineError(
                f"a batch of {len(index)} images is too large for {self._name}: with gradient_bits "
                f"{self._method.gradient_bits} its sums hold {self._trainer.max_batch} at most"
            )
        self._predictor = None
        rate = self._rate
        rate.advance(learning_rate)
        self._trainer.step(
            images,
            index,
            labels,
            learning_rate=rate.learning_rate,
            step_size=rate.step_size,
            correction=rate.correction,
            correction_before=rate.correction_before,
            weight_noise=self._weight_noise(progress),
            number=self._steps,
        )
        self._steps += 1

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return (batch, classes) logits. See `Engine`."""
        if self._predictor is None:
            self._predictor = Predictor(self.model(), self._threads)
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
            "powers": np.array(self._rate.powers),
            "steps": np.array([self._steps]),
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
        self._rate.powers = power1, power2
        self._steps = step
        for name, array in self._arrays().items():
            array[...] = state[name]

    def parameter_count(self) -> int:
        """Return how many weights and batch normalization parameters training learns."""
        return sum(layer.inputs * layer.outputs + 2 * layer.outputs for layer in self.layers)

    def phase_seconds(self) -> Mapping[str, float]:
        """Return the seconds of every phase so far. See `Engine`."""
        # The batch is read where it lies: no time goes to data.
        return {"data": 0.0, **self._trainer.seconds()}

    def tell_normalization_apart(self) -> None:
        """Do nothing: it always is. See `Engine`."""

    def memory_breakdown(
        self, images: NDArray[np.uint8], index: NDArray[np.int64], labels: NDArray[np.uint8]
    ) -> Mapping[str, int]:
        """Return the bytes of a training step by kind. See `Engine`."""
        step = self._trainer.bytes()
        state = sum(layer.weights.state_bytes() for layer in self.layers)
        weights = sum(layer.weights.weight_bytes() for layer in self.layers)
        return {
            **step,
            "weights": step["weights"] + weights + self._normalization.weight_bytes(),
            "optimizer_state": state + self._normalization.state_bytes(),
            "input": index.nbytes,
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


def _is_possible(name: str, array: NDArray[np.generic]) -> bool:
    """Tell whether a training may hold these numbers: all that they lead to is then finite."""
    if array.dtype != np.float32:
        return True
    numbers = array.astype(np.float32, copy=False)
    if name.startswith("normalization.running."):
        # The rows are means and variances in turn.
        squares = numbers[1::2]
    else:
        squares = numbers if name.endswith(".v") else numbers[:0]
    return bool((np.abs(numbers) <= _MAX_NUMBER).all() and (squares >= 0).all())
