"""The float network as ONNX files: float32, and int8 by dynamic quantization."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from pipeline.inference.float_network import Linear

# Every release of ONNX Runtime of the last years reads these.
_OPSET = 17
_IR_VERSION = 8


def write_float32(layers: Sequence[Linear], path: Path) -> None:
    """Write linear layers with ReLU between them."""
    nodes, weights, x = [], [], "pixels"
    for number, layer in enumerate(layers):
        last = number == len(layers) - 1
        # The weights are transposed here, once: quantization knows the plain product best.
        arrays = {f"w{number}": np.ascontiguousarray(layer.weight.T), f"b{number}": layer.bias}
        weights += [numpy_helper.from_array(array, name) for name, array in arrays.items()]
        product, y = f"product{number}", "scores" if last else f"sum{number}"
        nodes.append(helper.make_node("MatMul", [x, f"w{number}"], [product]))
        nodes.append(helper.make_node("Add", [product, f"b{number}"], [y]))
        x = y
        if not last:
            x = f"active{number}"
            nodes.append(helper.make_node("Relu", [y], [x]))
    pixels, classes = layers[0].weight.shape[1], layers[-1].weight.shape[0]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["images", pixels])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["images", classes])],
        weights,
    )
    opset = [helper.make_opsetid("", _OPSET)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=_IR_VERSION), path)


def write_int8(float32: Path, path: Path) -> None:
    """Write the network of `float32` with weights, and products, in int8."""
    quantize_dynamic(float32, path, weight_type=QuantType.QInt8, per_channel=True)
