import pandas as pd
import pytest

from pipeline.common.units import MIB
from pipeline.report.tables import memory_breakdown_table

KEYS = {"architecture": "mlp-8", "batch_size": 10, "threads": 2, "method": "float"}


@pytest.mark.parametrize("peak", [6.0, 8.0, 10.0])
def test_the_breakdown_adds_up_to_training_memory(peak: float) -> None:
    """It does so even where kinds add up to more than the peak: nothing is cut off."""
    rows = [
        {**KEYS, "kind": kind, "bytes": mib * MIB}
        for kind, mib in (("weights", 3), ("input", 1), ("temporaries", 4))
    ]
    costs = pd.DataFrame([{**KEYS, "training_memory_mib": peak, "epoch_seconds": 1.0}])
    table = memory_breakdown_table(pd.DataFrame(rows), costs).set_index("kind")
    assert list(table.index) == ["weights", "input", "temporaries", "rest"]
    assert table["mib"].sum() == pytest.approx(peak)
    assert table["percent_of_peak"].sum() == pytest.approx(100)
    assert table.loc["rest", "mib"] == peak - 8
    assert table.loc["weights", "percent_of_peak"] == pytest.approx(300 / peak)
