"""`python -m tests.robustness.fuzz.seeds`: write the files that the corpus began with."""

import gzip
from pathlib import Path

import numpy as np

from pipeline.common import checksum
from tests.conftest import ROOT, to_idx
from tests.robustness.fuzz.models import files
from tests.robustness.fuzz.targets import RECIPES, new_checkpoint, new_engine, step

CORPUS = Path(__file__).with_name("corpus")


def main() -> None:
    images, labels = np.arange(18, dtype=np.uint8).reshape(2, 3, 3), np.arange(5, dtype=np.uint8)
    _keep("idx", to_idx(images))
    _keep("idx", to_idx(labels))
    _keep("idx", gzip.compress(to_idx(images), mtime=0))
    for content in files(CORPUS, 1)[:4]:
        _keep("model", content)
    for number in range(len(RECIPES)):
        engine = new_engine(number)
        held = new_checkpoint(number, engine)
        held.path = CORPUS / "checkpoint.new"
        step(engine)
        held.keep([{"epoch": 1, "loss": 0.5}])
        _keep("checkpoint", held.path.read_bytes())
        held.path.unlink()
    _keep("params", (ROOT / "params.yaml").read_bytes())


def _keep(target: str, content: bytes) -> None:
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / checksum.sha256_bytes(content)[:40]).write_bytes(content)


if __name__ == "__main__":
    main()
