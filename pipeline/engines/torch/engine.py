"""The torch engine: one training step, prediction, model file."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional

from pipeline.config.architecture import Architecture
from pipeline.config.params import TorchMethod
from pipeline.engines.phases import Phases
from pipeline.engines.torch.allocator import keep_freed_memory
from pipeline.engines.torch.memory_breakdown import measure_memory
from pipeline.engines.torch.memory_errors import memory_errors
from pipeline.engines.torch.network import BinaryLayer, build_network
from pipeline.engines.torch.normalization_phase import tell_apart
from pipeline.engines.torch.state import restore, state_of


class TorchEngine:
    """Fulfils `pipeline.engines.engine.Engine` with torch on the CPU."""

    @memory_errors()
    def __init__(
        self, method: TorchMethod, architecture: Architecture, *, seed: int, threads: int
    ) -> None:
        """Build a freshly initialized network. See `create_engine`."""
        torch.set_num_threads(threads)
        keep_freed_memory()
        # The same seed must give the same model, to the byte.
        torch.use_deterministic_algorithms(True)
        # That mode also overwrites all fresh memory, to show reads of what was never written. The
        # baseline has none, and must not pay for it.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        generator = torch.Generator().manual_seed(seed)
        self._network = build_network(method, architecture, generator)
        is_random = "stochastic" in (method.weights, method.activations)
        self._generator = generator if is_random else None
        self._binary_layers = [m for m in self._network if isinstance(m, BinaryLayer)]
        self._optimizer = _optimizer(method, self._network)
        self._pixel_bits = method.pixel_bits
        self._phases = Phases()
        self._smoothing = method.label_smoothing
        self._anneals = method.weight_noise == "annealed"

    @memory_errors()
    def train_batch(
        self,
        images: NDArray[np.uint8],
        index: NDArray[np.int64],
        labels: NDArray[np.uint8],
        learning_rate: float,
        progress: float,
    ) -> None:
        """Take one step: forward, backward, update, clip. See `Engine`."""
        self._phases.enter("optimizer")
        self._optimizer.param_groups[0]["lr"] = learning_rate
        if self._anneals:
            for layer in self._binary_layers:
                # Squared, so that most of the training is spent near the network that predicts.
                layer.noise = (1 - progress) ** 2
        self._optimizer.zero_grad(set_to_none=True)
        self._phases.enter("data")
        batch = self._input(images[index])
        self._phases.enter("forward")
        loss = self._loss(batch, labels)
        self._phases.enter("backward")
        loss.backward()  # type: ignore[no-untyped-call]
        self._phases.enter("optimizer")
        self._optimizer.step()
        for layer in self._binary_layers:
            layer.clip()
        self._phases.enter(None)

    def phase_seconds(self) -> Mapping[str, float]:
        """Return the seconds of every phase so far. See `Engine`."""
        return self._phases.seconds()

    def tell_normalization_apart(self) -> None:
        """Time batch normalization by hooks. See `Engine`."""
        tell_apart(self._network, self._phases)

    @memory_errors()
    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return (batch, classes) logits. See `Engine`."""
        self._network.eval()
        with torch.inference_mode():
            logits: NDArray[np.float32] = self._network(self._input(images)).numpy()
        self._network.train()
        return logits

    def save(self, path: Path) -> None:
        """Write all parameters and batch normalization's statistics as safetensors."""
        # Serialized in memory first, so that a full disk is an OSError like any other.
        path.write_bytes(save(self._network.state_dict()))

    def state(self) -> Mapping[str, NDArray[np.generic]]:
        """Return what training goes on from. See `Engine`."""
        return state_of(self._network, self._optimizer, self._generator)

    def restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """Go on from `state`. See `Engine`."""
        restore(state, self._network, self._optimizer, self._generator)

    def parameter_count(self) -> int:
        """Return how many numbers training learns."""
        return sum(parameter.numel() for parameter in self._network.parameters())

    @memory_errors()
    def memory_breakdown(
        self, images: NDArray[np.uint8], index: NDArray[np.int64], labels: NDArray[np.uint8]
    ) -> Mapping[str, int]:
        """Return the bytes of a training step by kind. See `Engine`."""
        batch = self._input(images[index])
        return measure_memory(
            self._network, self._optimizer, batch, lambda: self._loss(batch, labels)
        )

    def _loss(self, batch: Tensor, labels: NDArray[np.uint8]) -> Tensor:
        logits = self._network(batch)
        return functional.cross_entropy(
            logits, torch.from_numpy(labels).long(), label_smoothing=self._smoothing
        )

    def _input(self, images: NDArray[np.uint8]) -> Tensor:
        """Return float32 pixels: in [0, 1] for 8 bits, else the integer of the top bits.

        Integers keep the first layer's sums exact; batch normalization makes the scale
        irrelevant to what the network can learn.
        """
        pixels = torch.from_numpy(images)
        if self._pixel_bits == 8:
            return pixels.float().div_(255)
        return (pixels >> (8 - self._pixel_bits)).float()


def _optimizer(method: TorchMethod, network: nn.Module) -> torch.optim.Optimizer:
    parameters, rate, decay = network.parameters(), method.learning_rate, method.weight_decay
    if method.optimizer == "adam":
        # Decoupled weight decay (AdamW) is Adam itself where weight_decay is 0. The fused
        # form is the fastest that torch has on a CPU.
        return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay, fused=True)
    momentum = 0.9 if method.optimizer == "momentum" else 0.0
    return torch.optim.SGD(parameters, lr=rate, momentum=momentum, weight_decay=decay, fused=True)
