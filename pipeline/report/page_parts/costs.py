"""What training costs and what accuracy it buys: a row a method."""

import altair as alt

from pipeline.config.names import BASELINE
from pipeline.report.page_parts import vega
from pipeline.report.page_parts.section import Chart, Needs, Section, Series, Tables

COSTS = {
    "epoch_seconds": ("Time", "seconds an epoch"),
    "training_memory_mib": ("Training memory", "MiB above what the process held before"),
    "process_memory_mib": ("Process memory", "MiB, peak of the whole process"),
}
ENDS = ("", "_ratio", "_ratio_lower", "_ratio_upper")
CASE = ("architecture", "batch_size")
NEEDS: Needs = {
    "costs": (*CASE, "method", *(f"{cost}{end}" for cost in COSTS for end in ENDS)),
    "accuracy": (
        *("architecture", "method", "test_accuracy", "test_accuracy_std"),
        *("seeds", "model_kib"),
    ),
}
ROW = 34
# Bars leave the rest of the width to their labels.
ROOM = 1.75


def section(tables: Tables) -> Section:
    """Return the section: what binarization saves."""
    measured = tuple(
        Chart(
            name=cost.replace("_", "-"),
            title=title,
            unit=unit,
            sources=("costs",),
            spec=_cost(cost, title, unit, tables.methods),
        )
        for cost, (title, unit) in COSTS.items()
    )
    return Section(
        title="What it costs",
        text="Medians over rounds of fresh processes, in which the methods take turns. × is the "
        f"ratio to {BASELINE}, paired within rounds; its interval is in the tooltip. Accuracy and "
        "model size are those of the trained networks, whatever the batch size chosen here.",
        charts=(*measured, _accuracy_chart(tables.methods), _size_chart(tables.methods)),
        columns=5,
    )


def _cost(cost: str, title: str, unit: str, methods: Series) -> alt.LayerChart:
    tooltip = [
        alt.Tooltip("method:N"),
        alt.Tooltip(f"{cost}:Q", title=unit.split()[0], format=".4~r"),
        alt.Tooltip("ratio:N", title=f"× {BASELINE} [interval]"),
    ]
    base = vega.rows("costs", *CASE).transform_calculate(
        ratio=vega.with_ratio(cost),
        times=f"datum.method === '{BASELINE}' ? '' : format(datum.{cost}_ratio, '.2f') + ' ×'",
    )
    # A column at the right end, to be read downwards.
    times = base.mark_text(align="right", color=vega.GREY, aria=False).encode(
        x=alt.value("width"), y=vega.method_axis(methods), text="times:N"
    )
    bars = _bars(base, cost, methods, tooltip)
    return vega.layered(
        *bars,
        times,
        keys=CASE,
        height=ROW * len(methods.names),
        description=f"{title}, {unit}, by method.",
    )


def _size_chart(methods: Series) -> Chart:
    tooltip = [alt.Tooltip("method:N"), alt.Tooltip("model_kib:Q", title="KiB", format=",.1f")]
    bars = _bars(vega.rows("accuracy", "architecture"), "model_kib", methods, tooltip)
    return Chart(
        name="model-size",
        title="Model file",
        unit="KiB",
        sources=("accuracy",),
        spec=vega.layered(
            *bars,
            keys=("architecture",),
            height=ROW * len(methods.names),
            description="Size of the model file by method.",
        ),
    )


def _bars(
    base: alt.Chart, column: str, methods: Series, tooltip: list[alt.Tooltip]
) -> list[alt.Chart]:
    """Return layers: bars, their labels, and room for those."""
    base = base.transform_joinaggregate(largest=f"max({column})").transform_calculate(
        room=f"{ROOM} * datum.largest", label=vega.short(f"datum.{column}")
    )
    x = alt.X(f"{column}:Q", axis=None)
    y = vega.method_axis(methods)
    bars = base.mark_bar(height=18).encode(
        x=x, y=y, color=vega.colour("method", methods), tooltip=tooltip
    )
    labels = base.mark_text(align="left", dx=6, aria=False).encode(
        x=x, y=y, text="label:N", tooltip=tooltip
    )
    room = base.mark_point(opacity=0, aria=False).encode(x=alt.X("room:Q", axis=None), y=y)
    return [room, bars, labels]


def _accuracy_chart(methods: Series) -> Chart:
    tooltip = [
        alt.Tooltip("method:N"),
        alt.Tooltip("test_accuracy:Q", title="test accuracy, %", format=".2f"),
        alt.Tooltip("deviation:N", title="standard deviation"),
        alt.Tooltip("seeds:Q"),
    ]
    base = vega.rows("accuracy", "architecture").transform_calculate(
        # With one seed there is no spread, and a line without length is not seen.
        low="datum.test_accuracy - (datum.test_accuracy_std || 0)",
        high="datum.test_accuracy + (datum.test_accuracy_std || 0)",
        label="format(datum.test_accuracy, '.2f')",
        deviation="isValid(datum.test_accuracy_std) ? format(datum.test_accuracy_std, '.2f') "
        ": 'none with one seed'",
    )
    # An accuracy is not a length from 0: the axis is cut, and so a point is drawn, not a bar.
    scale = alt.Scale(zero=False, padding=24)
    x = alt.X("test_accuracy:Q", scale=scale, axis=alt.Axis(title=None, tickCount=5))
    y = vega.method_axis(methods)
    colour = vega.colour("method", methods)
    spread = base.mark_rule(strokeWidth=2).encode(x="low:Q", x2="high:Q", y=y, color=colour)
    points = base.mark_circle(size=90, opacity=1).encode(x=x, y=y, color=colour, tooltip=tooltip)
    labels = base.mark_text(dy=-13, aria=False).encode(x=x, y=y, text="label:N")
    return Chart(
        name="accuracy",
        title="Test accuracy",
        unit="%, mean and standard deviation over seeds; the axis is cut",
        sources=("accuracy",),
        spec=vega.layered(
            spread,
            points,
            labels,
            keys=("architecture",),
            height=ROW * len(methods.names),
            description="Test accuracy by method, with the standard deviation over seeds.",
        ),
    )
