"""The kernels' threads in processes of their own, which must end."""

import resource
import subprocess
import sys

import pytest

START = """
import os, resource, sys
import numpy as np
from tests.kernels.test_threads import CASES
product = CASES["bits_by_bits"]
expected = product(threads=1)
"""
# More than there are addresses: no stack of a thread can be so large.
STACK = 1 << 47


def run(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", START + code],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_child_of_fork_starts_its_own_threads() -> None:
    """Its parent's are not there, neither to help it nor to be waited for at its end."""
    run("""
np.testing.assert_array_equal(product(threads=3), expected)
child = os.fork()
np.testing.assert_array_equal(product(threads=3), expected)
if child:
    assert os.waitpid(child, 0)[1] == 0
""")


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
@pytest.mark.skipif(
    resource.getrlimit(resource.RLIMIT_STACK)[1] != resource.RLIM_INFINITY,
    reason="the size of stacks is limited here",
)
def test_work_is_done_where_no_thread_can_be_started() -> None:
    run(f"""
if "limited" not in sys.argv:
    resource.setrlimit(resource.RLIMIT_STACK, ({STACK}, resource.RLIM_INFINITY))
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    os.execv(sys.executable, [*sys.orig_argv, "limited"])
np.testing.assert_array_equal(product(threads=3), expected)
assert len(os.listdir("/proc/self/task")) == 1
""")
