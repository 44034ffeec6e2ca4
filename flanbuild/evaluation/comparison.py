"""The scores of a task: both models, their difference, and beside them majority, random and the paper."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from flanbuild.artifacts.records import SourceRecord
from flanbuild.evaluation.intervals import Replicates, interval, replicates
from flanbuild.evaluation.paper import PAPER
from flanbuild.evaluation.record import Difference, MetricScores, PaperScores, Role, TemplateScores
from flanbuild.evaluation.rows import EvaluationRows
from flanbuild.evaluation.scores import (
    Answers,
    by_template,
    declared,
    majority,
    predictions,
    random_guess,
    rounded,
    summary,
)


@dataclass(frozen=True)
class ScoredRows:
    """Rows with the answers of each model."""

    rows: EvaluationRows
    answers: Mapping[Role, Answers]


def metric_scores(
    task: str, metric: str, scored: ScoredRows, dev: ScoredRows | None, known: EvaluationRows | None
) -> MetricScores:
    """The scores of one metric of a task, without those of the paper.

    `dev` decides the best template, and the most common answer is that of `known`. A metric that the task does not
    declare has no `known`: only models have such scores.
    """
    rows = scored.rows
    by_role: dict[Role, TemplateScores] = {}
    spread: dict[Role, Replicates] = {}
    for role, answers in scored.answers.items():
        on_dev = by_template(dev.rows, dev.answers[role], [metric])[metric] if dev else None
        spread[role] = replicates(rows, predictions(rows, answers, metric), declared(metric))
        by_role[role] = summary(
            metric, by_template(rows, answers, [metric])[metric], on_dev, spread[role].stderr
        )
    return MetricScores(
        rows=rows.count,
        tuned=by_role["tuned"],
        untuned=by_role.get("untuned"),
        difference=_difference(by_role, spread, f"{task}/{metric}"),
        majority=None if known is None else majority(rows, known, metric),
        random=None if known is None else random_guess(rows, metric),
    )


def published(task: str, metric: str, source: SourceRecord) -> PaperScores | None:
    """What the paper reports for a held-out task, if it has this metric and the rows are those of the dataset."""
    found = PAPER.get(task)
    if found is None or found.metric != metric or source.kind not in ("hub", "mirror"):
        return None
    return PaperScores(**{name: value for name, value in asdict(found).items() if name != "metric"})


def _difference(
    scores: Mapping[Role, TemplateScores], spread: Mapping[Role, Replicates], name: str
) -> Difference | None:
    if "untuned" not in scores:
        return None
    tuned, untuned = spread["tuned"], spread["untuned"]
    mean = scores["tuned"].mean - scores["untuned"].mean
    found = interval(tuned, untuned, mean, name)
    stderr = Replicates(tuned.values - untuned.values, tuned.by_row).stderr
    if found is None or stderr is None:
        return Difference(mean=rounded(mean))
    return Difference(
        mean=rounded(mean), low=rounded(found[0]), high=rounded(found[1]), stderr=rounded(stderr)
    )
