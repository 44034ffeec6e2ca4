"""From predictions to the figures of a task, and what could be had without a model."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import TypeVar

from flanbuild.declare.metrics import METRICS
from flanbuild.evaluation.metrics import score
from flanbuild.evaluation.rows import EvaluationRows

Value = TypeVar("Value", str, int)

_DIGITS = 4
NORMALISED = "accuracy_norm"
"""Accuracy when an option's log-likelihood is divided by its number of characters."""


@dataclass(frozen=True)
class Answers:
    """What one model said to all rows of a task: texts, and log-likelihoods of the options if ranked."""

    predictions: Sequence[str]
    logliks: Sequence[Sequence[float]]


def chosen(rows: EvaluationRows, logliks: Sequence[Sequence[float]]) -> list[str]:
    """The likeliest option of each row; of equals the first."""
    return [options[_highest(found)] for options, found in zip(rows.options, logliks, strict=True)]


def chosen_by_length(rows: EvaluationRows, logliks: Sequence[Sequence[float]]) -> list[str]:
    """The likeliest option for its length in characters."""
    shares = [
        [loglik / max(len(option), 1) for option, loglik in zip(options, found, strict=True)]
        for options, found in zip(rows.options, logliks, strict=True)
    ]
    return chosen(rows, shares)


def by_template(
    rows: EvaluationRows, answers: Answers, metrics: Sequence[str]
) -> dict[str, dict[int, float]]:
    """Metric → template → score; for ranked tasks with `accuracy` also NORMALISED."""
    found = {metric: _score(rows, answers.predictions, metric) for metric in metrics}
    if rows.ranked and "accuracy" in metrics:
        found[NORMALISED] = _score(rows, chosen_by_length(rows, answers.logliks), "accuracy")
    return found


def summary(metric: str, scores: Mapping[int, float]) -> dict[str, float]:
    """Mean, population standard deviation, best and worst over templates, and which these two are.

    The paper's best template is the best one on the development set; ours is the best one here.
    """
    ordered = sorted(
        scores,
        key=lambda template: (scores[template], template),
        reverse=METRICS["accuracy" if metric == NORMALISED else metric].higher_is_better,
    )
    best, worst = ordered[0], ordered[-1]
    return {
        "mean": rounded(fmean(scores.values())),
        "sd": rounded(pstdev(scores.values())),
        "best": rounded(scores[best]),
        "best_template": best,
        "worst": rounded(scores[worst]),
        "worst_template": worst,
        "templates": len(scores),
    }


def majority(rows: EvaluationRows, metric: str) -> float:
    """The score of always giving the answer that is most common among the rows evaluated.

    Where each row has options of its own, the most common place in the list of options. It is the most that
    an answer without reading can get, so no training rows are needed to find it.
    """
    once = rows.of(min(rows.template))
    if once.ranked and not once.classes:
        places = Counter(
            options.index(answer) for options, answer in zip(once.options, once.answer, strict=True)
        )
        place = _commonest(places)
        constant = [options[min(place, len(options) - 1)] for options in once.options]
    else:
        constant = [_commonest(Counter(refs[0] for refs in once.references))] * len(once)
    return rounded(score(metric, constant, once.references, options=once.classes))


def random_guess(rows: EvaluationRows, metric: str) -> float | None:
    """The expected accuracy of a fair draw among the options; None for other metrics and for generation."""
    if not rows.ranked or metric != "accuracy":
        return None
    return rounded(100 * fmean(1 / len(options) for options in rows.of(min(rows.template)).options))


def rounded(value: float) -> float:
    """To four digits after the point: what lies beyond is noise of the machine."""
    return round(value, _DIGITS)


def _score(rows: EvaluationRows, predictions: Sequence[str], metric: str) -> dict[int, float]:
    places: dict[int, list[int]] = {}
    for place, template in enumerate(rows.template):
        places.setdefault(template, []).append(place)
    references = rows.references
    return {
        template: score(
            metric, [predictions[i] for i in chosen], [references[i] for i in chosen], options=rows.classes
        )
        for template, chosen in sorted(places.items())
    }


def _highest(found: Sequence[float]) -> int:
    return max(range(len(found)), key=lambda place: (found[place], -place))


def _commonest(counts: Counter[Value]) -> Value:
    return max(sorted(counts, key=str), key=counts.__getitem__)
