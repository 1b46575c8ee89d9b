"""A binary layer: linear, batch normalization, binarization; forward and backward.

From the forward to the backward pass a layer keeps its output's bits and, per feature, the batch's
statistics. It computes the integer sums s block by block, a block being some of its features, and
computes a block's sums again for the backward pass unless they are still there. Within a block, it
handles float32 gradients part by part.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import binary_kernels as kernels
import numpy as np
from numpy.typing import NDArray

from pipeline.engines.packed.encoding import padded
from pipeline.engines.packed.normalization import EPSILON, PANEL, Normalization
from pipeline.engines.packed.operands import Operand
from pipeline.engines.packed.random_stream import Purpose, StreamKey
from pipeline.engines.packed.step import StepContext
from pipeline.engines.packed.weights import BinaryWeights
from pipeline.engines.packed.workspace import own_memory

# The sums of a block: four panels at a batch of 5,000, which is what the products of pixels take
# together. Twice as many would save a fifth of the time there, since every block builds tables of
# the inputs, and would take a tenth more memory.
SUMS_BYTES = 5 * 2**18
# The float32 gradients of a part: two panels at a batch of 5,000, so that two threads have work.
GRADIENT_BYTES = 5 * 2**18
# The rounded gradients, a byte each, of a group of features: their weight gradient is one product.
COLUMNS_BYTES = 5 * 2**17
# A piece of the weight gradient: enough for 1024 features of 784 pixels. Smaller pieces would cost
# calls at a small batch, and would save nothing at a large one.
WEIGHT_GRADIENT_BYTES = 7 * 2**19
# The largest gradient of a sum that a layer hands back. Batch normalization multiplies gradients by
# up to 316 times the gain per layer, in float32. A network that learns stays far below the limit,
# and above it the squares of the next gradients are still finite.
MAX_SUM_GRADIENT = 2.0**10


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


# Cached, because every step divides its work in the same way.
@cache
def _divide(first: int, last: int, size: int) -> tuple[Panels, ...]:
    starts = range(first, last, size)
    return tuple(Panels(start, min(start + size, last)) for start in starts)


# The gradient of some panels, (panels, batch, 32), and a factor for every image or None.
PanelGradient = tuple[NDArray[Any], NDArray[np.float32] | None]
# What gives the gradient of a layer's output by panels.
Incoming = Callable[[Panels], PanelGradient]


class BinaryLayer:
    """s = x Wb^T, a = BatchNorm(s), bits = Binarize(a); the last layer binarizes nothing.

    Attributes:
        inputs: K, the features of x.
        outputs: N, the features of s.
        weights: Wb, and how it learns.
        normalization: gain, bias and statistics of each feature.
        bits: (batch, ceil(N / 8)) uint8 of the last forward pass.
        sums_name: what the workspace calls this layer's sums.
    """

    def __init__(
        self,
        index: int,
        inputs: int,
        outputs: int,
        weights: BinaryWeights,
        normalization: Normalization,
        *,
        last: bool,
    ) -> None:
        self.inputs, self.outputs = inputs, outputs
        self.weights, self.normalization = weights, normalization
        self.bits = np.empty((0, 0), np.uint8)
        self.sums_name = f"sums {index}"
        self._index, self._last = index, last
        self._panels = Panels(0, padded(outputs) // PANEL)
        # This step's weights, in rows and in panels.
        self._rows = np.empty((0, 0), np.uint8)
        self._weight_panels = np.empty((0, 0, 0), np.uint8)
        # The block whose sums are in the workspace.
        self._held: Panels | None = None

    # ---- forward -------------------------------------------------------------------------

    def forward(self, x: Operand, context: StepContext) -> None:
        """Compute the batch's statistics of s, and its bits.

        Args:
            x: the inputs, (batch, K).
            context: of the step.
        """
        if self.bits.shape[0] != len(x):
            self.bits = own_memory((len(x), -(-self.outputs // 8)), np.uint8)
        key = context.random.key(self._index, Purpose.ACTIVATIONS) if context.stochastic else None
        for block, sums in self._normalized_blocks(x, context):
            context.phases.enter("normalization")
            kernels.binarize(
                sums,
                self.normalization.batch[block.range],
                self.outputs,
                self.bits,
                block.first,
                key,
                threads=context.threads,
            )
            context.phases.enter("forward")

    def forward_to_loss(
        self, x: Operand, labels: NDArray[np.uint8], context: StepContext
    ) -> NDArray[np.float32]:
        """Return the gradient of the loss by a, (panels, batch, 32): what the last layer does."""
        ((_, sums),) = self._normalized_blocks(x, context)
        gradient = context.workspace.array("gradient", sums.shape, np.float32)
        kernels.softmax_gradient(
            sums,
            self.normalization.batch,
            labels,
            self.outputs,
            gradient,
            smoothing=context.label_smoothing,
            threads=context.threads,
        )
        return gradient

    def _normalized_blocks(
        self, x: Operand, context: StepContext
    ) -> Iterator[tuple[Panels, NDArray[Any]]]:
        """Yield every block and its sums, when the batch's statistics of them are there."""
        self._rows = self.weights.binarize(context)
        self._weight_panels = kernels.interleave(self._rows, threads=context.threads)
        self._held = None
        for block in self._blocks(x):
            sums = self._sums(x, block, context)
            context.phases.enter("normalization")
            kernels.batch_statistics(
                sums,
                self.normalization.parameters[block.range],
                EPSILON,
                self.normalization.batch[block.range],
                threads=context.threads,
            )
            context.phases.enter("forward")
            yield block, sums
        context.phases.enter("normalization")
        self.normalization.update_running(len(x))
        context.phases.enter("forward")

    def _blocks(self, x: Operand) -> tuple[Panels, ...]:
        # Softmax needs all classes of an image.
        if self._last:
            return (self._panels,)
        bytes_per_panel = len(x) * PANEL * np.dtype(x.sums_type).itemsize
        return self._panels.divide(max(2, SUMS_BYTES // bytes_per_panel))

    def _sums(self, x: Operand, block: Panels, context: StepContext) -> NDArray[Any]:
        """Return s of a block, computed unless it is the one that is held."""
        shape = (block.size, len(x), PANEL)
        sums = context.workspace.array(self.sums_name, shape, x.sums_type)
        if self._held != block:
            x.multiply(self._weight_panels[block.range], sums)
            self._held = block
        return sums

    # ---- backward ------------------------------------------------------------------------

    def backward(self, x: Operand, incoming: Incoming, context: StepContext) -> Incoming | None:
        """Learn from the gradient of this layer's output, and hand on that of its input.

        Args:
            x: the inputs of the forward pass.
            incoming: gives the gradient of the bits by panels; of a in the last layer.
            context: of the step.

        Returns:
            What gives the gradient of x by panels of its features. None for the first layer, where
            nothing learns from it.
        """
        batch, workspace = len(x), context.workspace
        # The layer before gets the gradient of all sums rounded with a factor per image.
        of_sums = None
        if self._index > 0:
            shape = (self._panels.size, batch, PANEL)
            of_sums = workspace.array("gradient", shape, np.float32)
        part_size = max(2, GRADIENT_BYTES // (batch * PANEL * 4))
        group_size = max(2, COLUMNS_BYTES // (padded(batch) * PANEL))
        for block in reversed(self._blocks(x)):
            sums = self._sums(x, block, context)
            for group in block.divide(group_size):
                columns = self._columns(group, batch, context)
                for part in group.divide(part_size):
                    gradient, factors = incoming(part)
                    if of_sums is None:
                        shape = (part.size, batch, PANEL)
                        out = workspace.array("gradient", shape, np.float32)
                    else:
                        out = of_sums[part.range]
                    context.phases.enter("normalization")
                    kernels.normalize_backward(
                        sums[part.first - block.first : part.last - block.first],
                        self.normalization.batch[part.range],
                        gradient,
                        factors,
                        # Whether to go through the straight-through estimator.
                        not self._last,
                        out,
                        self.normalization.gradient[part.range],
                        threads=context.threads,
                    )
                    context.phases.enter("backward")
                    columns.put(part, out, context.threads)
                self._learn(x, columns, context)
        return None if of_sums is None else self._input_gradient(of_sums, context)

    def _columns(self, group: Panels, batch: int, context: StepContext) -> "_Columns":
        start = group.first * PANEL
        count = min(group.last * PANEL, self.outputs) - start
        key = context.random.key(self._index, Purpose.COLUMNS)
        array, max_gradient = context.workspace.array, context.max_gradient
        if max_gradient is None:
            exact = array("columns", (count, batch), np.float32)
            return _Columns(start, exact, None, None, key)
        rounded = array("columns", (count, padded(batch)), np.int8)
        factors = array("column factors", (group.size * PANEL,), np.float32)
        return _Columns(start, rounded, factors, max_gradient, key)

    def _learn(self, x: Operand, columns: "_Columns", context: StepContext) -> None:
        """Compute the weight gradient of a group's features and update their weights."""
        # No input gradient comes in to the last layer, so that its memory is free there.
        name = "input gradient" if self._last else "transposed"
        memory = partial(context.workspace.array, name, dtype=np.uint8)
        width = padded(self.inputs)
        size = max(PANEL, WEIGHT_GRADIENT_BYTES // (width * 4) // PANEL * PANEL)
        number = np.float32 if columns.max is None else np.int32
        for start in range(0, len(columns.values), size):
            values = columns.values[start : start + size]
            gradient = context.workspace.array("weight gradient", (len(values), width), number)
            if columns.max is None:
                x.exact_gradient(values, gradient)
                factors = None
            else:
                x.gradient(values, columns.max, gradient, memory)
                assert columns.factors is not None
                factors = columns.factors[start : start + size]
            context.phases.enter("optimizer")
            self.weights.update(columns.start + start, gradient, factors, context)
            context.phases.enter("backward")

    def _input_gradient(self, g: NDArray[np.float32], context: StepContext) -> Incoming:
        """Return what gives g Wb by panels of input features, with this step's bits.

        Of an image with a gradient above MAX_SUM_GRADIENT, all are scaled down to that.
        """
        batch, threads, max_gradient = g.shape[1], context.threads, context.max_gradient
        input_panels = padded(self.inputs) // PANEL
        if max_gradient is None:
            rows = np.ascontiguousarray(g.transpose(1, 0, 2)).reshape(batch, -1)
            largest = np.abs(rows).max(axis=1, keepdims=True)
            rows = rows * (MAX_SUM_GRADIENT / np.maximum(largest, MAX_SUM_GRADIENT))
            shape = (input_panels, batch, PANEL)
            exact = context.workspace.array("input gradient", shape, np.float32)
            kernels.floats_by_bits(rows, self._rows, self.outputs, exact, threads=threads)
            return lambda panels: (exact[panels.range], None)
        rounded = context.workspace.array("rows", (batch, self._panels.size * PANEL), np.int8)
        factors = context.workspace.array("row factors", (batch,), np.float32)
        key = context.random.key(self._index, Purpose.ROWS)
        kernels.round_rows(g, self.outputs, max_gradient, rounded, factors, key, threads=threads)
        np.minimum(factors, MAX_SUM_GRADIENT / max_gradient, out=factors)
        weights = np.empty((input_panels, -(-self.outputs // 8), PANEL), np.uint8)
        kernels.transpose(self._rows, self.inputs, weights, threads=threads)
        number = np.int16 if self.outputs * max_gradient < 2**15 else np.int32

        def product(panels: Panels) -> PanelGradient:
            shape = (panels.size, batch, PANEL)
            out = context.workspace.array("input gradient", shape, number)
            kernels.gradients_by_bits(
                rounded, weights[panels.range], self.outputs, max_gradient, out, threads=threads
            )
            return out, factors

        return product

    # ---- memory --------------------------------------------------------------------------

    def weight_bytes(self) -> int:
        """Return the bytes of weights: latent, packed, and of batch normalization."""
        packed = self._rows.nbytes + self._weight_panels.nbytes
        normalization = self.normalization.parameters.nbytes + self.normalization.running.nbytes
        return self.weights.weight_bytes() + packed + normalization

    def saved_bytes(self) -> int:
        """Return the bytes of bits and statistics kept for the backward pass."""
        return self.bits.nbytes + self.normalization.batch.nbytes


@dataclass(slots=True)
class _Columns:
    """The gradient of a group's sums as the weight gradient reads it: a row per feature.

    Attributes:
        start: the first feature's number in the layer.
        values: (features, batch padded) int8, or (features, batch) float32 where exact.
        factors: (features padded) float32, of the integers; None where exact.
        max: the largest integer; None where exact.
        key: of the random numbers that round.
    """

    start: int
    values: NDArray[Any]
    factors: NDArray[np.float32] | None
    max: int | None
    key: StreamKey

    def put(self, part: Panels, g: NDArray[np.float32], threads: int) -> None:
        """Take in the gradient of a part's sums, (panels, batch, 32) float32."""
        begin, end = part.first * PANEL - self.start, part.last * PANEL - self.start
        values = self.values[begin:end]
        if self.max is None:
            batch = g.shape[1]
            values[:] = g.transpose(0, 2, 1).reshape(-1, batch)[: len(values)]
            return
        assert self.factors is not None
        kernels.round_columns(
            g,
            len(values),
            self.max,
            values,
            self.factors[begin:end],
            self.key,
            part.first,
            threads=threads,
        )
