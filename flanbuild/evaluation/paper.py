"""Zero-shot scores of FLAN 137B as the paper reports them, to compare with.

`checked` is how far a figure can be trusted: `table`, seen in a public table; `mean`, one of several that agree with a
published mean of their cluster; `recalled`, from memory alone. Standard deviations and bests are `recalled` unless
listed in SEEN_BEST. Left out are translation, which the paper scores by direction and flanbuild by language pair, and
DROP, SQuAD and ROUGE, for which no figure could be trusted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Checked = Literal["table", "mean", "recalled"]


@dataclass(frozen=True)
class Published:
    """Mean and standard deviation over templates, and the template that was best on the development set."""

    metric: str
    mean: float
    sd: float
    best: float | None
    checked: Checked


PAPER: Mapping[str, Published] = {
    "anli/r1": Published("accuracy", 47.7, 1.4, 46.4, "table"),
    "anli/r2": Published("accuracy", 43.9, 1.3, 44.0, "table"),
    "anli/r3": Published("accuracy", 47.0, 1.3, 48.5, "table"),
    "cb": Published("accuracy", 64.1, 14.7, 83.9, "table"),
    "rte": Published("accuracy", 78.3, 7.9, 84.1, "mean"),
    "snli": Published("accuracy", 43.0, 7.4, None, "mean"),
    "mnli/matched": Published("accuracy", 51.1, 6.2, None, "mean"),
    "mnli/mismatched": Published("accuracy", 51.0, 6.5, None, "mean"),
    "qnli": Published("accuracy", 59.6, 4.9, None, "mean"),
    "wnli": Published("accuracy", 61.0, 10.6, None, "mean"),
    "boolq": Published("accuracy", 80.2, 3.1, 82.9, "mean"),
    "multirc": Published("f1", 74.5, 3.7, 77.5, "mean"),
    "openbookqa": Published("accuracy", 77.4, 1.3, 78.4, "table"),
    "arc/easy": Published("accuracy", 79.5, 0.8, 79.6, "mean"),
    "arc/challenge": Published("accuracy", 61.7, 1.4, 63.1, "mean"),
    "nq": Published("squad_em", 18.6, 2.7, 20.7, "mean"),
    "trivia_qa": Published("squad_em", 55.0, 2.3, 56.7, "mean"),
    "copa": Published("accuracy", 90.6, 2.0, 91.0, "recalled"),
    "hellaswag": Published("accuracy", 56.4, 0.5, 56.7, "recalled"),
    "piqa": Published("accuracy", 80.9, 0.8, 80.5, "recalled"),
    "story_cloze": Published("accuracy", 92.2, 1.3, 93.4, "recalled"),
    "imdb": Published("accuracy", 94.1, 0.4, 94.3, "recalled"),
    "sentiment140": Published("accuracy", 69.9, 2.5, 73.5, "recalled"),
    "sst2": Published("accuracy", 92.6, 1.7, 94.6, "recalled"),
    "yelp": Published("accuracy", 97.8, 0.2, 98.1, "recalled"),
    "mrpc": Published("accuracy", 69.1, 1.3, 69.1, "recalled"),
    "qqp": Published("accuracy", 72.1, 6.8, 75.9, "recalled"),
    "paws": Published("accuracy", 61.5, 6.5, 69.4, "recalled"),
    "dpr": Published("accuracy", 60.3, 3.5, 66.8, "recalled"),
    "winogrande": Published("accuracy", 67.3, 2.5, 71.2, "recalled"),
    "wsc273/wsc273": Published("accuracy", 80.8, 3.7, None, "recalled"),
    "cosmos_qa": Published("accuracy", 58.4, 1.3, 60.6, "recalled"),
    "record": Published("squad_em", 67.8, 3.0, 72.5, "recalled"),
}

SEEN_BEST = frozenset(
    {
        "rte", "boolq", "multirc", "openbookqa", "arc/easy", "arc/challenge", "nq",
        "trivia_qa", "copa", "hellaswag", "piqa", "story_cloze", "record",
    }
)  # fmt: skip
"""Tasks whose best score was seen in a public table."""
