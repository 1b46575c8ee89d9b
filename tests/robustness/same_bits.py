"""Train small networks with every form of the kernels, and print the checksums of the models.

`python -m tests.robustness.same_bits` must print the same on every machine: the packed engine's
model files do not depend on it. It needs no torch.
"""

import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipeline.config.architecture import Architecture
from pipeline.config.params import PackedMethod
from pipeline.data.dataset import Part
from pipeline.engines.engine import create_engine
from pipeline.engines.packed.encoding import encode
from pipeline.training.train import run_epoch
from tests.conftest import packed_methods
from tests.networks import mlp
from tests.oracle import SETS

CLASSES, PIXELS, IMAGES, BATCH, EPOCHS = 10, 28 * 28, 120, 40, 2
# Several panels of features, so that there is something to divide.
CONNECTED = mlp(PIXELS, 70, 40, CLASSES)
CONVOLUTIONAL = Architecture.parse("vgg-40s-m-40-f33", (28, 28), CLASSES)


def trainings() -> Iterator[tuple[str, PackedMethod, Architecture]]:
    """Yield what is trained, with its name: each method with any bits."""
    for name, method in packed_methods().items():
        for bits in (2, 4, 8, 32):
            changed = _changed(method, gradient_bits=bits)
            yield f"{name} gradient_bits={bits}", changed, CONNECTED
            # One of each is enough where every instruction is emulated.
            if bits == 4:
                yield f"{name} gradient_bits={bits} convolutional", changed, CONVOLUTIONAL


def _changed(method: PackedMethod, **changes: int) -> PackedMethod:
    return PackedMethod.model_validate(method.model_dump() | {"epochs": EPOCHS} | changes)


def make_data(method: PackedMethod) -> Part:
    """Draw images of which half of the pixels are 0, and a bright band tells the class."""
    generator = np.random.default_rng(0)
    labels = (np.arange(IMAGES) % CLASSES).astype(np.uint8)
    images = generator.integers(0, 128, (IMAGES, PIXELS), dtype=np.uint8)
    images[generator.integers(0, 2, images.shape, dtype=np.uint8) == 0] = 0
    for label in range(CLASSES):
        images[labels == label, 70 * label : 70 * (label + 1)] += 127
    return Part(encode(images, method.pixel_bits), labels)


def digests(method: PackedMethod, architecture: Architecture) -> tuple[str, str]:
    """Train, and return the SHA-256 of the model file and that of its logits."""
    data = make_data(method)
    engine = create_engine(method, architecture, seed=1, threads=2)
    for epoch in range(EPOCHS):
        run_epoch(engine, data, method, BATCH, 1, epoch)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        engine.save(path)
        model = path.read_bytes()
    logits = engine.logits(data.images).tobytes()
    return hashlib.sha256(model).hexdigest(), hashlib.sha256(logits).hexdigest()


def main() -> None:
    """Print a line per method: its name, and the checksums of model and logits."""
    for name, method, architecture in trainings():
        found = {}
        for which in SETS:
            os.environ["BINARY_KERNELS"] = which
            found[which] = digests(method, architecture)
        if len(set(found.values())) > 1:
            sys.exit(f"{name}: the forms of the kernels differ: {found}")
        print(name, *found[SETS[0]], flush=True)
    print(f"The same with {', '.join(SETS)}.", file=sys.stderr)


if __name__ == "__main__":
    main()
