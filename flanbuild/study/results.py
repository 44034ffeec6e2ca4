"""What the points of a study scored, with errors over rows and differences on the same rows.

The rows are the sample and the templates are fixed, as in `evaluation.intervals`. Two points are compared row by row,
so that what is hard for both does not widen the interval of their difference.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from statistics import NormalDist, fmean, stdev
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flanbuild.artifacts.arrow import read_table
from flanbuild.artifacts.digests import rows_digest
from flanbuild.artifacts.records import SCORES, read_record
from flanbuild.errors import ArtifactError
from flanbuild.evaluation.intervals import COVERAGE, Replicates, replicates
from flanbuild.evaluation.record import MetricScores, ScoreRecord, Split
from flanbuild.evaluation.results import LEAST_ROWS, main_scores
from flanbuild.evaluation.rows import EvaluationRows
from flanbuild.study.declaration import Study
from flanbuild.study.run import PREDICTIONS, RUNS

_WIDTH = NormalDist().inv_cdf((1 + COVERAGE) / 2)
"""Standard errors on each side of a mean that hold COVERAGE of a normal distribution."""
_SETTINGS = ("protocol", "examples", "templates", "prompt_length", "template")
"""Settings of an evaluation that decide what is asked."""


class Estimate(NamedTuple):
    """A mean over tasks and its standard error over rows, which is None if a task has a single row."""

    mean: float
    stderr: float | None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval."""
        if self.stderr is None:
            return None
        return self.mean - _WIDTH * self.stderr, self.mean + _WIDTH * self.stderr


@dataclass(frozen=True)
class PointResult:
    """What one point scored: means over tasks of their main metric, over templates and seeds."""

    label: str
    runs: tuple[str, ...]
    """names of its experiments"""
    held_out: Estimate
    seed_sd: float | None
    """standard deviation of the held-out mean over seeds; None with one seed"""
    difference: Estimate | None
    """held-out mean minus that of the first point, on the same rows; None for the first point"""
    seen: Estimate | None
    """of the trained tasks that every point scored; None if there are none"""
    constant: int
    """held-out tasks in the mean for which each run gives one answer to all rows, under every template"""


@dataclass(frozen=True)
class StudyResult:
    """A study that was run, with what its points have in common."""

    study: Study
    points: tuple[PointResult, ...]
    tasks: tuple[str, ...]
    """held-out tasks in the mean"""
    rows: int
    """their rows, each under every template that was evaluated"""
    seen_tasks: tuple[str, ...]
    majority: float | None
    evaluated: str
    """digest of the rows that every point was scored on"""

    @property
    def seeds(self) -> int:
        """Runs of each point."""
        return len(self.points[0].runs)


@dataclass(frozen=True)
class _Scored:
    """The results of one run."""

    name: str
    record: ScoreRecord
    predictions: pa.Table

    @property
    def evaluated(self) -> str:
        """The digest of the held-out rows that were asked."""
        rows = _of(self.predictions, model="tuned", split="test")
        return rows_digest(rows.select(["cluster", "task", "row", "template", "answer", "options"]))

    def scores(self, task: str) -> MetricScores:
        clusters = [*self.record.scores.values(), *self.record.seen.values()]
        metrics = next(tasks[task] for tasks in clusters if task in tasks)
        return metrics[self.record.metrics[task][0]]

    def is_constant(self, task: str) -> bool:
        """Whether the model gives one answer to all rows of the task, under every template."""
        answers = self.record.models["tuned"].constant.get(task, {})
        return sum(answers.values()) == self.scores(task).tuned.templates

    def replicates(self, task: str, split: Split) -> Replicates | None:
        """The score of each row; None where text was generated, whose answers the predictions do not hold."""
        table = _of(self.predictions, model="tuned", split=split, task=task)
        columns = {name: table[name].to_pylist() for name in ("row", "template", "options", "answer")}
        nothing = [""] * len(table)
        rows = EvaluationRows(**columns, prompt=nothing, answers=[[] for _ in nothing])
        if not rows.ranked:
            return None
        return replicates(rows, table["prediction"].to_pylist(), self.record.metrics[task][0])


def results(study: Study, out: Path) -> StudyResult:
    """The results of a study whose runs are done.

    Raises ArtifactError if two of its runs were scored on other rows or with other settings, or if no held-out task has a
    percentage of enough rows.
    """
    points = [[_read(run.name, out) for run in point.runs] for point in study.points]
    scored = [run for runs in points for run in runs]
    first = scored[0]
    for run in scored[1:]:
        _check_comparable(study.name, first, run)
    tasks = _in_mean(first.record, first.record.scores)
    if not tasks:
        raise ArtifactError(
            f"study {study.name}: no held-out task has a percentage of {LEAST_ROWS} rows or more; raise evaluate.examples."
        )
    seen = set.intersection(*({*_in_mean(run.record, run.record.seen)} for run in scored))
    means = [_estimate(runs, tasks, "test") for runs in points]
    return StudyResult(
        study,
        tuple(
            PointResult(
                point.label,
                tuple(run.name for run in point.runs),
                held_out,
                _seed_sd(runs, tasks),
                _difference(runs, points[0], tasks) if number else None,
                _estimate(runs, sorted(seen), "dev") if seen else None,
                sum(all(run.is_constant(task) for run in runs) for task in tasks),
            )
            for number, (point, runs, held_out) in enumerate(zip(study.points, points, means, strict=True))
        ),
        tuple(tasks),
        sum(first.scores(task).rows for task in tasks),
        tuple(sorted(seen)),
        _mean([first.scores(task).majority for task in tasks]),
        first.evaluated,
    )


def _read(name: str, out: Path) -> _Scored:
    folder = out / RUNS / name
    return _Scored(name, read_record(folder / SCORES, ScoreRecord), read_table(folder / PREDICTIONS))


def _check_comparable(study: str, first: _Scored, run: _Scored) -> None:
    """Raises ArtifactError unless both were scored on the same rows, under the same templates, in the same way."""
    for name in _SETTINGS:
        if (one := first.record.config.get(name)) != (other := run.record.config.get(name)):
            raise ArtifactError(
                f"study {study}: {first.name} was evaluated with {name} {one} and {run.name} with {other}; they cannot be "
                "compared."
            )
    sets, others = first.record.evaluation_sets, run.record.evaluation_sets
    unlike = sorted(task for task in sets.keys() & others.keys() if sets[task] != others[task])
    if first.evaluated != run.evaluated or unlike:
        which = f"evaluation sets of {', '.join(unlike)}" if unlike else "held-out rows"
        raise ArtifactError(
            f"study {study}: {first.name} and {run.name} were scored on other {which} ({first.evaluated[:12]}… and "
            f"{run.evaluated[:12]}…); they cannot be compared."
        )


def _in_mean(record: ScoreRecord, clusters: dict[str, dict[str, dict[str, MetricScores]]]) -> list[str]:
    """The tasks that enter a mean: their main metric is a percentage of enough rows."""
    return [
        task
        for tasks in clusters.values()
        for task, scores in tasks.items()
        if main_scores(record, {task: scores})
    ]


def _estimate(runs: Sequence[_Scored], tasks: Sequence[str], split: Split) -> Estimate:
    means = [fmean(run.scores(task).tuned.mean for run in runs) for task in tasks]
    return Estimate(fmean(means), _combined([_task_stderr(runs, task, split) for task in tasks]))


def _difference(runs: Sequence[_Scored], base: Sequence[_Scored], tasks: Sequence[str]) -> Estimate:
    """The mean difference, its rows paired where they can be."""
    mean = _estimate(runs, tasks, "test").mean - _estimate(base, tasks, "test").mean
    errors = []
    for task in tasks:
        own, other = _over_seeds(runs, task, "test"), _over_seeds(base, task, "test")
        if own is None or other is None:
            both = (_task_stderr(runs, task, "test"), _task_stderr(base, task, "test"))
            errors.append(None if None in both else sqrt(sum((error or 0) ** 2 for error in both)))
        else:
            errors.append(Replicates(own.values - other.values, own.by_row).stderr)
    return Estimate(mean, _combined(errors))


def _task_stderr(runs: Sequence[_Scored], task: str, split: Split) -> float | None:
    """The standard error over rows of the mean over seeds."""
    if (values := _over_seeds(runs, task, split)) is not None:
        return values.stderr
    errors = [run.scores(task).tuned.stderr for run in runs]
    return None if None in errors else fmean(error or 0 for error in errors)


def _over_seeds(runs: Sequence[_Scored], task: str, split: Split) -> Replicates | None:
    found = [run.replicates(task, split) for run in runs]
    values = [one.values for one in found if one is not None]
    first = found[0]
    return None if first is None else Replicates(np.mean(values, axis=0), first.by_row)


def _seed_sd(runs: Sequence[_Scored], tasks: Sequence[str]) -> float | None:
    means = [fmean(run.scores(task).tuned.mean for task in tasks) for run in runs]
    return stdev(means) if len(means) > 1 else None


def _combined(errors: Sequence[float | None]) -> float | None:
    """The standard error of a mean over tasks, whose rows are independent of each other."""
    known = [error for error in errors if error is not None]
    return sqrt(sum(error**2 for error in known)) / len(errors) if len(known) == len(errors) else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None


def _of(table: pa.Table, **values: str) -> pa.Table:
    """The rows with these values."""
    for name, value in values.items():
        table = table.filter(pc.equal(table[name], value))
    return table
