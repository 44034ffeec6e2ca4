"""Natural language inference: ANLI, RTE, CB, SNLI, MNLI, QNLI, WNLI."""

from flanbuild.sources.sample.datasets import Dataset, Record
from flanbuild.sources.sample.features import Label
from flanbuild.sources.sample.passages import Passage, passage, with_aside, wrong_value
from flanbuild.sources.sample.rows import Row

_THREE = Label(("entailment", "neutral", "contradiction"))
_TWO = Label(("entailment", "not_entailment"))


def claim(row: Row, of: Passage, label: str) -> str:
    """A sentence that follows from the passage, that contradicts it, or on which it is silent.

    It is worded otherwise than the passage, so that copying tells nothing.
    """
    change = row.between("claim wording", 1, 2)
    if label == "neutral":
        relation = of.untold(row, "claim relation")
        return of.about.say(relation, change, value=row.one("claim value", relation.values))
    place = row.below("claim relation", len(of.relations))
    relation = of.relations[place]
    value = None if label == "entailment" else wrong_value(row, "claim value", of.about, relation)
    return of.about.say(relation, of.wordings[place] + change, value=value)


def rte(row: Row) -> Record:
    """What is not entailed is half contradicted, half unsaid."""
    label = row.below("label", 2)
    source = passage(row, "premise", row.between("length", 1, 3))
    kind = "entailment" if label == 0 else row.one("not entailed", ("neutral", "contradiction"))
    return {
        "premise": with_aside(row, source.text),
        "hypothesis": claim(row, source, kind),
        "idx": row.number,
        "label": label,
    }


def rte_as_glue(row: Row) -> Record:
    record = rte(row)
    return {"sentence1": record.pop("premise"), "sentence2": record.pop("hypothesis"), **record}


def anli(row: Row) -> Record:
    """Later rounds have longer premises; a third of the rows give the annotator's reason."""
    round_ = int(row.split[-1])
    label = row.below("label", 3)
    source = passage(row, "premise", round_ + row.between("length", 0, 1))
    hypothesis = claim(row, source, _THREE.names[label])
    return {
        "uid": row.hexadecimal("uid", 32),
        "premise": with_aside(row, source.text),
        "hypothesis": hypothesis,
        "label": label,
        "reason": _REASONS[label] if row.chance("reason", 33) else "",
    }


_REASONS = (
    "The text says so in other words.",
    "The text does not speak of this, so it is impossible to say.",
    "The text names something else.",
)

DATASETS = {
    ("facebook/anli", "plain_text"): Dataset(
        "anli",
        {"uid": "string", "premise": "string", "hypothesis": "string", "label": _THREE, "reason": "string"},
        {
            "train_r1": 16946, "dev_r1": 1000, "test_r1": 1000,
            "train_r2": 45460, "dev_r2": 1000, "test_r2": 1000,
            "train_r3": 100459, "dev_r3": 1200, "test_r3": 1200,
        },
        anli,
    ),
    ("aps/super_glue", "rte"): Dataset(
        "rte",
        {"premise": "string", "hypothesis": "string", "idx": "int32", "label": _TWO},
        {"train": 2490, "validation": 277, "test": 3000},
        rte,
        hidden={"test": {"label": -1}},
    ),
    ("nyu-mll/glue", "rte"): Dataset(
        "rte",
        {"sentence1": "string", "sentence2": "string", "label": _TWO, "idx": "int32"},
        {"train": 2490, "validation": 277, "test": 3000},
        rte_as_glue,
        hidden={"test": {"label": -1}},
    ),
}  # fmt: skip
