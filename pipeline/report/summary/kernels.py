"""The summary's section on the kernels: the products alone, without the rest of training."""

from typing import Any

import pandas as pd

from pipeline.config.names import NUMKONG, TORCH
from pipeline.report.markdown import markdown
from pipeline.report.statistics import Estimate
from pipeline.report.summary.verdicts import interval_name, with_interval


def kernels_section(kernels: pd.DataFrame, machine: dict[str, Any]) -> str:
    """Return how fast the products are, beside torch's in float32 and numkong's in bits."""
    blocks = [
        "## Kernels",
        f"The products alone, {machine['threads']} threads, in one process, in turn, round after "
        "round ([kernels.csv](tables/kernels.csv)). *Bits by bits* takes both sides packed; *4-bit "
        "by bits* makes its tables within the time. × is how many times as fast as the other: "
        f"the median of the ratios within rounds, with its {interval_name(int(machine['rounds']))}."
        f" A row multiplies M×K by K×N. Ours ran with {machine['kernels_instruction_set']}, "
        f"torch's with {machine['torch_instruction_set']}:",
        _table(kernels),
    ]
    if NUMKONG not in set(kernels["kernel"]):
        blocks.append("numkong is not installed and is left out (pip install '.[peers]').")
    return "\n\n".join(blocks)


def _table(kernels: pd.DataFrame) -> str:
    rows = [
        [
            f"{row['m']} × {row['n']} × {row['k']}, {row['kernel']}",
            f"{row['microseconds']:,.1f}",
            f"{row['gops']:,.0f}",
            "" if row["kernel"] == TORCH else _cell(row, ""),
            "" if row["kernel"] in (TORCH, NUMKONG) else _cell(row, "numkong_"),
        ]
        for _, row in kernels.iterrows()
    ]
    return markdown(["M × N × K, kernel", "µs", "Gop/s", "× torch", "× numkong"], rows)


def _cell(row: "pd.Series[Any]", prefix: str) -> str:
    if f"{prefix}ratio" not in row:
        return "-"
    return with_interval(Estimate(*(row[f"{prefix}{end}"] for end in ("ratio", "lower", "upper"))))
