"""The charts of a report, by altair: scores with intervals, the spread over templates, losses.

The tuned model is a filled circle, the untuned one an outlined diamond, in two colors.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt

from flanbuild.declare.metrics import METRICS
from flanbuild.evaluation.intervals import WIDTH
from flanbuild.evaluation.record import MetricScores, Role, TemplateScores
from flanbuild.evaluation.results import Row
from flanbuild.page.charts import names, of_rows, sized
from flanbuild.page.frame import MARK, OTHER

ROLES: tuple[Role, ...] = ("tuned", "untuned")
_SHAPES = {"tuned": ("circle", MARK, MARK), "untuned": ("diamond", "var(--paper)", OTHER)}
"""Shape, fill and stroke of a model's points."""
_CROSS = "M-1,-1L1,1M1,-1L-1,1"
"""The shape of a random guess."""
_SCORE_STEP = 34
"""Pixels of a task with two intervals."""
_STRIP_STEP = 68
"""Pixels of a task with two stacks of points."""
_POINT = 6
"""Pixels of a point, from side to side."""
_PLOT = 170
"""Pixels of a plot without its names, about."""
_LEVEL = 4.0
"""Pixels from a point to the one that is stacked on it, where there is room."""
_STACK = 24.0
"""Pixels of a stack at most."""
_LOSS_HEIGHT = 180


@dataclass(frozen=True)
class StripPoint:
    """The score of one template in a strip: tuned scores are stacked upwards, untuned ones downwards."""

    task: str
    model: Role
    template: int
    score: float
    offset: float
    """pixels below the middle line of the task"""


def percentages(main: Mapping[str, MetricScores], metrics: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Task → main metric, of the tasks whose scores lie between 0 and 100 and so share one axis."""
    return {task: metrics[task][0] for task in main if METRICS[metrics[task][0]].percentage}


def strip(rows: Iterable[Row], metrics: Mapping[str, str], span: tuple[float, float]) -> list[StripPoint]:
    """The points of `templates.csv`, of the test scores of `metrics` (task → metric), none upon another.

    `span` is the range of the axis. A point that would cover an earlier one of its task and model, because the scores
    are equal or nearly so, goes one level further from the middle line. All stacks of a chart have one step, so that
    heights can be compared.
    """
    wide = (span[1] - span[0]) * _POINT / _PLOT
    groups: dict[tuple[str, Role], list[tuple[float, int]]] = {}
    for row in rows:
        if row["split"] == "test" and metrics.get(row["task"]) == row["metric"]:
            role: Role = "tuned" if row["model"] == "tuned" else "untuned"
            groups.setdefault((row["task"], role), []).append((float(row["score"]), int(row["template"])))
    levels = {key: _levels([score for score, _ in sorted(own)], wide) for key, own in groups.items()}
    highest = max((level for own in levels.values() for level in own), default=0)
    step = min(_LEVEL, _STACK / max(highest, 1))
    return [
        StripPoint(
            task, role, template, score, (-1 if role == "tuned" else 1) * (_POINT / 2 + 1 + level * step)
        )
        for (task, role), own in groups.items()
        for (score, template), level in zip(sorted(own), levels[task, role], strict=True)
    ]


def _levels(scores: Sequence[float], wide: float) -> list[int]:
    """The lowest free level of each of the sorted scores: points on one level are at least `wide` apart."""
    last: list[float] = []
    found = []
    for score in scores:
        level = next((n for n, before in enumerate(last) if score - before >= wide), len(last))
        last[level : level + 1] = [score]
        found.append(level)
    return found


def spread(points: Sequence[StripPoint], main: Mapping[str, MetricScores], span: tuple[float, float]) -> Any:
    """A line for each task with its points, and a bar at the score of the most common answer."""
    tasks = list(dict.fromkeys(point.task for point in points))
    own = {task: main[task] for task in tasks}
    room = _STRIP_STEP / 2
    offset = alt.YOffset("offset:Q", scale=alt.Scale(domain=[-room, room], range=[0, _STRIP_STEP]))
    x, y = _score_axis("score", "score of each template", span), _bands(tasks)
    layers = [_lines(tasks, y), _majority(own, x, y, _STRIP_STEP - 8)]
    for role in ROLES:
        shape, fill, stroke = _SHAPES[role]
        rows = [{"task": p.task, "score": p.score, "offset": p.offset} for p in points if p.model == role]
        border = "var(--paper)" if role == "tuned" else stroke  # parts the filled points of a stack
        mark = of_rows(rows).mark_point(
            shape=shape, fill=fill, stroke=border, size=_POINT**2, strokeWidth=1, opacity=1
        )
        layers.append(mark.encode(x=x, y=y, yOffset=offset))
    return sized(alt.layer(*layers), len(tasks) * _STRIP_STEP)


def score_span(main: Iterable[MetricScores]) -> tuple[float, float]:
    """A range that holds all means with their intervals, and the baselines."""
    values = [0.0]
    for one in main:
        for scores in (one.tuned, one.untuned):
            values += _interval(scores) if scores else ()
        values += [value for value in (one.majority, one.random, one.tuned.best) if value is not None]
    return 0.0, min(100.0, max(values) + 5)


def scores(main: Mapping[str, MetricScores], span: tuple[float, float]) -> Any:
    """For each task the mean over templates of both models with its 95 % interval over rows, and the baselines."""
    tasks = list(main)
    rows = [
        {"task": task, "model": role, "score": found.mean, "low": low, "high": high}
        for task, one in main.items()
        for role, found in (("tuned", one.tuned), ("untuned", one.untuned))
        if found
        for low, high in [_interval(found)]
    ]
    title = "score, mean over templates"
    x, low, y = _score_axis("score", title, span), _score_axis("low", title, span), _bands(tasks)
    layers = [_majority(main, x, y, _SCORE_STEP - 6), _random(main, x, y)]
    for role in ROLES:
        shape, fill, stroke = _SHAPES[role]
        own = [row for row in rows if row["model"] == role]
        base = of_rows(own).encode(y=y, yOffset=alt.YOffset("model:N", sort=list(ROLES)))
        line = base.mark_rule(stroke=stroke, strokeWidth=2)
        mark = base.mark_point(shape=shape, fill=fill, stroke=stroke, size=55, strokeWidth=1.5, opacity=1)
        layers += [line.encode(x=low, x2="high:Q"), mark.encode(x=x)]
    return sized(alt.layer(*layers), len(tasks) * _SCORE_STEP)


def _interval(scores: TemplateScores) -> tuple[float, float]:
    half = WIDTH * (scores.stderr or 0.0)
    return max(scores.mean - half, 0.0), min(scores.mean + half, 100.0)


def _majority(main: Mapping[str, MetricScores], x: Any, y: Any, height: int) -> Any:
    rows = [{"task": task, "score": one.majority} for task, one in main.items() if one.majority is not None]
    return of_rows(rows).mark_tick(color="currentColor", thickness=2, height=height).encode(x=x, y=y)


def _random(main: Mapping[str, MetricScores], x: Any, y: Any) -> Any:
    rows = [{"task": task, "score": one.random} for task, one in main.items() if one.random is not None]
    mark = of_rows(rows).mark_point(shape=_CROSS, stroke="currentColor", size=30, strokeWidth=1.5, opacity=1)
    return mark.encode(x=x, y=y)


def _lines(tasks: Sequence[str], y: Any) -> Any:
    return of_rows([{"task": task} for task in tasks]).mark_rule(color="var(--line)").encode(y=y)


def _bands(tasks: Sequence[str]) -> Any:
    """A band for each task, without room between them, so that offsets are pixels from its border."""
    return names("task", tasks).scale(paddingInner=0, paddingOuter=0)


def _score_axis(field: str, title: str, span: tuple[float, float]) -> Any:
    scale = alt.Scale(domain=list(span), nice=False)
    return alt.X(f"{field}:Q", title=title, scale=scale, axis=alt.Axis(tickCount=5))


def losses(training: Sequence[Row], validation: Sequence[Row]) -> Any:
    """The loss of each step as a line, and the validation losses as diamonds joined by a dashed line."""
    x = alt.X("step:Q", title="step", axis=alt.Axis(tickCount=5, format=",d"))
    y = alt.Y("loss:Q", title="loss on completions, nats per token", scale=alt.Scale(zero=False))
    line = of_rows(_loss_rows(training)).mark_line(stroke=MARK, strokeWidth=1.2).encode(x=x, y=y)
    base = of_rows(_loss_rows(validation)).encode(x=x, y=y)
    dashes = base.mark_line(stroke=OTHER, strokeDash=[4, 3], strokeWidth=1.5)
    points = base.mark_point(shape="diamond", fill="var(--paper)", stroke=OTHER, size=45, opacity=1)
    return sized(line + dashes + points, _LOSS_HEIGHT)


def _loss_rows(rows: Sequence[Row]) -> list[dict[str, float]]:
    return [{"step": int(row["step"]), "loss": float(row["loss"])} for row in rows]
