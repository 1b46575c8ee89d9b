"""A binary layer: linear, batch normalization, binarization; forward and backward.

Between the two it holds its output's bits and, per feature, the batch's statistics. The integer
sums s are held a block of features at a time, and computed again for the backward pass unless the
block is still there; float32 gradients are held a part of a block at a time.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import binary_kernels as kernels
import numpy as np
from numpy.typing import NDArray

from pipeline.engines.packed.draws import Draws, Purpose
from pipeline.engines.packed.encoding import padded
from pipeline.engines.packed.normalization import EPSILON, PANEL, Normalization
from pipeline.engines.packed.operands import Operand
from pipeline.engines.packed.weights import BinaryWeights, Rate
from pipeline.engines.packed.workspace import Workspace, own_memory
from pipeline.engines.phases import Phases

# Four panels at a batch of 5,000, the fewest that the products of pixels take together. Twice as
# many save a fifth of the time there, for tables of the inputs that every block builds anew, and
# take a tenth more memory.
SUMS_BYTES = 5 * 2**18
# The float32 gradients of a part: two panels at a batch of 5,000, so that two threads have work.
GRADIENT_BYTES = 5 * 2**18
# Rounded gradients, a byte each, of the features whose weight gradient is computed together.
COLUMNS_BYTES = 5 * 2**17
# The weight gradient that is held at a time: enough for 1024 features of 784 pixels, where smaller
# ones cost calls at a small batch and save nothing at a large one.
WEIGHT_GRADIENT_BYTES = 7 * 2**19

# Largest absolute value of a gradient rounded to so many bits. Eight bits are two nibbles of
# -7..7 and 0..15, which gives 112.
MOST = {2: 1, 4: 7, 8: 112}


@dataclass(frozen=True)
class Panels:
    """Panels [first, last) of a layer's features, 32 features each.

    Attributes:
        range: the panels in arrays of panels.
    """

    first: int
    last: int
    range: slice = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "range", slice(self.first, self.last))

    @property
    def size(self) -> int:
        """How many panels these are."""
        return self.last - self.first

    def divide(self, size: int) -> tuple["Panels", ...]:
        """Return pieces of `size` panels, the last one perhaps smaller."""
        return _divide(self.first, self.last, size)


# Every step divides its work in the same way.
@cache
def _divide(first: int, last: int, size: int) -> tuple[Panels, ...]:
    starts = range(first, last, size)
    return tuple(Panels(start, min(start + size, last)) for start in starts)


# The gradient that a layer's output gets: (panels, batch, 32), and a factor for every row or None.
Incoming = Callable[[Panels], tuple[NDArray[Any], NDArray[np.float32] | None]]


class BinaryLayer:
    """s = x Wb^T, a = BatchNorm(s), bits = Binarize(a).

    Attributes:
        bits: (batch, ceil(N / 8)) uint8 of the last forward pass.
    """

    def __init__(
        self,
        weights: BinaryWeights,
        normalization: Normalization,
        inputs: int,
        outputs: int,
        *,
        gradient_bits: int,
        stochastic: bool,
        label_smoothing: float,
        draws: Draws,
        workspace: Workspace,
        phases: Phases,
        threads: int,
    ) -> None:
        self.weights, self.normalization = weights, normalization
        self.inputs, self.outputs = inputs, outputs
        self._most = MOST.get(gradient_bits)
        self._stochastic, self._phases = stochastic, phases
        self._smoothing = label_smoothing
        self._draws, self._workspace, self._threads = draws, workspace, threads
        self._panels = Panels(0, padded(outputs) // PANEL)
        self._sums_name = f"sums {draws.layer}"
        self.bits = np.empty((0, 0), np.uint8)
        self._rows = np.empty((0, 0), np.uint8)
        self._weight_panels = np.empty((0, 0, 0), np.uint8)
        self._held: Panels | None = None

    # ---- forward -------------------------------------------------------------------------

    def forward(self, x: Operand, noise: float) -> None:
        """Compute the statistics of s and the bits of the batch x.

        Args:
            x: the inputs, (batch, K).
            noise: the amplitude of the weights' stochastic binarization, 0 for deterministic.
        """
        if self.bits.shape[0] != len(x):
            self.bits = own_memory((len(x), -(-self.outputs // 8)), np.uint8)
        draw = self._draws.of(Purpose.ACTIVATIONS) if self._stochastic else None
        for block, sums in self._forward_blocks(x, noise, whole=False):
            self._phases.enter("normalization")
            kernels.binarize(
                sums,
                self.normalization.batch[block.range],
                self.outputs,
                self.bits,
                block.first,
                draw,
                threads=self._threads,
            )
            self._phases.enter("forward")

    def forward_to_loss(
        self, x: Operand, labels: NDArray[np.uint8], noise: float
    ) -> NDArray[np.float32]:
        """As the last layer: return the gradient of the loss by a, (panels, batch, 32)."""
        # Softmax needs all classes of an image.
        ((_, sums),) = self._forward_blocks(x, noise, whole=True)
        gradient = self._workspace.array("gradient", sums.shape, np.float32)
        kernels.softmax_gradient(
            sums,
            self.normalization.batch,
            labels,
            self.outputs,
            gradient,
            smoothing=self._smoothing,
            threads=self._threads,
        )
        return gradient

    def _forward_blocks(
        self, x: Operand, noise: float, *, whole: bool
    ) -> Iterator[tuple[Panels, NDArray[Any]]]:
        self._rows = self.weights.pack(noise)
        self._weight_panels = kernels.interleave(self._rows, threads=self._threads)
        self._held = None
        for block in self._blocks(x, whole=whole):
            sums = self._sums(x, block)
            self._phases.enter("normalization")
            kernels.batch_statistics(
                sums,
                self.normalization.parameters[block.range],
                EPSILON,
                self.normalization.batch[block.range],
                threads=self._threads,
            )
            self._phases.enter("forward")
            yield block, sums
        self._phases.enter("normalization")
        self.normalization.update_running(len(x))
        self._phases.enter("forward")

    def _blocks(self, x: Operand, *, whole: bool) -> tuple[Panels, ...]:
        if whole:
            return (self._panels,)
        of_panel = len(x) * PANEL * np.dtype(x.sums_type).itemsize
        return self._panels.divide(max(2, SUMS_BYTES // of_panel))

    def _sums(self, x: Operand, block: Panels) -> NDArray[Any]:
        """Return s of a block, computed unless it is the one that is held."""
        shape = (block.size, len(x), PANEL)
        sums = self._workspace.array(self._sums_name, shape, x.sums_type)
        if self._held != block:
            x.multiply(self._weight_panels[block.range], sums)
            self._held = block
        return sums

    # ---- backward ------------------------------------------------------------------------

    def backward(
        self, x: Operand, incoming: Incoming, rate: Rate, *, last: bool, first: bool
    ) -> Incoming | None:
        """Learn from the gradient of this layer's output, and hand on that of its input.

        Args:
            x: the inputs of the forward pass.
            incoming: gives the gradient of the bits by panels; of a in the last layer.
            rate: of this step.
            last: whether this is the last layer, which binarizes nothing.
            first: whether nothing learns from the input's gradient.

        Returns:
            What gives the gradient of x by panels of its features, or None for the first layer.
        """
        batch = len(x)
        of_sums = None
        if not first:
            # All features of an image share its factor.
            shape = (self._panels.size, batch, PANEL)
            of_sums = self._workspace.array("gradient", shape, np.float32)
        part_size = max(2, GRADIENT_BYTES // (batch * PANEL * 4))
        group_size = max(2, COLUMNS_BYTES // (padded(batch) * PANEL))
        for block in reversed(self._blocks(x, whole=last)):
            sums = self._sums(x, block)
            for group in block.divide(group_size):
                columns = self._columns(group, batch)
                for part in group.divide(part_size):
                    gradient, factor = incoming(part)
                    if of_sums is None:
                        shape = (part.size, batch, PANEL)
                        out = self._workspace.array("gradient", shape, np.float32)
                    else:
                        out = of_sums[part.range]
                    self._phases.enter("normalization")
                    kernels.normalize_backward(
                        sums[part.first - block.first : part.last - block.first],
                        self.normalization.batch[part.range],
                        gradient,
                        factor,
                        not last,
                        out,
                        self.normalization.gradient[part.range],
                        threads=self._threads,
                    )
                    self._phases.enter("backward")
                    columns.put(part, out)
                # The gradient that comes in from behind the last layer is read no more.
                self._learn(x, columns, rate, "input gradient" if last else "transposed")
        return None if of_sums is None else self._input_gradient(of_sums)

    def _columns(self, group: Panels, batch: int) -> "_Columns":
        start = group.first * PANEL
        count = min(group.last * PANEL, self.outputs) - start
        if self._most is None:
            exact = self._workspace.array("columns", (count, batch), np.float32)
            return _Columns(start, exact, None, None, self._draws, self._threads)
        return _Columns(
            start,
            self._workspace.array("columns", (count, padded(batch)), np.int8),
            self._workspace.array("column factors", (group.size * PANEL,), np.float32),
            self._most,
            self._draws,
            self._threads,
        )

    def _learn(self, x: Operand, columns: "_Columns", rate: Rate, scratch: str) -> None:
        """Compute the weight gradient of a group's features and update their weights."""
        memory = partial(self._workspace.array, scratch, dtype=np.uint8)
        width = padded(self.inputs)
        size = max(PANEL, WEIGHT_GRADIENT_BYTES // (width * 4) // PANEL * PANEL)
        number = np.float32 if columns.most is None else np.int32
        for start in range(0, len(columns.values), size):
            values = columns.values[start : start + size]
            gradient = self._workspace.array("weight gradient", (len(values), width), number)
            if columns.most is None:
                x.exact_gradient(values, gradient)
                factors = None
            else:
                x.gradient(values, columns.most, gradient, memory)
                assert columns.factors is not None
                factors = columns.factors[start : start + size]
            self._phases.enter("optimizer")
            self.weights.update(columns.start + start, gradient, factors, rate)
            self._phases.enter("backward")

    def _input_gradient(self, g: NDArray[np.float32]) -> Incoming:
        """Return what gives g Wb by panels of input features, with this step's bits."""
        batch = g.shape[1]
        if self._most is None:
            rows = np.ascontiguousarray(g.transpose(1, 0, 2)).reshape(batch, -1)
            shape = (padded(self.inputs) // PANEL, batch, PANEL)
            exact = self._workspace.array("input gradient", shape, np.float32)
            kernels.floats_by_bits(rows, self._rows, self.outputs, exact, threads=self._threads)
            return lambda panels: (exact[panels.range], None)
        most = self._most
        rounded = self._workspace.array("rows", (batch, self._panels.size * PANEL), np.int8)
        factors = self._workspace.array("row factors", (batch,), np.float32)
        kernels.round_rows(
            g,
            self.outputs,
            most,
            rounded,
            factors,
            self._draws.of(Purpose.ROWS),
            threads=self._threads,
        )
        weights = np.empty((padded(self.inputs) // PANEL, -(-self.outputs // 8), PANEL), np.uint8)
        kernels.transpose(self._rows, self.inputs, weights, threads=self._threads)
        return partial(self._input_gradient_of, rounded, factors, weights)

    def _input_gradient_of(
        self,
        rounded: NDArray[np.int8],
        factors: NDArray[np.float32],
        weights: NDArray[np.uint8],
        panels: Panels,
    ) -> tuple[NDArray[Any], NDArray[np.float32]]:
        assert self._most is not None
        number = np.int16 if self.outputs * self._most < 2**15 else np.int32
        shape = (panels.size, len(rounded), PANEL)
        product = self._workspace.array("input gradient", shape, number)
        kernels.gradients_by_bits(
            rounded,
            weights[panels.range],
            self.outputs,
            self._most,
            product,
            threads=self._threads,
        )
        return product, factors

    # ---- accounts ------------------------------------------------------------------------

    def weight_bytes(self) -> int:
        """Return the bytes of weights: latent, packed, and of batch normalization."""
        packed = self._rows.nbytes + self._weight_panels.nbytes
        normalization = self.normalization.parameters.nbytes + self.normalization.running.nbytes
        return self.weights.weight_bytes() + packed + normalization

    def saved_bytes(self) -> int:
        """Return the bytes of bits, statistics and sums kept for the backward pass."""
        sums = self._workspace.bytes_of(self._sums_name)
        return self.bits.nbytes + self.normalization.batch.nbytes + sums

    @property
    def sums_name(self) -> str:
        """What the workspace calls this layer's sums."""
        return self._sums_name


class _Columns:
    """The gradient of a group's sums as the weight gradient reads it: a feature a row.

    Attributes:
        start: the first feature's number in the layer.
        values: (features, batch padded) int8, or (features, batch) float32 where exact.
        factors: (features padded) float32, of the integers.
        most: the largest integer, or None where exact.
    """

    def __init__(
        self,
        start: int,
        values: NDArray[Any],
        factors: NDArray[np.float32] | None,
        most: int | None,
        draws: Draws,
        threads: int,
    ) -> None:
        self.start, self.values, self.factors, self.most = start, values, factors, most
        self._draws, self._threads = draws, threads

    def put(self, part: Panels, g: NDArray[np.float32]) -> None:
        """Take in the gradient of a part's sums, (panels, batch, 32) float32."""
        begin, end = part.first * PANEL - self.start, part.last * PANEL - self.start
        values = self.values[begin:end]
        if self.most is None:
            batch = g.shape[1]
            values[:] = g.transpose(0, 2, 1).reshape(-1, batch)[: len(values)]
            return
        assert self.factors is not None
        kernels.round_columns(
            g,
            len(values),
            self.most,
            values,
            self.factors[begin:end],
            self._draws.of(Purpose.COLUMNS),
            part.first,
            threads=self._threads,
        )
