"""The charts of the explore page, by altair. Each is narrow, so that a screen shows one, two or four side by side."""

from collections.abc import Mapping, Sequence
from math import ceil, floor, log10
from typing import Any

import altair as alt

from flanbuild.inspect.contents import Lengths
from flanbuild.page.charts import STEP, names, of_rows, sized
from flanbuild.page.frame import MARK

_PAIR_STEP = 24
"""Pixels of a line of a chart that has two bars."""
_HEIGHT = 160


def row_counts(tasks: Mapping[str, tuple[int, int, int]], span: tuple[int, int]) -> Any:
    """For each task rows at the source (circle), rows that can be drawn (diamond) and examples (square), on a log axis.

    `span` holds the smallest and the largest number of all such charts, which therefore have one scale.
    """
    shapes = ("circle", "diamond", "square")
    rows = [
        {"task": task, "count": count, "kind": kind, "low": min(filter(None, counts)), "high": max(counts)}
        for task, counts in tasks.items()
        for kind, count in zip(shapes, counts, strict=True)
        if count
    ]
    x = _log_x("count", "rows, examples", span)
    base = of_rows(rows).encode(y=names("task", list(tasks)))
    line = base.mark_rule(color="var(--line)").encode(x=_log_x("low", "rows, examples", span), x2="high:Q")
    layers = [line]
    for kind, fill in zip(shapes, ("none", "none", MARK), strict=True):
        mark = base.mark_point(shape=kind, fill=fill, stroke=MARK, size=50, opacity=1)
        layers.append(mark.encode(x=x).transform_filter(alt.datum.kind == kind))
    return sized(alt.layer(*layers), len(tasks) * STEP)


def length_ranges(tasks: Mapping[str, Mapping[str, Lengths]], span: tuple[int, int]) -> Any:
    """For each task the 5th to 95th percentile and the median of prompts (filled) and completions (outlined)."""
    rows = [
        {"task": task, "side": side, "low": max(n.low, 1), "median": max(n.median, 1), "high": max(n.high, 1)}
        for task, sides in tasks.items()
        for side, n in sides.items()
    ]
    low = _log_x("low", "characters", span)
    height = alt.YOffset("side:N", sort=["prompt", "completion"])
    base = of_rows(rows).encode(y=names("task", list(tasks)), yOffset=height)
    layers = []
    for side, fill in (("prompt", MARK), ("completion", "none")):
        mark = base.mark_bar(height=7, fill=fill, stroke=MARK, strokeWidth=1)
        layers.append(mark.encode(x=low, x2="high:Q").transform_filter(alt.datum.side == side))
    median = base.mark_tick(color="currentColor", thickness=2, height=11)
    layers.append(median.encode(x=_log_x("median", "characters", span)))
    return sized(alt.layer(*layers), len(tasks) * _PAIR_STEP)


def length_histogram(lengths: Sequence[int], examples: Sequence[int], title: str) -> Any:
    """Examples by length, in bins from 1, 2, 3, 4, 6, 8, 12, … on."""
    bins: dict[int, int] = {}
    for length, count in zip(lengths, examples, strict=True):
        octave = max(length, 1).bit_length() - 1
        upper_half = max(length, 1) * 2 >> octave == 3
        bins[2 * octave + upper_half] = bins.get(2 * octave + upper_half, 0) + count
    rows = [{"from": _edge(b), "to": _edge(b + 1), "examples": count} for b, count in sorted(bins.items())]
    span = (max(min(lengths, default=1), 1), max(lengths, default=1))
    bar = of_rows(rows).mark_bar(color=MARK, stroke="var(--paper)", strokeWidth=0.5)
    chart = bar.encode(
        x=_log_x("from", title, span),
        x2="to:Q",
        y=alt.Y("examples:Q", axis=alt.Axis(tickCount=4, format=",d"), title="examples"),
        y2=alt.datum(0),
    )
    return sized(chart, _HEIGHT)


def _edge(number: int) -> int:
    """Where a bin of the histogram begins: 1, 2 (bin 1 is empty), 2, 3, 4, 6, 8, …"""
    octave, half = divmod(number, 2)
    return ceil((1 + half / 2) * (1 << octave))


def _log_x(field: str, title: str, span: tuple[int, int]) -> Any:
    """A log axis over `span`, widened to whole powers of ten, with a line at each of them."""
    first = floor(log10(max(span[0], 1)))
    last = max(ceil(log10(max(span[1], 1))), first + 1)
    powers = [10**n for n in range(first, last + 1)]
    scale = alt.Scale(type="log", domain=[powers[0], powers[-1]], nice=False)
    return alt.X(f"{field}:Q", title=title, scale=scale, axis=alt.Axis(values=powers, format="~s"))
