"""Tables -> figures: reports/figures/ as PNG and SVG."""

from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from pipeline.aggregate import REPORTS, TABLES
from pipeline.errors import PipelineError
from pipeline.figures import confusion, costs, curves, inference, ledger, memory, scaling
from pipeline.figures.style import STYLE
from pipeline.outputs import whole_directory
from pipeline.progress import say
from pipeline.summary import FIGURES

DOTS_PER_INCH = 130

# What a figure is drawn from: the names of its tables, in the order of its arguments.
DRAWINGS: dict[str, tuple[Callable[..., Figure], tuple[str, ...]]] = {
    "error": (curves.draw_error, ("learning_curves",)),
    "time": (curves.draw_time, ("learning_curves",)),
    "costs": (costs.draw_costs, ("costs", "accuracy")),
    "tradeoff": (costs.draw_tradeoff, ("costs", "accuracy")),
    "memory": (memory.draw_memory, ("memory_curve",)),
    "phases": (ledger.draw_phases, ("phases",)),
    "ledger": (ledger.draw_ledger, ("ledger", "costs")),
    "scaling": (scaling.draw_scaling, ("scaling",)),
    "inference": (inference.draw_inference, ("inference",)),
    "confusion": (confusion.draw_confusion, ("confusion",)),
}


def plot() -> None:
    """Draw every figure of the summary.

    Raises:
        PipelineError: a table is missing or damaged, or the folder cannot be written.
    """
    folder = REPORTS / "figures"
    tables = {name: _read(name) for _, sources in DRAWINGS.values() for name in sources}
    with whole_directory(folder) as temporary, mpl.rc_context(STYLE):
        for name in FIGURES:
            draw, sources = DRAWINGS[name]
            figure = draw(*(tables[source] for source in sources))
            figure.savefig(temporary / f"{name}.png", dpi=DOTS_PER_INCH)
            # Without a date, the same tables give the same file.
            figure.savefig(temporary / f"{name}.svg", metadata={"Date": None})
    say(f"{folder}/ has {len(FIGURES)} figures, as PNG and SVG")


def _read(name: str) -> pd.DataFrame:
    path: Path = TABLES / f"{name}.csv"
    try:
        # Class names are text, also where they look like numbers or like a missing value.
        return pd.read_csv(
            path,
            dtype=dict.fromkeys(("class", "actual", "predicted"), str),
            keep_default_na=False,
            na_values=[""],
        )
    except FileNotFoundError as error:
        raise PipelineError(
            f"{path} is missing: run `dvc repro` or `python -m pipeline aggregate` first"
        ) from error
    except (OSError, ValueError) as error:
        raise PipelineError(f"cannot read {path}: {error}. Run `dvc repro aggregate`.") from error
