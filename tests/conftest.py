"""A small project in a temporary folder, with a dataset that a network can learn."""

import gzip
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray
from ruamel.yaml import YAML

from pipeline.config.params import PackedMethod, Params, load_params

# No test asserts a time, and a busy machine can pause one for long.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# Threads that wait leave the processors to the other workers and to the processes that tests start.
# Torch's OpenMP reads this when it is loaded, which is after this module.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

SIDE = 6
CLASSES = 3
IDX_NAMES = {
    "train-images": "train-images-idx3-ubyte",
    "train-labels": "train-labels-idx1-ubyte",
    "test-images": "t10k-images-idx3-ubyte",
    "test-labels": "t10k-labels-idx1-ubyte",
}
ROOT = Path(__file__).parents[1]


# What a packed method says of its weights, for each form that they have in training.
OPTIMIZERS: dict[str, dict[str, object]] = {
    "rowprop16": {"optimizer": "rowprop", "latent_bits": 16, "latent_range": 0.5},
    "rowprop8": {"optimizer": "rowprop", "latent_bits": 8, "latent_range": 0.5},
    "adam": {"optimizer": "adam", "latent_range": 0.5},
    "bop": {"optimizer": "bop", "bop_adaptivity": 0.01, "bop_threshold": 1e-4},
}


def with_optimizer(recipe: Mapping[str, object], name: str) -> dict[str, object]:
    """Return a packed method's recipe with one of OPTIMIZERS, whichever it has."""
    theirs = set().union(*OPTIMIZERS.values())
    return {key: value for key, value in recipe.items() if key not in theirs} | OPTIMIZERS[name]


def packed_methods() -> dict[str, PackedMethod]:
    """Return the project's own packed methods, one of stochastic weights, one a form of weights."""
    methods = dict(load_params(ROOT / "params.yaml").groups.packed)
    methods["both_stochastic"] = methods["stochastic"].model_copy(
        update={"weights": "stochastic", "weight_noise": "annealed", "latent_range": 1.0}
    )
    for name in OPTIMIZERS:
        recipe = with_optimizer(methods["deterministic"].model_dump(), name)
        methods[name] = PackedMethod.model_validate(recipe)
    return methods


def to_idx(array: NDArray[np.uint8]) -> bytes:
    """Encode an array in the IDX format."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes((0, 0, 8, array.ndim)) + sizes + array.tobytes()


def make_images(labels: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """Draw an image a label: a bright band whose height tells the class, and noise."""
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 60, (len(labels), SIDE, SIDE), dtype=np.uint8)
    for label in range(CLASSES):
        images[labels == label, 2 * label : 2 * label + 2] += 150
    return images


@contextmanager
def memory_below(most: int) -> Iterator[None]:
    """Fail if the block takes more bytes than `most` at once, of Python's or NumPy's."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


# Modules that take much memory or time.
HEAVY = {"torch", "torchvision", "pandas", "matplotlib", "rich", "psutil"}


def heavy_imports_of(function: Callable[..., object], *arguments: object) -> list[str]:
    """Call a function and return which of HEAVY this process has imported then."""
    function(*arguments)
    return sorted(HEAVY & set(sys.modules))


def heavy_imports(arguments: Sequence[str], said: str = "") -> list[str]:
    """Run a command in a fresh process, with `said` at its standard input.

    Returns:
        Which of HEAVY it has imported by its end.
    """
    program = (
        "import sys\n"
        "from pipeline.cli import app\n"
        "app(sys.argv[1:], standalone_mode=False)\n"
        f"print(*sorted({HEAVY} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        input=said,
        capture_output=True,
        text=True,
        check=True,
        # The code under test, not an installed copy.
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
    )
    return done.stdout.splitlines()[-1].split()


@pytest.fixture(scope="session")
def arrays() -> dict[str, NDArray[np.uint8]]:
    """A dataset of the user's own, by role."""
    train = (np.arange(90) % CLASSES).astype(np.uint8)
    test = (np.arange(30) % CLASSES).astype(np.uint8)
    return {
        "train-images": make_images(train, 1),
        "train-labels": train,
        "test-images": make_images(test, 2),
        "test-labels": test,
    }


WriteIdx = Callable[..., Path]


@pytest.fixture
def write_idx(arrays: dict[str, NDArray[np.uint8]]) -> WriteIdx:
    """Return a function that writes the dataset as IDX files into a folder."""

    def write(folder: Path, *, compress: bool = False) -> Path:
        folder.mkdir()
        for role, name in IDX_NAMES.items():
            content = to_idx(arrays[role])
            if compress:
                (folder / f"{name}.gz").write_bytes(gzip.compress(content))
            else:
                (folder / name).write_bytes(content)
        return folder

    return write


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_idx: WriteIdx) -> Path:
    """Enter a folder whose params.yaml is the project's own, made small."""
    monkeypatch.chdir(tmp_path)
    # Processes that a test starts run the code under test, not an installed copy.
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    yaml = YAML()
    document = yaml.load((ROOT / "params.yaml").read_text())
    document["architectures"] = ["mlp-8", "mlp-8-5"]
    document["seeds"] = [1, 2]
    document["data"].update(
        source=str(write_idx(tmp_path / "idx")),
        class_names=["low", "middle", "high"],
        train_images=60,
        validation_images=30,
    )
    document["train"]["batch_size"] = 10
    for method in (m for group in document["methods"].values() for m in group.values()):
        method.update(epochs=3, convolutional={"epochs": 2, "learning_rate": 0.01})
        method.pop("batch_size", None)
    document["methods"]["packed"]["stochastic"]["batch_size"] = 20
    document["profile"].update(batch_sizes=[20], rounds=2, seconds=0.01)
    grid = {"widths": [8], "batch_sizes": [10], "depths": [2], "threads": [1]}
    document["profile"]["scaling"].update(width=8, rounds=2, default=grid)
    document["inference"].update(batch_sizes=[1, 7], threads=[1], rounds=2, seconds=0.001)
    document["benchmark"].update(rounds=2)
    with Path("params.yaml").open("w") as file:
        yaml.dump(document, file)
    write_frontier()
    return tmp_path


def write_frontier() -> None:
    """Leave what the frontier's pipeline does: two networks, and their records."""
    # Pandas would be in every process that imports this module.
    from pipeline.artifacts.frontier import (
        POINTS_TABLE,
        RECORDS_TABLE,
        FrontierPoints,
        RecordCosts,
    )
    from pipeline.artifacts.tables import write_table

    methods = {"float": 4.0, "deterministic": 1.0}
    networks = {
        method: {
            **{"method": method, "architecture": "mlp-9", "batch_size": 10, "epochs": 2},
            **{"learning_rate": 0.01, "seeds": 2, "validation_accuracy": 81.0},
            **{"test_accuracy": 80.0, "test_accuracy_std": 0.1},
        }
        for method in methods
    }
    costs = ("seconds", "training_memory_mib", "model_kib", "latency_us")
    points = [
        {**networks[method], **dict.fromkeys(costs, value), "frontiers": "seconds latency_us"}
        for method, value in methods.items()
    ]
    records = [
        {
            **{**networks[method], "target": target, "reached": "yes" if target < 80.5 else "no"},
            **{"cost": cost, "threads": 2.0 if cost in costs[:2] else None},
            **{"images": 1.0 if cost == "latency_us" else None, "value": value},
            **dict.fromkeys(ratio, value / 4 if method != "float" else None),
        }
        for target in (80, 81)
        for method, value in methods.items()
        for cost in costs
        for ratio in (("ratio", "ratio_lower", "ratio_upper"),)
    ]
    POINTS_TABLE.parent.mkdir(exist_ok=True)
    write_table(POINTS_TABLE, FrontierPoints, points)
    write_table(RECORDS_TABLE, RecordCosts, records)


@pytest.fixture
def params(project: Path) -> Params:
    """The parameters of `project`."""
    return load_params(project / "params.yaml")
