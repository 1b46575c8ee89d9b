import numpy as np

from pipeline.memory import MIB, PeakMemory


def test_a_peak_is_seen_after_the_memory_is_free_again() -> None:
    memory = PeakMemory()
    block = np.ones(64 * MIB, np.uint8)
    del block
    assert 60 * MIB < memory.since_start() < 80 * MIB


def test_an_earlier_peak_belongs_to_the_process_alone() -> None:
    block = np.ones(64 * MIB, np.uint8)
    del block
    memory = PeakMemory()
    before = memory.of_process()
    assert memory.since_start() < 32 * MIB
    assert before >= 64 * MIB
