"""What runs a trained network, each behind the same function: images to scores.

What a runtime needs is imported when it is built: the process that measures one's memory holds no
other. The process that measures latency holds all of them, since it times them in turn.
"""

import importlib.util
import io
import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.names import PACKED, PASSES
from pipeline.inference.float_network import load_folded

Images = NDArray[np.uint8]
Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Files:
    """Where the networks lie: those of `train`, and a folder for what is made of them."""

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


def _scaled(images: Images) -> Scores:
    """Return pixels in [0, 1], as the float network was trained with."""
    return images.astype(np.float32) / np.float32(255)


def _packed_network(model: Path, threads: int) -> Network:
    from pipeline.engines.packed.model import load
    from pipeline.engines.packed.predictor import Predictor

    predictor = Predictor(load(model), threads)
    return Network(np.ascontiguousarray, predictor.logits, model.stat().st_size)


def _packed(files: Files, threads: int) -> Network:
    return _packed_network(files.packed, threads)


def _passes(files: Files, threads: int) -> Network:
    return _packed_network(files.passes, threads)


def _torch_module(files: Files, threads: int) -> Any:
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    modules: list[nn.Module] = []
    for layer in load_folded(files.float32):
        linear = nn.Linear(*reversed(layer.weight.shape))
        linear.weight = nn.Parameter(torch.from_numpy(layer.weight))
        linear.bias = nn.Parameter(torch.from_numpy(layer.bias))
        modules += [linear, nn.ReLU()]
    return nn.Sequential(*modules[:-1]).eval()


def _torch_network(module: Any, file_bytes: int) -> Network:
    import torch

    def scores(x: Any) -> Any:
        with torch.inference_mode():
            return module(x)

    return Network(lambda images: torch.from_numpy(_scaled(images)), scores, file_bytes)


def _torch(files: Files, threads: int) -> Network:
    return _torch_network(_torch_module(files, threads), files.float32.stat().st_size)


def _torch_compile(files: Files, threads: int) -> Network:
    import torch

    # Each batch size gets code of its own, which is the fastest.
    module = torch.compile(_torch_module(files, threads), dynamic=False)
    return _torch_network(module, files.float32.stat().st_size)


def _torch_int8(files: Files, threads: int) -> Network:
    import torch
    from torch import nn

    with warnings.catch_warnings():
        # It is deprecated in favour of another package, and still the best known.
        warnings.simplefilter("ignore")
        module = torch.ao.quantization.quantize_dynamic(  # type: ignore[no-untyped-call]
            _torch_module(files, threads), {nn.Linear}, dtype=torch.qint8
        )
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    return _torch_network(module, file.getbuffer().nbytes)


def _onnx(path: Path, threads: int) -> Network:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return Network(_scaled, lambda x: session.run(None, {"pixels": x})[0], path.stat().st_size)


def _onnx_float32(files: Files, threads: int) -> Network:
    return _onnx(files.folder / "float32.onnx", threads)


def _onnx_int8(files: Files, threads: int) -> Network:
    return _onnx(files.folder / "int8.onnx", threads)


RUNTIMES = {
    "torch": Runtime(_torch, ("torch",)),
    "torch.compile": Runtime(_torch_compile, ("torch",)),
    "torch int8": Runtime(_torch_int8, ("torch",)),
    "ONNX Runtime": Runtime(_onnx_float32, ("onnx", "onnxruntime")),
    "ONNX Runtime int8": Runtime(_onnx_int8, ("onnx", "onnxruntime")),
    PACKED: Runtime(_packed, ()),
    PASSES: Runtime(_passes, ()),
}


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
