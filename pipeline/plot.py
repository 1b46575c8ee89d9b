"""Tables -> figures: reports/figures/ as PNG and SVG."""

from collections.abc import Callable

import matplotlib as mpl
from matplotlib.figure import Figure

from pipeline.captions import FIGURES
from pipeline.figures import confusion, costs, curves, inference, ledger, memory, scaling
from pipeline.figures.style import STYLE, save
from pipeline.outputs import whole_directory
from pipeline.paths import REPORTS
from pipeline.progress import say
from pipeline.stored_tables import read_table

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
    tables = {name: read_table(name) for _, sources in DRAWINGS.values() for name in sources}
    with whole_directory(folder) as temporary, mpl.rc_context(STYLE):
        for name in FIGURES:
            draw, sources = DRAWINGS[name]
            save(draw(*(tables[source] for source in sources)), temporary, name)
    say(f"{folder}/ has {len(FIGURES)} figures, as PNG and SVG")
