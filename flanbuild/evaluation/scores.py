"""From predictions to the scores of a task, and the scores that need no model: majority and random."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import TypeVar

from flanbuild.declare.metrics import METRICS
from flanbuild.evaluation.metrics import score
from flanbuild.evaluation.record import TemplateScores
from flanbuild.evaluation.rows import EvaluationRows

Value = TypeVar("Value", str, int)

_DIGITS = 4
NORMALIZED = "accuracy_norm"
"""Accuracy when an option's log-likelihood is divided by its number of characters."""


@dataclass(frozen=True)
class Answers:
    """The answers of one model to all rows of a task: texts, and log-likelihoods of the options if ranked."""

    predictions: Sequence[str]
    logliks: Sequence[Sequence[float]]


def chosen(rows: EvaluationRows, logliks: Sequence[Sequence[float]]) -> list[str]:
    """The likeliest option of each row; the first one of equals."""
    return [options[_highest(scores)] for options, scores in zip(rows.options, logliks, strict=True)]


def chosen_by_length(rows: EvaluationRows, logliks: Sequence[Sequence[float]]) -> list[str]:
    """The option of each row with the highest log-likelihood per character."""
    shares = [
        [loglik / max(len(option), 1) for option, loglik in zip(options, scores, strict=True)]
        for options, scores in zip(rows.options, logliks, strict=True)
    ]
    return chosen(rows, shares)


def by_template(
    rows: EvaluationRows, answers: Answers, metrics: Sequence[str]
) -> dict[str, dict[int, float]]:
    """Metric → template → score; for ranked tasks with `accuracy` also NORMALIZED."""
    scores = {metric: _score(rows, answers.predictions, metric) for metric in metrics}
    if rows.ranked and "accuracy" in metrics:
        scores[NORMALIZED] = _score(rows, chosen_by_length(rows, answers.logliks), "accuracy")
    return scores


def summary(metric: str, scores: Mapping[int, float]) -> TemplateScores:
    """Mean, population standard deviation, best and worst over templates.

    The paper's best template is the best one on the development set; this one is the best on the rows scored.
    """
    ordered = sorted(
        scores,
        key=lambda template: (scores[template], template),
        reverse=METRICS["accuracy" if metric == NORMALIZED else metric].higher_is_better,
    )
    best, worst = ordered[0], ordered[-1]
    return TemplateScores(
        mean=rounded(fmean(scores.values())),
        sd=rounded(pstdev(scores.values())),
        best=rounded(scores[best]),
        best_template=best,
        worst=rounded(scores[worst]),
        worst_template=worst,
        templates=len(scores),
    )


def majority(rows: EvaluationRows, metric: str) -> float:
    """The score of always giving the most common answer of the rows evaluated.

    Where options differ from row to row, it is the most common position in the list of options. It is the highest
    score that an answer without reading the row can get, so no training rows are needed to find it.
    """
    once = rows.under(min(rows.template))
    if once.ranked and not once.classes:
        positions = Counter(
            options.index(answer) for options, answer in zip(once.options, once.answer, strict=True)
        )
        position = _commonest(positions)
        constant = [options[min(position, len(options) - 1)] for options in once.options]
    else:
        constant = [_commonest(Counter(refs[0] for refs in once.references))] * len(once)
    return rounded(score(metric, constant, once.references, options=once.classes))


def random_guess(rows: EvaluationRows, metric: str) -> float | None:
    """The expected accuracy of a uniform draw among the options; None for other metrics and for generation."""
    if not rows.ranked or metric != "accuracy":
        return None
    return rounded(100 * fmean(1 / len(options) for options in rows.under(min(rows.template)).options))


def rounded(value: float) -> float:
    """Rounds to four decimals; further ones differ from machine to machine."""
    return round(value, _DIGITS)


def _score(rows: EvaluationRows, predictions: Sequence[str], metric: str) -> dict[int, float]:
    indices: dict[int, list[int]] = {}
    for index, template in enumerate(rows.template):
        indices.setdefault(template, []).append(index)
    references = rows.references
    return {
        template: score(
            metric, [predictions[i] for i in own], [references[i] for i in own], options=rows.classes
        )
        for template, own in sorted(indices.items())
    }


def _highest(scores: Sequence[float]) -> int:
    return max(range(len(scores)), key=lambda index: (scores[index], -index))


def _commonest(counts: Counter[Value]) -> Value:
    return max(sorted(counts, key=str), key=counts.__getitem__)
