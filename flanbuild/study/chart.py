"""The plot of a study: its points in order, held-out and trained tasks with 95 % intervals, and the majority."""

import re
from typing import Any

import altair as alt

from flanbuild.page.frame import CHART_WIDTH, MARK, PACKAGE, draw
from flanbuild.study.results import Estimate, StudyResult

_HEIGHT = 220
_KINDS = {"held out": ("circle", MARK), "trained tasks": ("square", "none")}
"""Kind of score → shape and fill: no color tells them apart."""


def chart(result: StudyResult) -> Any:
    """An altair chart in the colors of the page."""
    rows = [
        row
        for point in result.points
        for kind, estimate in (("held out", point.held_out), ("trained tasks", point.seen))
        if estimate is not None
        for row in [_row(point.label, kind, estimate)]
    ]
    order = [point.label for point in result.points]
    x = alt.X("point:N", sort=order, title=result.study.axis, axis=alt.Axis(labelAngle=0, labelLimit=90))
    y = alt.Y("score:Q", title="score", scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=6))
    offset = alt.XOffset("kind:N", sort=list(_KINDS), scale=alt.Scale(paddingOuter=0.6))
    base = alt.Chart(alt.Data(values=rows)).encode(x=x, xOffset=offset)
    layers = [base.mark_rule(color=MARK).encode(y=alt.Y("low:Q", title="score"), y2="high:Q")]
    for kind, (shape, fill) in _KINDS.items():
        mark = base.mark_point(shape=shape, fill=fill, stroke=MARK, size=60, opacity=1)
        layers.append(mark.encode(y=y).transform_filter(alt.datum.kind == kind))
    if result.majority is not None:
        line = alt.Chart(alt.Data(values=[{"score": result.majority}]))
        layers.append(line.mark_rule(color="currentColor", strokeDash=[4, 4]).encode(y=y))
    fit = alt.AutoSizeParams(type="fit-x", contains="padding")
    return alt.layer(*layers).properties(width=CHART_WIDTH, height=_HEIGHT, autosize=fit)


def standalone(drawn: Any) -> str:
    """The chart as an SVG file of its own, with the light colors of the page and a legend in its title."""
    titled = drawn.properties(title=alt.Title("● held out  □ trained tasks  ┄ majority", fontSize=11))
    style = (PACKAGE / "page" / "style.css").read_text(encoding="utf-8")
    colors = dict(re.findall(r"(--\w+): (#\w+)", style.partition("@media")[0]))
    given = ";".join(f"{name}:{value}" for name, value in sorted(colors.items()))
    own = f"{given};color:{colors['--ink']};background:{colors['--paper']}"
    svg = str(draw(titled, "Scores by point"))
    return svg.replace("<svg ", f'<svg style="{own}" ', 1) + "\n"


def _row(label: str, kind: str, estimate: Estimate) -> dict[str, str | float]:
    low, high = estimate.interval or (estimate.mean, estimate.mean)
    return {"point": label, "kind": kind, "score": estimate.mean, "low": low, "high": high}
