"""A network of binary layers: one training step."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pipeline.config.params import PackedMethod
from pipeline.engines.packed.draws import Draws
from pipeline.engines.packed.layer import BinaryLayer, Incoming
from pipeline.engines.packed.normalization import NetworkNormalization
from pipeline.engines.packed.operands import Bits, Operand, Pixels
from pipeline.engines.packed.weights import BinaryWeights, FlippedWeights, LatentWeights, Rate
from pipeline.engines.packed.workspace import Workspace
from pipeline.engines.phases import Phases

# No training comes near, and the squares of what is restored are far from float32's end.
_MAX_NUMBER = 2.0**40


class PackedNetwork:
    """Binary layers over packed bits (Courbariaux et al. 2016, arXiv 1602.02830, algorithm 1)."""

    def __init__(
        self, method: PackedMethod, widths: Sequence[int], *, seed: int, threads: int
    ) -> None:
        self._threads = threads
        self.workspace = Workspace()
        self.phases = Phases()
        self._rate = Rate()
        self._draws = [Draws(seed, index) for index in range(len(widths) - 1)]
        self._weight_noise = method.weight_noise
        self.normalization = NetworkNormalization(list(widths[1:]), threads)
        self.layers = [
            BinaryLayer(
                _weights(method, fan_out, fan_in, draws, threads),
                normalization,
                fan_in,
                fan_out,
                gradient_bits=method.gradient_bits,
                stochastic=method.activations == "stochastic",
                label_smoothing=method.label_smoothing,
                draws=draws,
                workspace=self.workspace,
                phases=self.phases,
                threads=threads,
            )
            for (fan_in, fan_out), draws, normalization in zip(
                pairwise(widths), self._draws, self.normalization.layers, strict=True
            )
        ]

    def train_batch(
        self,
        images: NDArray[np.uint8],
        index: NDArray[np.int64],
        labels: NDArray[np.uint8],
        learning_rate: float,
        progress: float,
    ) -> None:
        """Take one step on the images that `index` names. See `pipeline.engines.engine.Engine`."""
        self.phases.enter("forward")
        self._rate.advance(learning_rate)
        noise = self._noise(progress)
        x: Operand = Pixels(images, self.layers[0].inputs, index, self._threads)
        inputs = [x]
        for layer in self.layers[:-1]:
            layer.forward(inputs[-1], noise)
            inputs.append(Bits(layer.bits, layer.outputs, self._threads))
        incoming = _by_panels(self.layers[-1].forward_to_loss(inputs[-1], labels, noise))
        self.phases.enter("backward")
        for number in reversed(range(len(self.layers))):
            assert incoming is not None
            incoming = self.layers[number].backward(
                inputs[number],
                incoming,
                self._rate,
                last=number == len(self.layers) - 1,
                first=number == 0,
            )
        self.phases.enter("optimizer")
        self.normalization.update(self._rate)
        for draws in self._draws:
            draws.step += 1
        self.phases.enter(None)

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Return all that steps leave to later ones, by name. See `pipeline.engines.engine.Engine`."""
        return {
            "powers": np.array(self._rate.powers),
            "steps": np.array([self._draws[0].step]),
            **self._arrays(),
        }

    def restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Take over a `state`. See `pipeline.engines.engine.Engine`."""
        power1, power2 = (float(power) for power in state["powers"])
        steps = int(state["steps"][0])
        # The kernels take steps of 32 bits, at the end of the training, too.
        if not (0 <= power1 <= 1 and 0 <= power2 <= 1 and 0 <= steps < 2**31):
            raise ValueError("its powers or steps are out of range")
        for name in self._arrays():
            if not _possible(name, state[name]):
                raise ValueError(f"{name} has a number out of range")
        self._rate.powers = power1, power2
        for draws in self._draws:
            draws.step = steps
        for name, array in self._arrays().items():
            array[...] = state[name]

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        arrays: dict[str, NDArray[np.generic]] = {}
        for index, layer in enumerate(self.layers):
            for name, array in layer.weights.arrays().items():
                arrays[f"layers.{index}.{name}"] = array
        for name, array in self.normalization.arrays().items():
            arrays[f"normalization.{name}"] = array
        return arrays

    def _noise(self, progress: float) -> float:
        if self._weight_noise is None:
            return 0.0
        # Squared: most of the training is then spent near the network that predicts. A product: the
        # last bit of a power is up to the platform.
        return 1.0 if self._weight_noise == "constant" else (1 - progress) * (1 - progress)


def _possible(name: str, array: NDArray[np.generic]) -> bool:
    """Tell whether a training may hold these numbers: all that they lead to is then finite."""
    if array.dtype == np.uint16:
        # The upper half of a float32.
        numbers = (array.astype(np.uint32) << 16).view(np.float32)
    elif array.dtype == np.float32:
        numbers = array.astype(np.float32, copy=False)
    else:
        return True
    if name.startswith("normalization.running."):
        # Means, and below each its variances.
        squares = numbers[1::2]
    else:
        squares = numbers if name.endswith(".v") else numbers[:0]
    return bool((np.abs(numbers) <= _MAX_NUMBER).all() and (squares >= 0).all())


def _by_panels(gradient: NDArray[np.float32]) -> Incoming | None:
    # Nothing else holds on to the gradient: its memory is free for what a layer before needs.
    return lambda panels: (gradient[panels.range], None)


def _weights(
    method: PackedMethod, outputs: int, inputs: int, draws: Draws, threads: int
) -> BinaryWeights:
    # What belongs to the other optimizer is None: see `PackedMethod`.
    if method.optimizer == "bop":
        assert method.bop_adaptivity is not None
        assert method.bop_threshold is not None
        return FlippedWeights(
            outputs,
            inputs,
            adaptivity=method.bop_adaptivity,
            threshold=method.bop_threshold,
            draws=draws,
            threads=threads,
        )
    assert method.latent_range is not None
    assert method.state_bits is not None
    return LatentWeights(
        outputs,
        inputs,
        latent_range=method.latent_range,
        state_bits=method.state_bits,
        draws=draws,
        threads=threads,
    )
