"""The kernels that are chosen are the best that the processor has."""

import platform
from pathlib import Path

import binary_kernels as kernels
import pytest

CPUINFO = Path("/proc/cpuinfo")
AVX512 = {"avx512bw", "avx512vl", "avx512vbmi", "avx512_vnni", "avx512_vpopcntdq"}


@pytest.mark.skipif(platform.machine() != "x86_64", reason="what an x86-64 processor may have")
@pytest.mark.skipif(not CPUINFO.exists(), reason="there is no /proc/cpuinfo")
def test_auto_is_the_best_that_the_processor_has() -> None:
    flags = {
        flag
        for line in CPUINFO.read_text().splitlines()
        if line.startswith("flags")
        for flag in line.split()
    }
    best = "avx512" if flags >= AVX512 else "avx2" if "avx2" in flags else "scalar"
    assert kernels.instruction_set("auto") == best


@pytest.mark.skipif(platform.machine() != "aarch64", reason="what every AArch64 processor has")
def test_auto_is_neon_on_aarch64() -> None:
    assert kernels.instruction_set("auto") == "neon"
    with pytest.raises(ValueError, match="this processor has no avx2 kernels"):
        kernels.instruction_set("avx2")


def test_the_environment_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BINARY_KERNELS", raising=False)
    assert kernels.instruction_set() == kernels.instruction_set("auto")
    monkeypatch.setenv("BINARY_KERNELS", "scalar")
    assert kernels.instruction_set() == "scalar"
