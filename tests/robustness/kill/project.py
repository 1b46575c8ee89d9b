"""A copy of the project whose pipeline is short, with a dataset of its own."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
from ruamel.yaml import YAML

from tests.conftest import IDX_NAMES, ROOT, to_idx

SIDE = 28
CLASSES = 10
TRAIN, TEST = 3000, 1000
# So many that most kills of a training come after its first checkpoints.
EPOCHS = {"torch": 60, "packed": 120}


def make(folder: Path) -> None:
    """Fill the new `folder` with what git tracks or would, without results, and shorten it."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    for name in map(Path, listed.stdout.decode().rstrip("\0").split("\0")):
        results = name.parts[0] in ("reports", "dvc.lock", "ablation")
        # The report reads what the frontier found, and DVC must not see how.
        search = name.parts[0] == "frontier" and name.suffix != ".csv"
        # A deleted file is still listed, and .venv where it is a link.
        if not results and not search and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    _write_images(folder / "idx")
    _shorten(folder / "params.yaml")


def _write_images(folder: Path) -> None:
    """Write images that are their class's own pattern, and noise."""
    folder.mkdir()
    generator = np.random.default_rng(1)
    patterns = generator.integers(0, 2, (CLASSES, SIDE, SIDE), np.uint8) * 80
    for part, count in (("train", TRAIN), ("test", TEST)):
        labels = (np.arange(count) % CLASSES).astype(np.uint8)
        noise = generator.integers(0, 160, (count, SIDE, SIDE), np.uint8)
        arrays = {f"{part}-images": patterns[labels] + noise, f"{part}-labels": labels}
        for role, array in arrays.items():
            (folder / IDX_NAMES[role]).write_bytes(to_idx(array))


def _shorten(path: Path) -> None:
    yaml = YAML()
    params = yaml.load(path)
    params["architectures"] = ["mlp-128"]
    params["seeds"] = [1]
    params["data"].update(source="idx", train_images=2000, validation_images=1000)
    for engine, group in params["methods"].items():
        for method in group.values():
            method["epochs"] = EPOCHS[engine]
            method.pop("batch_size", None)
    # One point of every measurement: that of training, where it has to be one of several.
    batch, threads = params["train"]["batch_size"], params["train"]["threads"]
    params["profile"].update(batch_sizes=[batch], rounds=1, seconds=0.01)
    grid = {"widths": [32], "batch_sizes": [batch], "depths": [1], "threads": [threads]}
    params["profile"]["scaling"].update(width=32, rounds=1, default=grid)
    params["inference"].update(batch_sizes=[100], threads=[1], rounds=1, seconds=0.001)
    params["benchmark"]["rounds"] = 1
    yaml.dump(params, path)
