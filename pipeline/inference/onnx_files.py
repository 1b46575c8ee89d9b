"""The float network as ONNX files: float32, and int8."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

from pipeline.data import dataset
from pipeline.inference.float_network import Conv, FloatNetwork

# Every release of ONNX Runtime of the last years reads these.
_OPSET = 17
_IR_VERSION = 8
_CALIBRATION_IMAGES = 512
_INPUT, _OUTPUT = "pixels", "scores"


class _Graph:
    """Nodes one after another, each of which reads what the one before it made."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.weights: list[TensorProto] = []
        self.last = _INPUT

    def add(self, kind: str, *arrays: NDArray[np.generic], **attributes: Any) -> None:
        """Add a node that reads the arrays, too."""
        output = f"{kind}{len(self.nodes)}"
        names = [f"{output}_{number}" for number in range(len(arrays))]
        self.weights += [
            numpy_helper.from_array(array, name) for array, name in zip(arrays, names, strict=True)
        ]
        node = helper.make_node(kind, [self.last, *names], [output], **attributes)
        self.nodes.append(node)
        self.last = output


def write_float32(network: FloatNetwork, path: Path) -> None:
    """Write the network, which reads what `FloatNetwork.inputs` returns."""
    graph = _Graph()
    for convolution in network.convolutions:
        _add_convolution(graph, convolution)
    if network.convolutions:
        graph.add("Flatten")
    for number, layer in enumerate(network.linear):
        if number:
            graph.add("Relu")
        # The weights are transposed here, once: quantization knows the plain product best.
        graph.add("MatMul", np.ascontiguousarray(layer.weight.T))
        graph.add("Add", layer.bias)
    graph.nodes[-1].output[0] = _OUTPUT
    height, width, channels = network.image_shape
    image = [channels, height, width] if network.convolutions else [channels * height * width]
    classes = len(network.linear[-1].bias)
    written = helper.make_graph(
        graph.nodes,
        "network",
        [helper.make_tensor_value_info(_INPUT, TensorProto.FLOAT, ["images", *image])],
        [helper.make_tensor_value_info(_OUTPUT, TensorProto.FLOAT, ["images", classes])],
        graph.weights,
    )
    opset = [helper.make_opsetid("", _OPSET)]
    onnx.save(helper.make_model(written, opset_imports=opset, ir_version=_IR_VERSION), path)


def _add_convolution(graph: _Graph, layer: Conv) -> None:
    stride = [layer.stride] * 2
    graph.add("Conv", layer.weight, layer.bias, pads=[1, 1, 1, 1], strides=stride)
    # ReLU may come first where no number changes its sign in between. ONNX Runtime then computes it
    # with the convolution, for which it has a fast form in int8.
    if layer.sign is None:
        graph.add("Relu")
    if layer.pool:
        graph.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    if layer.sign is not None:
        graph.add("Mul", layer.sign.reshape(1, -1, 1, 1))
        graph.add("Relu")


def write_int8(network: FloatNetwork, float32: Path, path: Path) -> None:
    """Write the network of `float32` with weights, and products, in int8.

    Fully connected layers are quantized dynamically. Convolutions are quantized with ranges that
    training images show, which is the form in which ONNX Runtime has fast ones.

    Raises:
        PipelineError: the network has convolutions, and there is no data.
    """
    if not network.convolutions:
        quantize_dynamic(float32, path, weight_type=QuantType.QInt8, per_channel=True)
        return
    images = dataset.load().train.images[:_CALIBRATION_IMAGES]
    quantize_static(
        float32,
        path,
        _Calibration(network.inputs(images)),
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        per_channel=True,
    )


class _Calibration(CalibrationDataReader):  # type: ignore[misc]
    """Gives `quantize_static` the inputs at once, and then none."""

    def __init__(self, inputs: NDArray[np.float32]) -> None:
        self._batches: Iterator[dict[str, NDArray[np.float32]]] = iter([{_INPUT: inputs}])

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """Return the next inputs by name, or None."""
        return next(self._batches, None)
