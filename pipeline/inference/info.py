"""What a packed model file holds."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from pipeline.common import checksum
from pipeline.common.console import echo
from pipeline.engines.packed.model import VERSION, PackedModel, load
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


def describe(model: PackedModel, path: Path) -> dict[str, Any]:
    """Return what `info` prints. Bytes and bits are numbers; a multiply-add counts as one."""
    pairs = list(pairwise(model.widths))
    packed = [*(layer.bits for layer in model.hidden), model.last.bits]
    thresholds = sum(layer.thresholds.nbytes for layer in model.hidden)
    first, *others = (model.passes * inputs * outputs for inputs, outputs in pairs)
    return {
        "file": str(path),
        "file_bytes": path.stat().st_size,
        "format_version": VERSION,
        "file_sha256": checksum.sha256_file(path),
        "pixel_bits": model.pixel_bits,
        "pixel_gamma": model.pixel_gamma,
        "passes": model.passes,
        "weights": sum(inputs * outputs for inputs, outputs in pairs),
        "bytes_of_weights": sum(bits.nbytes for bits in packed),
        "bytes_of_thresholds": thresholds,
        "bytes_of_scales": model.last.scale.nbytes + model.last.shift.nbytes,
        "layers": [
            {
                "inputs": inputs,
                "outputs": outputs,
                "weight_bytes": bits.nbytes,
                "then": "logits" if number == len(pairs) - 1 else "threshold",
            }
            for number, ((inputs, outputs), bits) in enumerate(zip(pairs, packed, strict=True))
        ],
        "operations_per_image": {
            f"{model.pixel_bits}-bit pixel by bit multiply-adds": first,
            "bit by bit multiply-adds": sum(others),
            "comparisons with a threshold": model.passes * sum(model.widths[1:-1]),
            "float32 multiply-adds": model.passes * model.widths[-1],
        },
    }


def _table(headers: list[str], rows: Any) -> str:
    cells = [[f"{x:,}" if isinstance(x, int) else x for x in row] for row in rows]
    return markdown([name.replace("_", " ") for name in headers], cells)
