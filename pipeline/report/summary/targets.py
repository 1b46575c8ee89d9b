"""The summary's section on what was aimed at."""

from typing import Any

import pandas as pd

from pipeline.report.markdown import markdown
from pipeline.report.text import chance_of_one_sign, join_words

_VERDICTS = ("met", "missed", "undecided", "not measured")


def targets_section(targets: pd.DataFrame, machine: dict[str, Any], seeds: int) -> str:
    """Return every figure that was aimed at, beside ours."""
    rows = [
        [
            row["what"],
            row["case"],
            f"{row['sense']} {row['aim']:g}",
            _ours(row),
            row["verdict"],
            f"[{row['source']}](tables/{row['source']}.csv)",
        ]
        for _, row in targets.iterrows()
    ]
    return "\n\n".join(
        [
            "## What was aimed at",
            "The project set these figures itself, from prototypes of the kernels with AVX2 and "
            "before the engine was built ([targets.yaml](../pipeline/targets.yaml)). "
            f"{targets_sentence(targets)} The packed engine ran with "
            f"{machine['kernels_instruction_set']}, torch with {machine['torch_instruction_set']}. "
            "Intervals are those of the tables named on the right; of accuracy, the range over "
            "seeds. Met and missed go by the whole interval; undecided is one that holds the aim. "
            f"{chance_of_one_sign(seeds)}",
            markdown(["what", "where", "aim", "ours", "verdict", "table"], rows),
        ]
    )


def targets_sentence(targets: pd.DataFrame) -> str:
    """Say how many of the aims were met."""
    counts = targets["verdict"].value_counts()
    parts = [f"{counts[verdict]} {verdict}" for verdict in _VERDICTS if verdict in counts]
    return (
        f"Of the {len(targets)} figures that were aimed at: {join_words(parts)} "
        "([targets.csv](tables/targets.csv))."
    )


def _ours(row: "pd.Series[Any]") -> str:
    if pd.isna(row["ours"]):
        return "-"
    digits = 3 if row["aim"] < 1 else 1
    value, lower, upper = (f"{row[end]:.{digits}f}" for end in ("ours", "lower", "upper"))
    return value if row["lower"] == row["upper"] else f"{value} [{lower}, {upper}]"
