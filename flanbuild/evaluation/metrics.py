"""How good a list of predictions is, given the references of each: one function a metric.

>>> accuracy(["yes", "no"], [["yes"], ["yes"]])
50.0

A metric takes predictions and, for each, its references; it gives a percentage, but for `pearson` and
`spearman` (-1 to 1) and `edit_distance` (words, lower is better). Settings follow the published FLAN code,
which takes its metrics from T5. Libraries are imported where they are used, so that this module costs nothing
to import.
"""

import re
import string
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import isfinite
from statistics import fmean
from typing import Any

Predictions = Sequence[str]
References = Sequence[Sequence[str]]
Metric = Callable[[Predictions, References], float]

LOWER_IS_BETTER = frozenset({"edit_distance"})
_NO_NUMBER = -1.0  # what T5 reads where a prediction isn't a number


def score(
    metric: str, predictions: Predictions, references: References, *, options: Sequence[str] = ()
) -> float:
    """The metric by name. `options` are the classes in label order: the last is the positive one of `f1`."""
    if metric == "f1":
        return f1(predictions, references, positive=options[-1] if options else "yes")
    return METRICS[metric](predictions, references)


def accuracy(predictions: Predictions, references: References) -> float:
    """The share of predictions that are one of their references, outer blanks aside."""
    return _percent(
        float(p.strip() in {r.strip() for r in refs}) for p, refs in _pairs(predictions, references)
    )


def exact_match(predictions: Predictions, references: References) -> float:
    """As `accuracy`, but any run of white space counts as one blank."""
    return accuracy(
        [" ".join(p.split()) for p in predictions],
        [[" ".join(r.split()) for r in refs] for refs in references],
    )


def f1(predictions: Predictions, references: References, *, positive: str = "yes") -> float:
    """F1 of the positive class, over all rows at once. 0 where it is neither predicted nor true."""
    from sklearn.metrics import f1_score

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
    """SQuAD's exact match: equal to a reference once both are normalised."""
    return _percent(
        max(float(_squad(p) == _squad(r)) for r in refs) for p, refs in _pairs(predictions, references)
    )


def squad_f1(predictions: Predictions, references: References) -> float:
    """SQuAD's F1: the overlap in normalised words with the nearest reference, averaged over rows."""
    return _percent(
        max(_overlap(_squad(p), _squad(r)) for r in refs) for p, refs in _pairs(predictions, references)
    )


def bleu(predictions: Predictions, references: References) -> float:
    """Corpus BLEU by sacrebleu with the `intl` tokenizer, as T5 sets it; rows may differ in references."""
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
    """ROUGE-L over sentences, as `rouge1`; a sentence ends at a line end or at a full stop between blanks."""
    return _rouge("rougeLsum", predictions, references)


def pearson(predictions: Predictions, references: References) -> float:
    """Pearson's correlation of numbers; 0 where one side is constant, -1 read for what is no number."""
    return _correlation("pearsonr", predictions, references)


def spearman(predictions: Predictions, references: References) -> float:
    """Spearman's rank correlation, as `pearson`."""
    return _correlation("spearmanr", predictions, references)


def edit_distance(predictions: Predictions, references: References) -> float:
    """Mean count of words to insert, delete or replace to reach the nearest reference; case doesn't count."""
    return fmean(
        min(_levenshtein(_words(p), _words(r)) for r in refs) for p, refs in _pairs(predictions, references)
    )


METRICS: Mapping[str, Metric] = {
    "accuracy": accuracy,
    "f1": f1,
    "macro_f1": macro_f1,
    "exact_match": exact_match,
    "squad_f1": squad_f1,
    "squad_em": squad_em,
    "bleu": bleu,
    "rouge1": rouge1,
    "rouge2": rouge2,
    "rougeLsum": rouge_lsum,
    "pearson": pearson,
    "spearman": spearman,
    "edit_distance": edit_distance,
}


def _pairs(predictions: Predictions, references: References) -> list[tuple[str, Sequence[str]]]:
    return list(zip(predictions, references, strict=True))


def _percent(values: Iterable[float]) -> float:
    """The mean of shares."""
    return 100 * fmean(values)


def _firsts(references: References) -> list[str]:
    return [refs[0] for refs in references]


def _squad(text: str) -> str:
    """Lower case, without punctuation, articles and surplus blanks, in the order of the official script."""
    bare = "".join(c for c in text.lower() if c not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", bare).split())


def _overlap(prediction: str, reference: str) -> float:
    """F1 of two bags of words; where one is empty, 1 if both are."""
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
