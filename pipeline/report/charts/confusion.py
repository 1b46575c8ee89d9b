"""Which classes are taken for which, and which of them lose accuracy."""

import altair as alt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.report.charts import vega
from pipeline.report.charts.style import in_order, panels
from pipeline.report.charts.tables import Needs, Tables
from pipeline.report.charts.topic import Chart, Section, Switch, Topic

NEEDS: Needs = {
    "confusion": ("architecture", "method", "actual", "predicted", "images"),
    "per_class_accuracy": ("architecture", "method", "class", "test_accuracy"),
}
KEYS = ("architecture", "method")
# With more classes than this, figures in the cells would touch.
MAX_CLASSES_WRITTEN = 12
HEIGHT = 440
# ColorBrewer's Blues, but 0 is white, as are the cells that are left out.
SHARES = [0, 25, 50, 75, 100]
BLUES = ["#FFFFFF", "#C6DBEF", "#6BAED6", "#2171B5", "#08306B"]


def thin(confusion: pd.DataFrame) -> pd.DataFrame:
    """Drop the pairs of classes that are never confused: their cells stay white."""
    return confusion[confusion["images"] > 0]


def section(tables: Tables) -> Section:
    """Return the section: errors by class."""
    classes = in_order(tables["per_class_accuracy"]["class"])
    methods = tables.methods.names
    return Section(
        title="Which classes are confused",
        text="On the test set, mean over seeds. The switch sets the method of the matrix.",
        charts=(_matrix(classes), _by_class(classes, tables)),
        columns=2,
        switch=Switch(
            key="method",
            label="Method",
            values=tuple(methods),
            chosen=(tables.binary_methods or methods)[0],
        ),
    )


def _matrix(classes: list[str]) -> Chart:
    base = (
        vega.rows("confusion", *KEYS)
        .transform_joinaggregate(total="sum(images)", groupby=["actual"])
        .transform_calculate(percent="100 * datum.images / datum.total")
    )
    scale = alt.Scale(domain=classes)
    axis = alt.Axis(domain=False, ticks=False, labelOverlap=False)
    x = alt.X("predicted:N", scale=scale, axis=axis, title="predicted")
    y = alt.Y("actual:N", scale=scale, axis=axis, title="actual")
    cells = base.mark_rect().encode(
        x=x,
        y=y,
        color=alt.Color(
            "percent:Q", scale=alt.Scale(domain=SHARES, range=BLUES, interpolate="rgb"), legend=None
        ),
        tooltip=[
            alt.Tooltip("actual:N"),
            alt.Tooltip("predicted:N"),
            alt.Tooltip("percent:Q", title="% of the class", format=".1f"),
        ],
    )
    layers = [cells]
    if len(classes) <= MAX_CLASSES_WRITTEN:
        layers.append(
            base.transform_filter("datum.percent > 0.5")
            .mark_text(fontSize=11)
            .encode(
                x=x,
                y=y,
                text=alt.Text("percent:Q", format=".0f"),
                color=alt.when("datum.percent > 50")
                .then(alt.value("#FFFFFF"))
                .otherwise(alt.value(vega.DARK)),
            )
        )
    return Chart(
        name="confusion",
        title="Actual class by row, predicted by column",
        unit="% of the actual class",
        sources=("confusion",),
        spec=vega.layered(
            *layers,
            keys=KEYS,
            height=HEIGHT,
            description="Confusion matrix of the chosen method, percent of the actual class.",
        ),
    )


def _by_class(classes: list[str], tables: Tables) -> Chart:
    points = (
        vega.rows("per_class_accuracy", "architecture")
        .mark_point(filled=True, size=80, opacity=0.9)
        .encode(
            x=alt.X(
                "test_accuracy:Q",
                scale=alt.Scale(zero=False, padding=12),
                axis=alt.Axis(title=None, tickCount=6),
            ),
            y=alt.Y(
                "class:N",
                scale=alt.Scale(domain=classes),
                axis=alt.Axis(domain=False, grid=True, ticks=False, labelOverlap=False),
                title=None,
            ),
            color=vega.colour("method", tables.methods),
            shape=vega.shape("method", tables.methods),
            tooltip=[
                alt.Tooltip("class:N"),
                alt.Tooltip("method:N"),
                alt.Tooltip("test_accuracy:Q", title="test accuracy, %", format=".1f"),
            ],
        )
    )
    return Chart(
        name="classes",
        title="Test accuracy by class, all methods",
        unit="%; the axis is cut",
        sources=("per_class_accuracy",),
        spec=vega.layered(
            points,
            keys=("architecture",),
            height=HEIGHT,
            description="Test accuracy by class, a point per method.",
        ),
    )


def draw(tables: Tables) -> Figure:
    """Draw a matrix per architecture (row) and method (column), percent of the actual class."""
    confusion = tables["confusion"]
    architectures = in_order(confusion["architecture"])
    methods = in_order(confusion["method"])
    classes = in_order(confusion["actual"])
    figure = Figure(figsize=(6.2 * len(methods), 6.2 * len(architectures)))
    grid = panels(figure, len(architectures), len(methods))
    image = None
    for architecture, row in zip(architectures, grid, strict=True):
        for method, ax in zip(methods, row, strict=True):
            chosen = confusion[
                (confusion["architecture"] == architecture) & (confusion["method"] == method)
            ]
            matrix = chosen.pivot(index="actual", columns="predicted", values="images")
            matrix = matrix.loc[classes, classes]
            percent = 100 * matrix.div(matrix.sum(axis=1), axis=0)
            image = ax.imshow(percent, cmap="Blues", vmin=0, vmax=100)
            if len(classes) <= MAX_CLASSES_WRITTEN:
                _write_values(ax, percent)
            ax.set_xticks(range(len(classes)), classes, rotation=90)
            ax.set_yticks(range(len(classes)), classes)
            ax.set(title=f"{architecture}, {method}", xlabel="predicted", ylabel="actual")
            ax.grid(visible=False)
            ax.label_outer()
    if image is not None:
        figure.colorbar(
            image, ax=[ax for row in grid for ax in row], label="% of the class", shrink=0.6
        )
    return figure


def _write_values(ax: Axes, percent: pd.DataFrame) -> None:
    for i, row in enumerate(percent.to_numpy()):
        for j, value in enumerate(row):
            if value > 0.5:
                ax.text(
                    j,
                    i,
                    f"{value:.0f}",
                    ha="center",
                    va="center",
                    fontsize=10,
                    color="white" if value > 50 else "black",
                )


TOPIC = Topic(NEEDS, draw, section, {"confusion": thin})
