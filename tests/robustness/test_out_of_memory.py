"""Memory that runs out is an error with a message, in threads too: nothing crashes."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from pipeline.engines.torch.memory_errors import memory_errors

# Its weights alone take 7 GB in the packed engine and 14 in torch.
HUGE = "mlp-60000-60000"
# What a process may map: torch's import alone takes more than 3 GB.
LIMITS = {"float": 2**33, "deterministic": 2**31}

# A layer so wide that the sums of 64 images, which a thread holds, take 128 MB; room for 64 more.
KERNELS_PROGRAM = """
import resource
import sys

import binary_kernels as kernels
import numpy as np

width = 1_000_000
network = kernels.Network(
    np.zeros(256, np.uint8),
    [1, width],
    [np.ones((width, 1), np.uint8), np.ones((2, width // 8), np.uint8)],
    [np.zeros((1, width), np.int32)],
    np.ones(2, np.float32),
    np.zeros(2, np.float32),
)
images, out = np.zeros((128, 1), np.uint8), np.empty((128, 2), np.float32)
threads = int(sys.argv[1])
# The threads exist before memory is short: their stacks are not what is tested.
network.scores(images[:threads], out[:threads], threads=threads)
with open("/proc/self/statm") as file:
    held = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + 2**26, held + 2**26))
try:
    network.scores(images, out, threads=threads)
except MemoryError:
    print("no memory")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("threads", [1, 2])
def test_kernels_raise_memory_errors(threads: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KERNELS_PROGRAM, str(threads)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "no memory\n"), done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not keep to RLIMIT_AS")
@pytest.mark.parametrize("method", LIMITS)
def test_training_without_memory_is_one_message(project: Path, method: str) -> None:
    params = Path("params.yaml")
    params.write_text(params.read_text().replace("- mlp-8-5\n", f"- {HUGE}\n"))
    subprocess.run(
        [sys.executable, "-m", "pipeline", "fetch"], check=True, capture_output=True, text=True
    )
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pipeline", "train", "--architecture", HUGE),
            *("--method", method, "--seed", "1"),
        ],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (LIMITS[method],) * 2),
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: not enough memory")
    assert "smaller architecture" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not Path("models").exists()


def test_only_the_allocators_errors_of_torch_are_for_want_of_memory() -> None:
    with pytest.raises(MemoryError, match="tried to allocate"), memory_errors():
        torch.empty(10**14)
    with pytest.raises(RuntimeError, match="size"), memory_errors():
        torch.ones(2) + torch.ones(3)
