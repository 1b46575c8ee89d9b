"""What a packed model file holds."""

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from pipeline.common import checksum
from pipeline.common.console import echo
from pipeline.engines.packed.layer import TAPS
from pipeline.engines.packed.model import (
    MAP_VERSION,
    VERSION,
    Convolved,
    Hidden,
    Logits,
    PackedModel,
    load,
)
from pipeline.report.markdown import markdown


def info(model: Path, form: Literal["text", "json"]) -> None:
    """Print layers, bits, bytes, operations by kind and checksum of a model file.

    Raises:
        PipelineError: the model is missing or damaged.
    """
    facts = describe(load(model), model)
    if form == "json":
        echo(json.dumps(facts, indent=2))
        return
    layers, operations = facts.pop("layers"), facts.pop("operations_per_image")
    for name, value in facts.items():
        shown = f"{value:,}" if isinstance(value, int) else str(value)
        echo(f"{name.replace('_', ' ') + ':':<24}{shown}")
    echo("")
    echo(_table(["layer", *layers[0]], [[i + 1, *each.values()] for i, each in enumerate(layers)]))
    echo("")
    echo(_table(["operations per image", "number"], operations.items()))


@dataclass(frozen=True)
class _Layer:
    """A layer's sizes.

    Attributes:
        inputs: what a sum adds up.
        outputs: features.
        sums: positions of which each feature has one: 1 in a fully connected layer.
        map: of a convolution, in words.
    """

    inputs: int
    outputs: int
    sums: int
    map: str | None


def describe(model: PackedModel, path: Path) -> dict[str, Any]:
    """Return what `info` prints. Bytes and bits are numbers; a multiply-add counts as one."""
    layers = _layers(model)
    hidden = (*model.convolutions, *model.hidden)
    # The passes share the sums of pixels.
    first, *others = (x.sums * x.inputs * x.outputs for x in layers)
    return {
        "file": str(path),
        "file_bytes": path.stat().st_size,
        "format_version": MAP_VERSION if model.convolutions else VERSION,
        "file_sha256": checksum.sha256_file(path),
        "pixel_bits": model.pixel_bits,
        "pixel_gamma": model.pixel_gamma,
        "passes": model.passes,
        "weights": sum(layer.inputs * layer.outputs for layer in layers),
        "bytes_of_weights": sum(layer.bits.nbytes for layer in model.layers),
        "bytes_of_thresholds": sum(layer.thresholds.nbytes for layer in hidden),
        "bytes_of_scales": model.last.scale.nbytes + model.last.shift.nbytes,
        "layers": [
            {
                **({"map": layer.map or ""} if model.convolutions else {}),
                "inputs": layer.inputs,
                "outputs": layer.outputs,
                "weight_bytes": packed.bits.nbytes,
                "then": _then(packed),
            }
            for layer, packed in zip(layers, model.layers, strict=True)
        ],
        "operations_per_image": {
            f"{model.pixel_bits}-bit pixel by bit multiply-adds": first,
            "bit by bit multiply-adds": model.passes * sum(others),
            "comparisons with a threshold": model.passes
            * sum(layer.sums * layer.outputs for layer in layers[:-1]),
            "float32 multiply-adds": model.passes * model.widths[-1],
        },
    }


def _layers(model: PackedModel) -> list[_Layer]:
    convolutions = [
        _Layer(
            TAPS * layer.map.channels,
            len(layer.bits),
            -(-layer.map.height // layer.map.stride) * -(-layer.map.width // layer.map.stride),
            f"{layer.map.height} x {layer.map.width} x {layer.map.channels}",
        )
        for layer in model.convolutions
    ]
    return convolutions + [_Layer(*pair, 1, None) for pair in pairwise(model.widths)]


def _then(layer: Hidden | Logits) -> str:
    if isinstance(layer, Logits):
        return "logits"
    pools = isinstance(layer, Convolved) and layer.smallest is not None
    return "threshold, 2x2 pooling" if pools else "threshold"


def _table(headers: list[str], rows: Any) -> str:
    cells = [[f"{x:,}" if isinstance(x, int) else x for x in row] for row in rows]
    return markdown([name.replace("_", " ") for name in headers], cells)
