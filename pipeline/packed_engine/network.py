"""A network of binary layers: one training step."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pipeline.packed_engine.draws import Draws
from pipeline.packed_engine.layer import BinaryLayer, Incoming
from pipeline.packed_engine.normalization import NetworkNormalization
from pipeline.packed_engine.operands import Bits, Operand, Pixels
from pipeline.packed_engine.weights import BinaryWeights, FlippedWeights, LatentWeights, Rate
from pipeline.packed_engine.workspace import Workspace
from pipeline.params import PackedMethod
from pipeline.phases import Phases


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
        """Take one step on the images that `index` names. See `pipeline.engine.Engine`."""
        self.phases.enter("forward")
        self._rate.advance(learning_rate)
        noise = self._noise(progress)
        x: Operand = Pixels(images, self.layers[0].inputs, index, self._threads)
        inputs = [x]
        for layer in self.layers[:-1]:
            layer.forward(inputs[-1], noise)
            inputs.append(Bits(layer.bits, layer.outputs, self._threads))
        gradient = self.layers[-1].forward_to_loss(inputs[-1], labels, noise)
        self.phases.enter("backward")
        incoming: Incoming | None = lambda panels: (gradient[panels.range], None)  # noqa: E731
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

    def _noise(self, progress: float) -> float:
        if self._weight_noise is None:
            return 0.0
        # Squared: most of the training is then spent near the network that predicts.
        return 1.0 if self._weight_noise == "constant" else (1 - progress) ** 2


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
