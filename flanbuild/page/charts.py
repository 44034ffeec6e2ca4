"""What the charts of several pages have in common, by altair: a width, rows of names, bars."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from flanbuild.page.frame import CHART_WIDTH, MARK

STEP = 18
"""Pixels of a line of a chart."""
_LABEL = 150
"""Most pixels of a name beside a chart."""


def bars(values: Mapping[str, int], title: str) -> Any:
    """A bar for each name, in the order given, with its number behind it."""
    rows = [{"name": name, "value": value, "label": f"{value:,}"} for name, value in values.items()]
    room = alt.Scale(domain=[0, 1.25 * max(values.values(), default=1)], nice=False)  # for the numbers
    x = alt.X("value:Q", title=title, scale=room, axis=alt.Axis(tickCount=3, format=",d"))
    base = of_rows(rows).encode(x=x, y=names("name", list(values)))
    bar = base.mark_bar(color=MARK)
    label = base.mark_text(align="left", dx=3, fill="currentColor", fontSize=11).encode(text="label:N")
    return sized(bar + label, len(rows) * STEP)


def of_rows(rows: Sequence[Mapping[str, Any]]) -> Any:
    """A chart of inline data, to be given a mark."""
    return alt.Chart(alt.Data(values=list(rows)))


def sized(chart: Any, height: int) -> Any:
    """CHART_WIDTH wide with labels and axes; `height` pixels without them."""
    fit = alt.AutoSizeParams(type="fit-x", contains="padding")
    return chart.properties(width=CHART_WIDTH, height=max(height, STEP), autosize=fit)


def names(field: str, order: Sequence[str]) -> Any:
    """Names take the same room in every chart, so that charts below each other have one scale."""
    axis = alt.Axis(labelLimit=_LABEL, minExtent=_LABEL, ticks=False)
    return alt.Y(f"{field}:N", sort=list(order), title=None, axis=axis)
