"""The tables of the report, read back: what `aggregate` wrote, for what is drawn from it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from pipeline.artifacts.tables import require_columns
from pipeline.common.errors import PipelineError
from pipeline.config.names import BASELINE
from pipeline.config.paths import TABLES
from pipeline.report.charts.style import PART_COLOURS, colour_of, in_order
from pipeline.report.columns import COSTS, POINT
from pipeline.report.statistics import ENDS, read_estimate
from pipeline.report.text import ratio_with_interval
from pipeline.report.verdicts import Verdict, judge_cost

# The columns that are read, by table.
Needs = Mapping[str, tuple[str, ...]]
# All figures show costs of the same points with the same words, whatever else they need.
COST_NEEDS: Needs = {
    "accuracy": ("architecture", "method", "test_accuracy"),
    "costs": (*POINT, "method", *COSTS, *(f"{cost}_ratio{end}" for cost in COSTS for end in ENDS)),
    "phases": tuple(POINT),
}
# The files that a table is computed from, where it has none of its own.
COMPUTED = {"scaling": ("axes", "costs")}
# Class names are text, even where they look like numbers or like a missing value.
_TEXTS = ("class", "actual", "predicted")

# Vega's names of the shapes of style.MARKERS, and a character for the legend.
SHAPES = {
    "circle": "●",
    "square": "■",
    "triangle-up": "▲",
    "diamond": "◆",
    "triangle-down": "▼",
    "cross": "✚",
    "triangle-right": "▶",
}


@dataclass(frozen=True)
class Series:
    """The names that a chart tells apart by colour, and by shape where it has points."""

    colours: dict[str, str]
    pointed: bool = True

    @classmethod
    def of(cls, names: "pd.Series[str]", *, pointed: bool) -> "Series":
        """Give names that are no methods' their colours, in order of appearance."""
        return cls(dict(zip(in_order(names), PART_COLOURS * 4, strict=False)), pointed)

    @property
    def names(self) -> list[str]:
        """All names, in order of appearance."""
        return list(self.colours)

    @property
    def shapes(self) -> list[str]:
        """Vega's shape of every name; a square where there are no points."""
        shapes = list(SHAPES) if self.pointed else ["square"]
        return [shapes[position % len(shapes)] for position in range(len(self.names))]


@dataclass(frozen=True)
class Tables:
    """The tables of the report that there are, by name.

    `costs` has the architectures' own points only. `scaling` has the points on each axis.
    """

    frames: Mapping[str, pd.DataFrame]

    def __getitem__(self, name: str) -> pd.DataFrame:
        """Return a table."""
        return self.frames[name]

    @cached_property
    def methods(self) -> Series:
        """Every method; those that were trained first. All charts give them these colours."""
        named = [self["accuracy"], *(t for t in self.frames.values() if "method" in t)]
        return Series(colour_of(pd.concat([table["method"] for table in named])))

    @property
    def binary_methods(self) -> list[str]:
        """Every method but the baseline."""
        return [name for name in self.methods.names if name != BASELINE]


def merge_needs(all_needs: Iterable[Needs]) -> dict[str, list[str]]:
    """Return the columns that are needed of each table, every one once."""
    columns: dict[str, list[str]] = {}
    for needs in all_needs:
        for name, needed in needs.items():
            known = columns.setdefault(name, [])
            known.extend(column for column in needed if column not in known)
    return columns


def read_tables(all_needs: Iterable[Needs], required: Iterable[str]) -> Tables:
    """Read tables of reports/tables, and compute from them those that have no file.

    Args:
        all_needs: what is read, beside that of COST_NEEDS.
        required: the tables that there must be. Others may be missing, or have no rows.

    Raises:
        PipelineError: a table that must be there is missing or has no rows, or any is damaged or
            lacks a column.
    """
    required = {*required, *COST_NEEDS}
    frames = {}
    for name, columns in merge_needs([COST_NEEDS, *all_needs]).items():
        if name not in required and not (TABLES / f"{name}.csv").exists():
            continue
        table = _read_table(name, columns)[columns]
        if not table.empty:
            frames[name] = table
        elif name in required:
            raise PipelineError(f"{TABLES}/{name}.csv has no rows. Run `dvc repro aggregate`.")
    costs = _with_words(frames["costs"])
    if "axes" in frames:
        frames["scaling"] = scaling_points(frames["axes"], costs)
    # phases.csv has the architectures' own points, and no others.
    costs = costs.merge(frames["phases"][POINT].drop_duplicates(), on=POINT)
    networks = frames["accuracy"][["architecture", "method", "test_accuracy"]]
    # A chart of the page draws from one table.
    frames["costs"] = costs.merge(networks, "left", on=["architecture", "method"])
    return Tables(frames)


def scaling_points(axes: pd.DataFrame, costs: pd.DataFrame) -> pd.DataFrame:
    """Return the costs of the points on each axis, a row per axis, value and method.

    The methods are those that were measured at every point. An architecture's own points have
    further ones.
    """
    points = axes.merge(costs, on=POINT)
    measured = points.groupby("method", sort=False)["value"].transform("size")
    return points[measured == len(axes)]


def _with_words(costs: pd.DataFrame) -> pd.DataFrame:
    """Add to each cost what stands beside it: COST_times in short, COST_interval in full."""
    costs = costs.copy()
    for cost in COSTS:
        ratios = [read_estimate(row, f"{cost}_ratio") for _, row in costs.iterrows()]
        costs[f"{cost}_times"] = [
            "≈" if judge_cost(cost, ratio) is Verdict.NO_DIFFERENCE else f"{ratio.value:.2f} ×"
            for ratio in ratios
        ]
        costs[f"{cost}_interval"] = [ratio_with_interval(cost, ratio) for ratio in ratios]
        baseline = costs["method"] == BASELINE
        costs.loc[baseline, [f"{cost}_times", f"{cost}_interval"]] = ""
    return costs


def _read_table(name: str, columns: Sequence[str]) -> pd.DataFrame:
    path = TABLES / f"{name}.csv"
    advice = "run `dvc repro` or `python -m pipeline aggregate`"
    texts = dict.fromkeys(_TEXTS, "str")
    try:
        table = pd.read_csv(path, dtype=texts, keep_default_na=False, na_values=[""])
    except FileNotFoundError as error:
        raise PipelineError(f"{path} is missing: {advice}") from error
    except (OSError, ValueError) as error:
        raise PipelineError(f"cannot read {path}: {error}; {advice} again") from error
    require_columns(table, path, columns, advice)
    return table
