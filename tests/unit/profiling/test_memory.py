import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.common.units import MIB
from pipeline.profiling.memory import PeakMemory


def test_a_peak_is_seen_after_the_memory_is_free_again() -> None:
    memory = PeakMemory()
    block = np.ones(64 * MIB, np.uint8)
    del block
    assert 60 * MIB < memory.since_start() < 80 * MIB


def test_growth_is_what_is_held_by_kind() -> None:
    memory = PeakMemory()
    block = np.ones(64 * MIB, np.uint8)
    growth = memory.growth()
    if growth is None:
        pytest.skip("the kernel does not tell the kinds of memory apart")
    assert 60 * MIB < growth.anonymous < 80 * MIB
    assert growth.file < 32 * MIB
    del block
    after = memory.growth()
    assert after is not None
    assert after.anonymous < 32 * MIB


def test_a_parents_memory_is_not_counted() -> None:
    program = (
        "import subprocess, sys\n"
        "block = bytearray(400 * 1024 * 1024)\n"
        "measure = 'from pipeline.profiling.memory import PeakMemory; print(PeakMemory().of_process())'\n"
        "subprocess.run([sys.executable, '-c', measure], check=True)\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 200 * MIB


def test_an_earlier_peak_belongs_to_the_process_alone() -> None:
    block = np.ones(64 * MIB, np.uint8)
    del block
    memory = PeakMemory()
    before = memory.of_process()
    assert memory.since_start() < 32 * MIB
    assert before >= 64 * MIB


@pytest.mark.parametrize("method", ["float", "deterministic"])
def test_training_memory_holds_no_code_of_libraries(project: Path, method: str) -> None:
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from pipeline.engines.engine import load_data\n"
        "from pipeline.config.params import load_params\n"
        "from pipeline.profiling.training_clock import TrainingClock\n"
        "method = load_params(Path('params.yaml')).methods[sys.argv[1]]\n"
        "clock = TrainingClock(load_data(method), method, 'mlp-8', 10, 1)\n"
        "growth = clock.memory.growth()\n"
        "print(growth.file if growth else -1)\n"
    )
    subprocess.run([sys.executable, "-m", "pipeline", "fetch"], check=True, capture_output=True)
    command = [sys.executable, "-c", program, method]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    if int(done.stdout) < 0:
        pytest.skip("the kernel does not tell the kinds of memory apart")
    # torch's were 11 MiB before a small network had been trained first.
    assert int(done.stdout) < 3 * MIB
