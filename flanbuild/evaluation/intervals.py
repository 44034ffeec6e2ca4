"""How far a score would move with other rows of the same task: standard errors, and intervals of a difference.

The rows are the sample, the templates are fixed: a score is the mean over templates, and the rows move it. A metric
that is a mean over rows is resampled row by row (bootstrap). Any other, such as F1 or BLEU, is computed again without
one twentieth of the rows at a time (jackknife). Nothing here depends on a random number generator.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from flanbuild.declare.metrics import METRICS
from flanbuild.evaluation.metrics import row_values, score
from flanbuild.evaluation.rows import EvaluationRows
from flanbuild.keys import row_keys, task_key

RESAMPLES = 2000
GROUPS = 20
COVERAGE = 0.95
WIDTH = 1.959963984540054
"""Standard errors on each side of a mean that hold COVERAGE of a normal distribution."""
_CHUNK = 1 << 21
"""Draws that are held at once."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Replicates:
    """Scores of one model from which the spread over rows follows."""

    values: Floats
    """shape (rows,): each row's score, mean over templates; or shape (groups,): the score without each group"""
    by_row: bool

    @property
    def stderr(self) -> float | None:
        """The standard error of the score; None for a single row."""
        count = len(self.values)
        if count < 2:
            return None
        if self.by_row:
            return float(self.values.std(ddof=1)) / sqrt(count)
        return float(self.values.std()) * sqrt(count - 1)


def replicates(rows: EvaluationRows, predictions: Sequence[str], metric: str) -> Replicates:
    """The replicates of a declared metric over the rows of a task."""
    _, position = np.unique(np.asarray(rows.row), return_inverse=True)
    count = int(position.max()) + 1
    if METRICS[metric].mean_of_rows:
        values = row_values(metric, predictions, rows.references, options=rows.classes)
        return Replicates(np.bincount(position, values) / np.bincount(position), by_row=True)
    templates, references = np.asarray(rows.template), rows.references
    groups = min(GROUPS, count)
    without = [
        np.mean(
            [
                _score(
                    rows, references, predictions, metric, (templates == one) & (position % groups != group)
                )
                for one in np.unique(templates)
            ]
        )
        for group in range(groups if count > 1 else 0)
    ]
    return Replicates(np.asarray(without, dtype=np.float64), by_row=False)


def interval(first: Replicates, second: Replicates, observed: float, name: str) -> tuple[float, float] | None:
    """The 95 % interval of a difference of two scores on the same rows, `observed`; None for a single row.

    `name` keys the resampling. The rows are paired, so what is hard for both models does not widen the interval.
    """
    differences = first.values - second.values
    if len(differences) < 2:
        return None
    if first.by_row:
        low, high = np.quantile(_means(differences, name), [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
        return float(low), float(high)
    half = WIDTH * float(differences.std()) * sqrt(len(differences) - 1)
    return observed - half, observed + half


def _means(values: Floats, name: str) -> Floats:
    """The means of RESAMPLES draws of as many values, with replacement."""
    key, count = task_key(0, "bootstrap", name), len(values)
    chunk = max(1, _CHUNK // count)
    parts = []
    for start in range(0, RESAMPLES, chunk):
        resample = np.arange(start, min(start + chunk, RESAMPLES))[:, None]
        draws = row_keys(key, np.arange(count)[None, :], resample) % np.uint64(count)
        parts.append(values[draws.astype(np.int64)].mean(axis=1))
    return np.concatenate(parts)


def _score(
    rows: EvaluationRows,
    references: Sequence[Sequence[str]],
    predictions: Sequence[str],
    metric: str,
    kept: NDArray[np.bool_],
) -> float:
    indices = np.flatnonzero(kept).tolist()
    return score(
        metric, [predictions[i] for i in indices], [references[i] for i in indices], options=rows.classes
    )
