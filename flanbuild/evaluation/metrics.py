"""The functions of the metrics: predictions and references in, one number out.

>>> score("accuracy", ["yes", "no"], [["yes"], ["yes"]])
50.0

`flanbuild.declare.metrics` declares each metric: its function here, its direction and its unit. A function takes the
predictions and, for each of them, one reference or more. Settings follow the published FLAN code, which takes its
metrics from T5. Libraries are imported where they are used, so that importing this module loads none of them.
"""

import re
import string
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from importlib import import_module
from math import isfinite
from statistics import fmean
from typing import Any, Protocol, cast

from flanbuild.declare.metrics import METRICS, packages
from flanbuild.errors import require_packages

Predictions = Sequence[str]
References = Sequence[Sequence[str]]

_NO_NUMBER = -1.0
"""The value that T5 gives to a prediction that is not a number."""


class MetricFunction(Protocol):
    """Scores predictions against their references. With `Metric.classes` it also takes `classes`."""

    def __call__(self, predictions: Predictions, references: References, **classes: Sequence[str]) -> float:
        """One number for all rows."""


def score(
    metric: str, predictions: Predictions, references: References, *, options: Sequence[str] = ()
) -> float:
    """The value of a declared metric. `options` are the options of a classification in label order.

    Raises FlanbuildError if a package that the metric needs is not installed.
    """
    return _function(metric, options)(predictions, references)


def row_values(
    metric: str, predictions: Predictions, references: References, *, options: Sequence[str] = ()
) -> list[float]:
    """The value of a metric for each row alone; their mean is `score` where `Metric.mean_of_rows` holds."""
    function = _function(metric, options)
    return [function([p], [refs]) for p, refs in _pairs(predictions, references)]


def _function(metric: str, options: Sequence[str]) -> Callable[[Predictions, References], float]:
    declared = METRICS[metric]
    require_metrics([metric])
    module, _, name = declared.function.partition(":")
    function = cast(MetricFunction, getattr(import_module(module), name))
    return partial(function, **({"classes": options} if declared.classes else {}))


def require_metrics(names: Iterable[str]) -> None:
    """Raises FlanbuildError if a package that one of these metrics needs is not installed."""
    names = list(dict.fromkeys(names))
    require_packages(f"Computing {', '.join(names)}", "train", packages(names))


def accuracy(predictions: Predictions, references: References) -> float:
    """Percentage of predictions that equal one of their references, outer white space ignored."""
    return _percent(
        float(p.strip() in {r.strip() for r in refs}) for p, refs in _pairs(predictions, references)
    )


def exact_match(predictions: Predictions, references: References) -> float:
    """As `accuracy`, with any run of white space equal to one space."""
    return accuracy(
        [" ".join(p.split()) for p in predictions],
        [[" ".join(r.split()) for r in refs] for refs in references],
    )


def f1(predictions: Predictions, references: References, *, classes: Sequence[str] = ()) -> float:
    """F1 of the last class, or of `yes` without classes, over all rows. 0 if it is neither predicted nor true."""
    from sklearn.metrics import f1_score

    positive = classes[-1] if classes else "yes"
    return 100 * float(
        f1_score(
            _firsts(references), list(predictions), labels=[positive], average="macro", zero_division=0.0
        )
    )


def macro_f1(predictions: Predictions, references: References) -> float:
    """The unweighted mean of F1 over the classes that occur in the references."""
    from sklearn.metrics import f1_score

    truth = _firsts(references)
    return 100 * float(
        f1_score(truth, list(predictions), labels=sorted(set(truth)), average="macro", zero_division=0.0)
    )


def squad_em(predictions: Predictions, references: References) -> float:
    """SQuAD's exact match: percentage of predictions that equal a reference after normalisation."""
    return _percent(
        max(float(_squad(p) == _squad(r)) for r in refs) for p, refs in _pairs(predictions, references)
    )


def squad_f1(predictions: Predictions, references: References) -> float:
    """SQuAD's F1: word overlap with the best reference after normalisation, averaged over rows."""
    return _percent(
        max(_overlap(_squad(p), _squad(r)) for r in refs) for p, refs in _pairs(predictions, references)
    )


def bleu(predictions: Predictions, references: References) -> float:
    """Corpus BLEU by sacrebleu with the `intl` tokenizer, as in T5. Rows may have different numbers of references."""
    from sacrebleu import corpus_bleu

    longest = max(map(len, references))
    streams: list[Any] = [[refs[i] if i < len(refs) else None for refs in references] for i in range(longest)]
    return float(corpus_bleu(list(predictions), streams, tokenize="intl", force=True).score)


def rouge1(predictions: Predictions, references: References) -> float:
    """ROUGE-1 F measure of the best reference, averaged over rows; no stemming, as in T5."""
    return _rouge("rouge1", predictions, references)


def rouge2(predictions: Predictions, references: References) -> float:
    """ROUGE-2, as `rouge1`."""
    return _rouge("rouge2", predictions, references)


def rouge_lsum(predictions: Predictions, references: References) -> float:
    """ROUGE-L over sentences, as `rouge1`. A sentence ends at a newline or at a full stop between spaces."""
    return _rouge("rougeLsum", predictions, references)


def pearson(predictions: Predictions, references: References) -> float:
    """Pearson's correlation of the numbers; 0 if one side is constant. Text that is not a number counts as -1."""
    return _correlation("pearsonr", predictions, references)


def spearman(predictions: Predictions, references: References) -> float:
    """Spearman's rank correlation, as `pearson`."""
    return _correlation("spearmanr", predictions, references)


def edit_distance(predictions: Predictions, references: References) -> float:
    """Mean number of words to insert, delete or replace to reach the nearest reference, without case."""
    return fmean(
        min(_levenshtein(_words(p), _words(r)) for r in refs) for p, refs in _pairs(predictions, references)
    )


def _pairs(predictions: Predictions, references: References) -> list[tuple[str, Sequence[str]]]:
    return list(zip(predictions, references, strict=True))


def _percent(values: Iterable[float]) -> float:
    """The mean of shares between 0 and 1, as a percentage."""
    return 100 * fmean(values)


def _firsts(references: References) -> list[str]:
    return [refs[0] for refs in references]


def _squad(text: str) -> str:
    """Lower case without punctuation, articles and extra spaces, in the order of the official script."""
    bare = "".join(c for c in text.lower() if c not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", bare).split())


def _overlap(prediction: str, reference: str) -> float:
    """F1 of two bags of words, between 0 and 1. If one is empty: 1 if both are, else 0."""
    predicted, true = prediction.split(), reference.split()
    if not predicted or not true:
        return float(predicted == true)
    same = sum((Counter(predicted) & Counter(true)).values())
    return 2 * same / (len(predicted) + len(true))


def _rouge(kind: str, predictions: Predictions, references: References) -> float:
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer([kind])
    best = (
        max(scorer.score(_sentences(r), _sentences(p))[kind].fmeasure for r in refs)
        for p, refs in _pairs(predictions, references)
    )
    return _percent(best)


def _sentences(text: str) -> str:
    return text.replace(" . ", " .\n")


def _correlation(kind: str, predictions: Predictions, references: References) -> float:
    from scipy import stats  # type: ignore[import-untyped]

    predicted, true = [_number(p) for p in predictions], [_number(r) for r in _firsts(references)]
    if len(set(predicted)) < 2 or len(set(true)) < 2:
        return 0.0
    return float(getattr(stats, kind)(predicted, true).statistic)


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        return _NO_NUMBER
    return number if isfinite(number) else _NO_NUMBER


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _levenshtein(left: Sequence[str], right: Sequence[str]) -> int:
    row = list(range(len(right) + 1))
    for i, word in enumerate(left, start=1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(right, start=1):
            diagonal, row[j] = row[j], min(diagonal + (word != other), row[j] + 1, row[j - 1] + 1)
    return row[-1]
