"""The examples run, and give what the pipeline gives."""

import subprocess
import sys
from pathlib import Path

from pipeline.config.params import Params
from pipeline.fetch import sources
from pipeline.fetch.store import store
from pipeline.training.train import train
from tests.conftest import ROOT


def test_the_packed_example_gives_the_model_of_train(params: Params, tmp_path: Path) -> None:
    store(sources.find(params.data, lambda _: None), params.data)
    path = tmp_path / "model.safetensors"
    done = subprocess.run(
        [sys.executable, "-m", "examples.train_packed", str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    said = done.stdout.splitlines()
    assert [line.partition(":")[0] for line in said[:3]] == [f"epoch {n} of 3" for n in (1, 2, 3)]
    assert said[3].startswith("test accuracy: ")
    assert said[4] == f"{path} has {path.stat().st_size:,} bytes"
    assert len(said) == 10
    assert set(said[5:]) <= {"low", "middle", "high"}
    train(params.model_copy(update={"architectures": ["mlp-128"]}), "mlp-128", "deterministic", 1)
    model = Path("models/mlp-128-deterministic-1.safetensors")
    assert model.read_bytes() == path.read_bytes()


def test_the_example_uses_no_private_name() -> None:
    text = (ROOT / "examples" / "train_packed.py").read_text()
    assert "._" not in text
    assert "import _" not in text
