"""From predictions to the scores of a task, and the scores that need no model: majority and random."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import TypeVar

from flanbuild.declare.metrics import METRICS
from flanbuild.evaluation.metrics import score
from flanbuild.evaluation.protocols import NORMALIZED
from flanbuild.evaluation.record import TemplateScores
from flanbuild.evaluation.rows import EvaluationRows

Value = TypeVar("Value", str, int)

_DIGITS = 4


@dataclass(frozen=True)
class Answers:
    """The answers of one model to all rows of a task: texts, and log-likelihoods of the options if ranked."""

    predictions: Sequence[str]
    logliks: Sequence[Sequence[float]]


def chosen(rows: EvaluationRows, logliks: Sequence[Sequence[float]]) -> list[str]:
    """The likeliest option of each row; the first one of equals."""
    return [options[_highest(scores)] for options, scores in zip(rows.options, logliks, strict=True)]


def predictions(rows: EvaluationRows, answers: Answers, metric: str) -> Sequence[str]:
    """What a metric compares with the references: the answers, or for NORMALIZED the option best for its length."""
    if metric not in NORMALIZED:
        return answers.predictions
    length = NORMALIZED[metric]
    shares = [
        [loglik / max(length(option), 1) for option, loglik in zip(options, scores, strict=True)]
        for options, scores in zip(rows.options, answers.logliks, strict=True)
    ]
    return chosen(rows, shares)


def declared(metric: str) -> str:
    """The declared metric that computes `metric`."""
    return "accuracy" if metric in NORMALIZED else metric


def reported(rows: EvaluationRows, metrics: Sequence[str], normalized: Sequence[str]) -> list[str]:
    """The metrics of a task, and for ranked tasks with `accuracy` also the `normalized` ones."""
    return [*metrics, *(normalized if rows.ranked and "accuracy" in metrics else ())]


def by_template(
    rows: EvaluationRows, answers: Answers, metrics: Sequence[str]
) -> dict[str, dict[int, float]]:
    """Metric → template → score."""
    return {metric: _score(rows, predictions(rows, answers, metric), declared(metric)) for metric in metrics}


def best_template(metric: str, scores: Mapping[int, float]) -> int:
    """The template with the best score; the first of equals."""
    sign = 1 if METRICS[declared(metric)].higher_is_better else -1
    return max(scores, key=lambda template: (sign * scores[template], -template))


def summary(
    metric: str,
    scores: Mapping[int, float],
    dev: Mapping[int, float] | None = None,
    stderr: float | None = None,
) -> TemplateScores:
    """Mean, population standard deviation, best and worst over templates, and the score of the best one on dev.

    The paper reports the mean with its standard deviation, and the test score of the template that is best on dev
    (section 3). `best` is best on the rows scored themselves, and so too high.
    """
    best = best_template(metric, scores)
    worst = best_template(metric, {template: -score for template, score in scores.items()})
    on_dev = best_template(metric, dev) if dev else None
    return TemplateScores(
        mean=rounded(fmean(scores.values())),
        sd=rounded(pstdev(scores.values())),
        stderr=None if stderr is None else rounded(stderr),
        best=rounded(scores[best]),
        best_template=best,
        worst=rounded(scores[worst]),
        worst_template=worst,
        best_on_dev=None if on_dev is None else rounded(scores[on_dev]),
        best_on_dev_template=on_dev,
        templates=len(scores),
    )


def constants(rows: EvaluationRows, predicted: Sequence[str]) -> dict[str, int]:
    """Answer → templates under which a model gives it to every row. A single row says nothing.

    Where options differ from row to row, the answer is a position, such as `option 2`.
    """
    answers = list(predicted)
    if rows.ranked and not rows.classes:
        answers = [
            f"option {options.index(p) + 1}" for options, p in zip(rows.options, predicted, strict=True)
        ]
    given: dict[int, list[str]] = {}
    for template, answer in zip(rows.template, answers, strict=True):
        given.setdefault(template, []).append(answer)
    same = Counter(own[0] for own in given.values() if len(own) > 1 and len(set(own)) == 1)
    return dict(sorted(same.items()))


def majority(rows: EvaluationRows, dev: EvaluationRows, metric: str) -> float | None:
    """The score of always giving the most common answer of the dev rows; None if there are none.

    Where options differ from row to row, it is the most common position in the list of options.
    """
    if not len(dev):
        return None
    known, once = dev.under(min(dev.template)), rows.under(min(rows.template))
    if once.ranked and not once.classes:
        positions = Counter(
            options.index(answer) for options, answer in zip(known.options, known.answer, strict=True)
        )
        position = _commonest(positions)
        constant = [options[min(position, len(options) - 1)] for options in once.options]
    else:
        constant = [_commonest(Counter(refs[0] for refs in known.references))] * len(once)
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
