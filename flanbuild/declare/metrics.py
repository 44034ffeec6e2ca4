"""The metrics that a task file may name. Everything about a metric except its code is declared here.

>>> METRICS["edit_distance"].higher_is_better
False

The check of task files, the evaluation, the check for missing packages and the report read this registry. To add
a metric, write its function in `flanbuild/evaluation/metrics.py` and add one entry here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field

from flanbuild.declare.document import unknown_name

_FUNCTIONS = "flanbuild.evaluation.metrics"


@dataclass(frozen=True)
class Metric:
    """One metric: its function, and how to read its values."""

    name: str
    function: str
    """`module:function`, imported when the metric is first computed. It is called with predictions and references;
    docs/task-files.md gives the signature."""
    description: str
    higher_is_better: bool = True
    percentage: bool = True
    """Whether values lie between 0 and 100. Only such metrics enter the mean of a cluster."""
    classes: bool = False
    """Whether the function also takes `classes`, the options of a classification in label order."""
    mean_of_rows: bool = False
    """Whether the value for many rows is the mean of the values for each alone."""
    packages: tuple[str, ...] = ()
    """Distributions that the function imports."""


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            "accuracy",
            f"{_FUNCTIONS}:accuracy",
            "share of predictions that equal one of their references, outer white space ignored",
            mean_of_rows=True,
        ),
        Metric(
            "f1",
            f"{_FUNCTIONS}:f1",
            "F1 of the last class",
            classes=True,
            packages=("scikit-learn",),
        ),
        Metric(
            "macro_f1",
            f"{_FUNCTIONS}:macro_f1",
            "unweighted mean of F1 over the classes among the references",
            packages=("scikit-learn",),
        ),
        Metric(
            "exact_match",
            f"{_FUNCTIONS}:exact_match",
            "as accuracy, with any run of white space equal to one space",
            mean_of_rows=True,
        ),
        Metric(
            "squad_f1",
            f"{_FUNCTIONS}:squad_f1",
            "F1 over normalised words with the best reference, as in SQuAD's script",
            mean_of_rows=True,
        ),
        Metric(
            "squad_em",
            f"{_FUNCTIONS}:squad_em",
            "equality with a reference after normalisation, as in SQuAD's script",
            mean_of_rows=True,
        ),
        Metric(
            "bleu",
            f"{_FUNCTIONS}:bleu",
            "corpus BLEU with the `intl` tokenizer",
            packages=("sacrebleu",),
        ),
        Metric(
            "rouge1",
            f"{_FUNCTIONS}:rouge1",
            "ROUGE-1 F measure of the best reference, without stemming",
            mean_of_rows=True,
            packages=("rouge-score",),
        ),
        Metric(
            "rouge2",
            f"{_FUNCTIONS}:rouge2",
            "ROUGE-2 F measure of the best reference, without stemming",
            mean_of_rows=True,
            packages=("rouge-score",),
        ),
        Metric(
            "rougeLsum",
            f"{_FUNCTIONS}:rouge_lsum",
            "ROUGE-L over sentences, F measure of the best reference, without stemming",
            mean_of_rows=True,
            packages=("rouge-score",),
        ),
        Metric(
            "pearson",
            f"{_FUNCTIONS}:pearson",
            "Pearson correlation of the numbers, from -1 to 1",
            percentage=False,
            packages=("scipy",),
        ),
        Metric(
            "spearman",
            f"{_FUNCTIONS}:spearman",
            "Spearman rank correlation of the numbers, from -1 to 1",
            percentage=False,
            packages=("scipy",),
        ),
        Metric(
            "edit_distance",
            f"{_FUNCTIONS}:edit_distance",
            "mean number of words to insert, delete or replace to reach the nearest reference",
            mean_of_rows=True,
            higher_is_better=False,
            percentage=False,
        ),
    )
}


def packages(names: Iterable[str]) -> tuple[str, ...]:
    """The distributions that these metrics need, sorted."""
    return tuple(sorted({package for name in names for package in METRICS[name].packages}))


def _known(name: str) -> str:
    if name not in METRICS:
        raise unknown_name("metric", name, METRICS)
    return name


MetricName = Annotated[str, AfterValidator(_known), Field(json_schema_extra={"enum": [*METRICS]})]
"""A name in METRICS."""
