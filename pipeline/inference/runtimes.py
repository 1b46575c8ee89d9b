"""What runs a trained network, each behind the same function: images to scores.

What a runtime needs is imported when it is built: the process that measures one's memory holds no
other. The process that measures latency holds all of them, since it times them in turn.
"""

import dataclasses
import importlib.util
import io
import shutil
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.architecture import Architecture
from pipeline.config.names import PACKED, PASSES
from pipeline.inference.float_network import FloatNetwork, load_folded

# What `write_onnx` writes, in the folder of `Files`.
FLOAT32_ONNX, INT8_ONNX = "float32.onnx", "int8.onnx"
Images = NDArray[np.uint8]
Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Files:
    """Where the networks lie: those of `train`, and a folder for what is made of them.

    `architecture` is the layers of the float network.
    """

    architecture: Architecture
    float32: Path
    packed: Path
    passes: Path
    folder: Path


@dataclass(frozen=True)
class Network:
    """A network that is ready to predict.

    Attributes:
        prepare: turns images, (count, pixels) uint8, into what `scores` takes: not timed. Only
            the packed network takes the images as they are.
        scores: the call that is timed; returns (count, classes).
        file_bytes: the size of the network as a file.
    """

    prepare: Callable[[Images], Any]
    scores: Callable[[Any], Any]
    file_bytes: int


@dataclass(frozen=True)
class Runtime:
    """A way to run a network.

    Attributes:
        build: loads and prepares the network for so many threads.
        modules: what must be installed.
    """

    build: Callable[[Files, int], Network]
    modules: tuple[str, ...]

    def missing(self) -> list[str]:
        """Return what is not installed."""
        return [name for name in self.modules if importlib.util.find_spec(name) is None]


def _float_network(files: Files) -> FloatNetwork:
    return load_folded(files.float32, files.architecture)


def _packed_network(model: Path, threads: int) -> Network:
    from pipeline.engines.packed.model import load
    from pipeline.engines.packed.predictor import Predictor

    predictor = Predictor(load(model), threads)
    return Network(np.ascontiguousarray, predictor.logits, model.stat().st_size)


def _packed(files: Files, threads: int) -> Network:
    return _packed_network(files.packed, threads)


def _passes(files: Files, threads: int) -> Network:
    return _packed_network(files.passes, threads)


def _torch_network(
    files: Files, threads: int, change: Callable[[Any], Any] = lambda module: module
) -> tuple[Network, Any]:
    """Return the network in torch, and its module, which `change` has made another of."""
    import torch
    from torch import nn

    from pipeline.inference.torch_module import build

    torch.set_num_threads(threads)
    network = _float_network(files)
    module: nn.Module = change(build(network))

    def scores(x: Any) -> Any:
        with torch.inference_mode():
            return module(x)

    size = files.float32.stat().st_size
    return Network(lambda images: torch.from_numpy(network.inputs(images)), scores, size), module


def _torch(files: Files, threads: int) -> Network:
    return _torch_network(files, threads)[0]


def _torch_compile(files: Files, threads: int) -> Network:
    import torch

    # Each batch size gets code of its own, which is the fastest.
    return _torch_network(files, threads, lambda module: torch.compile(module, dynamic=False))[0]


def _torch_int8(files: Files, threads: int) -> Network:
    import torch
    from torch import nn

    def quantize(module: nn.Module) -> Any:
        with warnings.catch_warnings():
            # It is deprecated in favour of another package, and still the best known.
            warnings.simplefilter("ignore")
            return torch.ao.quantization.quantize_dynamic(  # type: ignore[no-untyped-call]
                module, {nn.Linear}, dtype=torch.qint8
            )

    network, module = _torch_network(files, threads, quantize)
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    return dataclasses.replace(network, file_bytes=file.getbuffer().nbytes)


def _onnx(files: Files, name: str, threads: int) -> Network:
    import onnxruntime

    path, network = files.folder / name, _float_network(files)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return Network(
        network.inputs, lambda x: session.run(None, {"pixels": x})[0], path.stat().st_size
    )


def _onnx_float32(files: Files, threads: int) -> Network:
    return _onnx(files, FLOAT32_ONNX, threads)


def _onnx_int8(files: Files, threads: int) -> Network:
    return _onnx(files, INT8_ONNX, threads)


RUNTIMES = {
    "torch": Runtime(_torch, ("torch",)),
    "torch.compile": Runtime(_torch_compile, ("torch",)),
    "torch int8": Runtime(_torch_int8, ("torch",)),
    "ONNX Runtime": Runtime(_onnx_float32, ("onnx", "onnxruntime")),
    "ONNX Runtime int8": Runtime(_onnx_int8, ("onnx", "onnxruntime")),
    PACKED: Runtime(_packed, ()),
    PASSES: Runtime(_passes, ()),
}


def write_onnx(files: Files, runtimes: Iterable[str]) -> None:
    """Write the networks that ONNX Runtime reads, if it is one of the runtimes.

    Raises:
        PipelineError: a damaged model, or missing data.
    """
    if not any(name.startswith("ONNX") for name in runtimes):
        return
    from pipeline.inference.onnx_files import write_float32, write_int8

    network = _float_network(files)
    write_float32(network, files.folder / FLOAT32_ONNX)
    write_int8(network, files.folder / FLOAT32_ONNX, files.folder / INT8_ONNX)


def skipped() -> dict[str, str]:
    """Return the runtimes that cannot run here, and why."""
    reasons = {
        name: f"{' and '.join(missing)} not installed (pip install '.[peers]')"
        for name, runtime in RUNTIMES.items()
        if (missing := runtime.missing())
    }
    if not any(shutil.which(compiler) for compiler in ("c++", "g++", "clang++")):
        reasons.setdefault("torch.compile", "no C++ compiler, which it needs")
    return reasons
