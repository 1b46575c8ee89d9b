import pandas as pd
import pytest

from pipeline.common.units import MIB
from pipeline.report.tables import ledger_table

KEYS = {"architecture": "mlp-8", "batch_size": 10, "method": "float"}


@pytest.mark.parametrize("lean", [6, 9, 12])
def test_the_ledger_adds_up_to_the_measured_peak(lean: int) -> None:
    """Also where a ledger lies above the peak: nothing is cut off."""
    rows = [
        {**KEYS, "kind": kind, "bytes": mib * MIB, "peak_bytes": lean * MIB}
        for kind, mib in (("weights", 3), ("input", 1), ("library_code", 4))
    ]
    peaks = pd.DataFrame([{**KEYS, "training_memory_mib": mib} for mib in (9.0, 10.0, 12.0)])
    table = ledger_table(pd.DataFrame(rows), peaks).set_index("kind")
    assert table["mib"].sum() == pytest.approx(10)
    assert table["percent_of_peak"].sum() == pytest.approx(100)
    assert table.loc["freed_but_kept", "mib"] == 10 - lean
    assert table.loc["rest", "mib"] == lean - 8
    assert table.loc["weights", "percent_of_peak"] == 30
