"""Tables of the report that give different numbers for one and the same thing."""

from itertools import combinations
from pathlib import Path

import pandas as pd

# What a number can be of. A table that lacks some of them says the same of all.
KEYS = ("architecture", "method", "batch_size", "threads", "target")
# Numbers of one row are rounded to four digits; so is what is computed from them.
TOLERANCE = 2e-4
# Tables of networks that were trained in other ways: their numbers are of something else.
OF_OTHERS = ("frontier", "equal_accuracy")


def contradictions(folder: Path) -> tuple[set[tuple[str, str, str]], list[str]]:
    """Compare every two tables in a folder that share a column of numbers.

    Rounds count by their median, seeds by their mean. Where a table has several numbers for one
    architecture, method and whatever other keys the two tables share, it means something else, such
    as a phase or an epoch, and is not compared.

    Returns:
        The pairs of tables that were compared, with the column, and a line per contradiction.
    """
    paths = sorted(path for path in folder.glob("*.csv") if path.stem not in OF_OTHERS)
    tables = {path.stem: pd.read_csv(path) for path in paths}
    compared: set[tuple[str, str, str]] = set()
    found = []
    for (one, left), (other, right) in combinations(tables.items(), 2):
        shared = [key for key in KEYS if key in left and key in right]
        if not {"architecture", "method"} <= set(shared):
            continue
        numbers = [set(map(str, table.select_dtypes("number"))) for table in (left, right)]
        for column in sorted(numbers[0] & numbers[1] - {*KEYS, "round", "seed"}):
            a, b = (_single_values(table, shared, column) for table in (left, right))
            for case in a.index.intersection(b.index):
                compared.add((one, other, column))
                if abs(a[case] - b[case]) > TOLERANCE * max(1, abs(a[case])):
                    found.append(f"{column} of {case}: {one} {a[case]}, {other} {b[case]}")
    return compared, found


def _single_values(table: pd.DataFrame, keys: list[str], column: str) -> "pd.Series[float]":
    """Return the number of every case that has just one."""
    for repeated, reduction in (("round", "median"), ("seed", "mean")):
        if repeated in table:
            others = [
                name
                for name in table
                if name not in (repeated, column)
                and (name in KEYS or not pd.api.types.is_float_dtype(table[name]))
            ]
            table = table.groupby(others)[column].agg(reduction).reset_index()
    cases = table.dropna(subset=column).groupby(keys)[column]
    one_number = cases.nunique() == 1
    if "phase" in table:
        # Phases so short that all round to 0 are still parts of an epoch.
        one_number &= cases.size() == 1
    return cases.first()[one_number]
