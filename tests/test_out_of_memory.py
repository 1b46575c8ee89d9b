"""Memory that runs out is an error with a message, in threads too: nothing crashes."""

import subprocess
import sys

import pytest

# A layer so wide that the sums of 64 images, which a thread holds, take 128 MB; room for 64 more.
KERNELS_PROGRAM = """
import resource
import sys

import binary_kernels as kernels
import numpy as np

width = 1_000_000
network = kernels.Network(
    4,
    [1, width],
    [np.ones((width, 1), np.uint8), np.ones((2, width // 8), np.uint8)],
    [np.zeros(width, np.int32)],
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
