"""The main figures of an evaluation, for `dvc metrics` and `dvc plots`.

`metrics.json` has means over tasks and one figure per task; `tasks.csv` has a row per task and `spread.csv` a row per
template of a task. All are figures of each task's main metric.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean

from flanbuild.declare.metrics import METRICS
from flanbuild.evaluation.intervals import WIDTH
from flanbuild.evaluation.record import Difference, MetricScores, Role, ScoreRecord
from flanbuild.evaluation.scores import rounded

LEAST_ROWS = 20
"""Rows that a task needs to enter the mean of its cluster: one of two rows would move that mean like fifty of a hundred."""

Row = dict[str, str]
Tasks = Mapping[str, Mapping[str, MetricScores]]
"""Task → metric → scores."""
Figures = dict[str, float]


@dataclass(frozen=True)
class Means:
    """Means over tasks of their main metrics."""

    tasks: int
    rows: int
    """of all tasks together"""
    figures: Figures
    difference: Difference | None
    """tuned minus untuned; the rows of different tasks are taken as independent, the tasks as fixed"""


def metrics(record: ScoreRecord) -> dict[str, Figures]:
    """The content of `metrics.json`: group → figure → value, the same numbers as in `scores.json`.

    There is a group for each held-out cluster and one for the trained tasks (`seen`), with `tuned`, `untuned`,
    `best_on_dev`, `majority` and `random`: means over the tasks whose main metric is a percentage of 20 rows or more. A
    figure that one of these tasks lacks is left out. The group `tasks` has the tuned mean of each held-out task.
    """
    groups = {cluster: _means(main_scores(record, tasks)) for cluster, tasks in record.scores.items()}
    seen = [scores for tasks in record.seen.values() for scores in main_scores(record, tasks)]
    groups["seen"] = _means(seen)
    groups["tasks"] = {
        task: tasks[task][record.metrics[task][0]].tuned.mean
        for tasks in record.scores.values()
        for task in tasks
    }
    return {name: figures for name, figures in groups.items() if figures}


def main_scores(record: ScoreRecord, tasks: Tasks) -> list[MetricScores]:
    """The scores of each task's main metric, where it is a percentage of enough rows."""
    mains = {task: record.metrics[task][0] for task in tasks}
    scores = [tasks[task][metric] for task, metric in mains.items() if METRICS[metric].percentage]
    return [one for one in scores if one.rows >= LEAST_ROWS]


def means(scores: Sequence[MetricScores]) -> Means | None:
    """The means of what `main_scores` returns; None of nothing.

    The standard error of a mean difference over tasks is the root of the summed squares of theirs, divided by their
    number. The interval of a single task is that of `scores.json`.
    """
    if not scores:
        return None
    differences = [one.difference for one in scores if one.difference]
    difference = differences[0] if len(scores) == 1 and differences else None
    if len(scores) > 1 and len(differences) == len(scores):
        mean = fmean(one.mean for one in differences)
        variance = sum((one.stderr or 0.0) ** 2 for one in differences)
        stderr = sqrt(variance) / len(scores)
        difference = Difference(
            mean=rounded(mean),
            low=rounded(mean - WIDTH * stderr),
            high=rounded(mean + WIDTH * stderr),
            stderr=rounded(stderr),
        )
    return Means(len(scores), sum(one.rows for one in scores), _means(scores), difference)


def task_rows(record: ScoreRecord) -> list[Row]:
    """The rows of `tasks.csv`, held-out tasks first; a figure that a task lacks is empty."""
    return [
        {
            "kind": kind,
            "cluster": cluster,
            "task": task,
            "metric": record.metrics[task][0],
            **{
                name: "" if value is None else str(value)
                for name, value in _figures(metrics[record.metrics[task][0]]).items()
            },
        }
        for kind, clusters in (("held out", record.scores), ("trained on", record.seen))
        for cluster, tasks in clusters.items()
        for task, metrics in tasks.items()
    ]


def spread_rows(record: ScoreRecord, templates: Iterable[Mapping[str, str]]) -> list[Row]:
    """The rows of `spread.csv` from those of `templates.csv`: test scores of held-out tasks, a column per model."""
    rows: dict[tuple[str, str, str], Row] = {}
    roles: tuple[Role, ...] = ("tuned", "untuned")
    for row in templates:
        if row["split"] == "test" and row["metric"] == record.metrics[row["task"]][0]:
            names = {name: row[name] for name in ("cluster", "task", "metric", "template")}
            key = row["cluster"], row["task"], row["template"]
            rows.setdefault(key, names | dict.fromkeys(roles, ""))[row["model"]] = row["score"]
    return list(rows.values())


def _means(scores: Sequence[MetricScores]) -> Figures:
    columns: dict[str, list[float | None]] = {}
    for one in scores:
        for name, value in _figures(one).items():
            columns.setdefault(name, []).append(value)
    means = {}
    for name, values in columns.items():
        known = [value for value in values if value is not None]
        if len(known) == len(values):
            means[name] = rounded(fmean(known))
    return means


def _figures(scores: MetricScores) -> dict[str, float | None]:
    return {
        "tuned": scores.tuned.mean,
        "untuned": scores.untuned.mean if scores.untuned else None,
        "best_on_dev": scores.tuned.best_on_dev,
        "majority": scores.majority,
        "random": scores.random,
    }
