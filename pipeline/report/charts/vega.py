"""What all charts share: their look, the switches they listen to, and common encodings."""

from typing import Any

import altair as alt

from pipeline.report.charts.tables import Series

GREY = "#595959"
DARK = "#222222"
HEIGHT = 260
# Those that lie on an axis are drawn.
ONE_TWO_FIVE = [float(f"{digit}e{decade}") for decade in range(-6, 9) for digit in (1, 2, 5)]
CONFIG: dict[str, Any] = {
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "domainColor": "#999999",
        "gridColor": "#E4E4E4",
        "labelColor": GREY,
        "labelFontSize": 12,
        "labelOverlap": "greedy",
        "tickColor": "#999999",
        "tickSize": 4,
        "titleColor": GREY,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 8,
    },
    "line": {"strokeWidth": 2},
    "text": {"color": DARK, "fontSize": 12},
}


def rows(table: str, *keys: str) -> alt.Chart:
    """Return a chart of the rows of `table` that the switches of `keys` choose."""
    chart = alt.Chart(alt.NamedData(name=table))
    for key in keys:
        # Parameters are text: the page's script sets them to the values of radio buttons.
        chart = chart.transform_filter(f"toString(datum.{key}) === {key}")
    return chart


def layered(
    *layers: alt.Chart, keys: tuple[str, ...], height: int, description: str
) -> alt.LayerChart:
    """Lay charts over each other, as wide as the page has room, listening to `keys`."""
    switches = [alt.param(name=key, value="") for key in keys]
    return (
        alt.LayerChart(layer=list(layers))
        .add_params(*switches)
        .properties(
            width="container",
            height=height,
            description=description,
        )
    )


def colours(series: Series) -> alt.Scale:
    """Return the scale from names to colours."""
    return alt.Scale(domain=series.names, range=list(series.colours.values()))


def colour(field: str, series: Series) -> alt.Color:
    """Colour by `field`; the page has the legend."""
    return alt.Color(f"{field}:N", scale=colours(series), legend=None)


def shape(field: str, series: Series) -> alt.Shape:
    """Give every name of `field` a shape of its own, to be told apart without colour."""
    scale = alt.Scale(domain=series.names, range=series.shapes)
    return alt.Shape(f"{field}:N", scale=scale, legend=None)


def method_axis(series: Series) -> alt.Y:
    """Give every method a row; the rows of charts side by side then align."""
    axis = alt.Axis(
        domain=False, ticks=False, labelFontSize=13, labelColor=DARK, minExtent=92, title=None
    )
    return alt.Y("method:N", sort=series.names, axis=axis)


def logarithmic(
    title: str, values: list[int] | None = None, domain: tuple[float, float] | None = None
) -> dict[str, Any]:
    """Return scale and axis of a logarithmic channel.

    Ticks are at `values`, or else at 1, 2 and 5 of every decade. Without a domain it is that of
    the data, of which there must be some.
    """
    axis = alt.Axis(
        format="~r", grid=values is None, title=title or None, values=values or ONE_TWO_FIVE
    )
    # Without a margin, the outermost points lie on the axis.
    scale = alt.Scale(
        type="log",
        nice=False,
        padding=12,
        domain=alt.Undefined if domain is None else list(domain),
    )
    return {"scale": scale, "axis": axis}


def short(value: str) -> str:
    """Return the expression that writes the expression `value` with three digits."""
    return f"format({value}, {value} >= 100 ? ',.0f' : '.3r')"
