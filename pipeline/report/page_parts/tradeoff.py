"""What accuracy costs: a point a network."""

import altair as alt
import pandas as pd

from pipeline.report.page_parts import vega
from pipeline.report.page_parts.costs import COSTS
from pipeline.report.page_parts.section import Chart, Needs, Section, Series, Tables

NEEDS: Needs = {
    "costs": ("architecture", "batch_size", "method", *COSTS),
    "accuracy": ("architecture", "method", "test_accuracy"),
}
KEYS = ("batch_size",)
SHOWN = ("epoch_seconds", "training_memory_mib")


def with_accuracy(costs: pd.DataFrame, accuracy: pd.DataFrame) -> pd.DataFrame:
    """Return costs with the test accuracy of each network: a chart draws from one table."""
    networks = accuracy[["architecture", "method", "test_accuracy"]]
    return costs.merge(networks, on=["architecture", "method"], how="left")


def section(tables: Tables) -> Section:
    """Return the section: accuracy against time, and against memory."""
    return Section(
        title="What accuracy costs",
        text="Up and to the left is better. A line joins the architectures of a method; only the "
        "switch of the batch size changes these charts. Costs are on a logarithmic axis, and the "
        "axis of accuracy is cut.",
        charts=tuple(_chart(cost, tables.methods) for cost in SHOWN),
        columns=2,
    )


def _chart(cost: str, methods: Series) -> Chart:
    title, unit = COSTS[cost]
    base = vega.rows("costs", *KEYS)
    x = alt.X(f"{cost}:Q", **vega.logarithmic(unit))
    y = alt.Y(
        "test_accuracy:Q",
        axis=alt.Axis(title="test accuracy, %", tickCount=5),
        scale=alt.Scale(zero=False, padding=16),
    )
    colour = vega.colour("method", methods)
    line = base.mark_line(strokeWidth=1, opacity=0.6).encode(
        x=x, y=y, color=colour, order="test_accuracy:Q"
    )
    points = base.mark_point(filled=True, size=90, opacity=1).encode(
        x=x,
        y=y,
        color=colour,
        shape=vega.shape("method", methods),
        tooltip=[
            alt.Tooltip("architecture:N"),
            alt.Tooltip("method:N"),
            alt.Tooltip(f"{cost}:Q", title=unit, format=".3~r"),
            alt.Tooltip("test_accuracy:Q", title="test accuracy, %", format=".2f"),
        ],
    )
    return Chart(
        name=f"tradeoff-{cost.split('_')[0]}",
        title=f"Accuracy against {title.lower()}",
        unit=unit,
        sources=("costs", "accuracy"),
        spec=vega.layered(
            line,
            points,
            keys=KEYS,
            height=vega.HEIGHT,
            description=f"Test accuracy against {title.lower()}, a point a network.",
        ),
    )
