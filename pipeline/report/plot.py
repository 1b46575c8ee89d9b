"""Tables -> figures: reports/figures/ as PNG and SVG."""

from collections.abc import Callable

import matplotlib as mpl
from matplotlib.figure import Figure

from pipeline.common.atomic import atomic_directory
from pipeline.common.console import echo
from pipeline.config.paths import REPORTS
from pipeline.report.captions import FIGURES
from pipeline.report.figures import (
    confusion,
    costs,
    curves,
    inference,
    memory,
    memory_breakdown,
    scaling,
)
from pipeline.report.figures.style import STYLE, save
from pipeline.report.stored_tables import own_points, read_table, scaling_points

# What a figure is drawn from: the names of its tables, in the order of its arguments.
DRAWINGS: dict[str, tuple[Callable[..., Figure], tuple[str, ...]]] = {
    "error": (curves.draw_error, ("learning_curves",)),
    "time": (curves.draw_time, ("learning_curves",)),
    "costs": (costs.draw_costs, ("costs", "accuracy")),
    "tradeoff": (costs.draw_tradeoff, ("costs", "accuracy")),
    "memory": (memory.draw_memory, ("memory_curve",)),
    "phases": (memory_breakdown.draw_phases, ("phases",)),
    "memory_breakdown": (
        memory_breakdown.draw_memory_breakdown,
        ("memory_breakdown", "costs"),
    ),
    "scaling": (scaling.draw_scaling, ("scaling",)),
    "inference": (inference.draw_inference, ("inference",)),
    "confusion": (confusion.draw_confusion, ("confusion",)),
}

# What the drawings read of each table.
COLUMNS: dict[str, tuple[str, ...]] = {
    "learning_curves": (
        *("architecture", "method", "epoch"),
        *("cumulative_seconds", "training_error", "validation_error"),
    ),
    "costs": ("architecture", "batch_size", "threads", "method", *costs.LABELS),
    "accuracy": (
        *("architecture", "method", "test_accuracy", "test_accuracy_std"),
        *("seeds", "model_kib"),
    ),
    "memory_curve": ("architecture", "batch_size", "method", "seconds", "process_memory_mib"),
    "phases": ("architecture", "batch_size", "threads", "method", "phase", "seconds"),
    "memory_breakdown": ("architecture", "batch_size", "method", "kind", "mib"),
    "axes": ("axis", "value", "architecture", "batch_size", "threads"),
    "inference": ("architecture", "threads", "batch_size", "runtime", "microseconds_an_image"),
    "confusion": ("architecture", "method", "actual", "predicted", "images"),
}


def plot() -> None:
    """Draw every figure of the summary.

    Raises:
        PipelineError: a table is missing or damaged, or the folder cannot be written.
    """
    folder = REPORTS / "figures"
    tables = {name: read_table(name, columns) for name, columns in COLUMNS.items()}
    tables["scaling"] = scaling_points(tables["axes"], tables["costs"])
    tables["costs"] = own_points(tables["costs"], tables["phases"])
    with atomic_directory(folder) as temporary, mpl.rc_context(STYLE):
        for name in FIGURES:
            draw, sources = DRAWINGS[name]
            save(draw(*(tables[source] for source in sources)), temporary, name)
    echo(f"{folder}/ has {len(FIGURES)} figures, as PNG and SVG")
