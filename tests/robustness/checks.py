"""What is tried against the project, in the order of the table."""

from typing import NamedTuple


class Check(NamedTuple):
    """What is tried, what a case of it is, and the command that does it."""

    tried: str
    cases: str
    command: str


CHECKS = {
    "kill": Check("`kill -9` of `dvc repro` and all that it started", "kills survived", ".ci/kill"),
    "faults": Check(
        "full and read-only disks, too little memory, changed data, clocks that jump",
        "faults survived",
        ".ci/faults",
    ),
    "model-files": Check(
        "damaged and hostile model files, under ASan and UBSan", "files", ".ci/fuzz"
    ),
    "fuzz-idx": Check(
        "IDX files, raw and gzip, guided by coverage", "inputs", ".ci/fuzz-coverage idx"
    ),
    "fuzz-model": Check(
        "model files and a prediction, guided by coverage", "inputs", ".ci/fuzz-coverage model"
    ),
    "fuzz-checkpoint": Check(
        "checkpoints and a step, guided by coverage", "inputs", ".ci/fuzz-coverage checkpoint"
    ),
    "fuzz-params": Check("`params.yaml`, guided by coverage", "inputs", ".ci/fuzz-coverage params"),
    "kernels": Check("the kernels' tests under ASan and UBSan", "tests", ".ci/sanitize"),
    "arguments": Check(
        "arguments that do not fit, of every kernel, under ASan and UBSan", "calls", ".ci/sanitize"
    ),
    "train-asan": Check(
        "whole packed trainings under ASan and UBSan", "steps", ".ci/sanitize-training asan"
    ),
    "train-tsan": Check("whole packed trainings under TSan", "steps", ".ci/sanitize-training tsan"),
    "train-valgrind": Check(
        "a small packed training under valgrind", "steps", ".ci/sanitize-training valgrind"
    ),
    "aarch64": Check(
        "trainings on AArch64, emulated, that must give the bytes of x86-64",
        "trainings",
        ".ci/aarch64",
    ),
}
