"""Natural language inference: ANLI, RTE, CB, SNLI, MNLI, QNLI, WNLI."""

from flanbuild.sample.coreference import wnli
from flanbuild.sample.dataset import SampleDataset, SampleRecord
from flanbuild.sample.entities import TOWNS, full_name
from flanbuild.sample.passages import Passage, passage, with_aside, wrong_value
from flanbuild.sample.people import someone
from flanbuild.sample.rows import SampleRow
from flanbuild.sample.scenes import INDOORS, OUTDOORS, UNKNOWABLE, Scene, scene
from flanbuild.sample.wording import sentence
from flanbuild.sample.world import words

_CLASSES = ("entailment", "neutral", "contradiction")


def claim(row: SampleRow, source: Passage, label: str) -> str:
    """A sentence that follows from the passage, contradicts it, or is not decided by it.

    Its wording differs from the passage, so that equal sentences do not reveal the label.
    """
    change = row.between("claim wording", 1, 2)
    if label == "neutral":
        relation = source.unstated(row, "claim relation")
        return source.about.say(relation, change, value=row.one("claim value", relation.values))
    index = row.below("claim relation", len(source.relations))
    relation = source.relations[index]
    value = None if label == "entailment" else wrong_value(row, "claim value", source.about, relation)
    return source.about.say(relation, source.wordings[index] + change, value=value)


def rte(row: SampleRow) -> SampleRecord:
    """Half of the hypotheses that are not entailed contradict the premise, the others are undecided."""
    label = row.below("label", 2)
    source = passage(row, "premise", row.between("length", 1, 3))
    kind = "entailment" if label == 0 else row.one("not entailed", ("neutral", "contradiction"))
    return {
        "premise": with_aside(row, source.text),
        "hypothesis": claim(row, source, kind),
        "idx": row.number,
        "label": label,
    }


def rte_as_glue(row: SampleRow) -> SampleRecord:
    """The rows of `rte` with the column names of GLUE."""
    record = rte(row)
    return {"sentence1": record.pop("premise"), "sentence2": record.pop("hypothesis"), **record}


def anli(row: SampleRow) -> SampleRecord:
    """Later rounds have longer premises; a third of the rows have the annotator's reason."""
    round_ = int(row.split[-1])
    label = row.below("label", 3)
    source = passage(row, "premise", round_ + row.between("length", 0, 1))
    hypothesis = claim(row, source, _CLASSES[label])
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


def cb(row: SampleRow) -> SampleRecord:
    """A person states a clause with a verb that decides whether the clause is true."""
    label = row.below("label", 3)
    source = passage(row, "clause", 1)
    clause = source.about.clause(source.relations[0], 0)
    who = someone(row, "who")
    embedding = row.one("embedding", _EMBEDDINGS[label])
    premise = who.tell(embedding, c=clause, other=full_name(row, "other"))
    return {
        "premise": with_aside(row, f"{row.one('before', _BEFORE)}{premise}"),
        "hypothesis": clause[0].upper() + clause[1:],
        "idx": row.number,
        "label": label,
    }


# By label: the clause is true, false, undecided.
_EMBEDDINGS = (
    (
        "{n} knows that {c}.", "{n} was glad that {c}.", "{n} forgot that {c}.", "{n} was surprised that {c}.",
        "Did {n} notice that {c}?", "{n} told {other}, who had no idea, the truth: {c}.", "{n} proved that {c}.",
    ),
    (
        "{n} lied when {he} said that {c}.", "It is not true, as {n} claims, that {c}.",
        "{n} was wrong to think that {c}.", "{n} wrongly believed that {c}.", "No, {n}, it is false that {c}.",
        "{n} pretended that {c}.",
    ),
    (
        "{n} thinks that {c}.", "{n} doubts whether {c}.", "Perhaps {n} is right that {c}.", "{n} hopes that {c}.",
        "{n} asked {other} whether {c}.", "{n} does not say that {c}.", "If {c}, {n} will be pleased.",
    ),
)  # fmt: skip
_BEFORE = (
    "",
    "",
    "A: Well, B: ",
    "The talk went on until late. ",
    "It rained. ",
    "``Who knows?'' ",
    "It is getting late. ",
)


def snli(row: SampleRow) -> SampleRecord:
    """A caption and a claim about it; a few rows have no gold label (-1)."""
    label = row.below("label", 3)
    seen = scene(row, "scene")
    unlabelled = row.chance("unlabelled", 0.5)
    hypothesis = (_implied, _unknowable, _impossible)[label](row, seen)
    return {"premise": seen.caption, "hypothesis": hypothesis, "label": -1 if unlabelled else label}


def _implied(row: SampleRow, seen: Scene) -> str:
    where = "outdoors" if seen.outdoors else "indoors"
    claims = (
        f"{seen.general} is {seen.action.general}", f"a person is {where}", f"{seen.general} is {seen.action.doing}",
        f"somebody is {seen.action.general} {seen.place}", f"{seen.general} is {where}",
    )  # fmt: skip
    return sentence(row.one("claim", claims))


def _unknowable(row: SampleRow, seen: Scene) -> str:
    return sentence(f"the {seen.noun} {row.one('claim', UNKNOWABLE)}")


def _impossible(row: SampleRow, seen: Scene) -> str:
    where = "indoors" if seen.outdoors else "outdoors"
    elsewhere = row.one("elsewhere", INDOORS if seen.outdoors else OUTDOORS)
    claims = (
        f"{seen.general} is {seen.action.instead}", f"the {seen.noun} is {seen.action.instead}",
        f"the {seen.noun} is {where}", f"nobody is {seen.action.general}", f"the {seen.noun} is {elsewhere}",
    )  # fmt: skip
    return sentence(row.one("claim", claims))


def mnli(row: SampleRow) -> SampleRecord:
    """Two genres: facts about an entity, and counts with all, some and none."""
    label = row.below("label", 3)
    if row.chance("counts", 40):
        premise, hypothesis = _counted(row, label)
    else:
        source = passage(row, "premise", row.between("length", 1, 2))
        premise, hypothesis = source.text, claim(row, source, _CLASSES[label])
    return {
        "premise": with_aside(row, premise),
        "hypothesis": hypothesis,
        "label": label,
        "idx": row.number,
    }


def _counted(row: SampleRow, label: int) -> tuple[str, str]:
    many = row.between("many", 4, 60)
    part = row.between("part", 2, many - 1)
    things, done, place = row.one("things", _COUNTED), row.one("done", _DONE), row.one("town", TOWNS)
    premise = row.one("premise", _COUNTS).format(m=many, p=part, things=things, done=done, place=place)
    claims = (
        ("Some of the {things} were {done}.", "Not all of the {things} were {done}.", "More than one of the {things} was {done}."),
        ("The {things} in {place} were old.", "A child saw how the {things} were {done}.", "The {things} were {done} at night."),
        ("All of the {things} were {done}.", "None of the {things} were {done}.", "Only one of the {things} was {done}."),
    )[label]  # fmt: skip
    return premise, row.one("claim", claims).format(things=things, done=done, place=place)


_COUNTED = words(
    "boats,boxes,cakes,carts,chairs,clocks,doors,flags,houses,lamps,letters,parcels,tables,tents,wagons", ","
)
_DONE = words("painted,sold,moved,counted,repaired,checked,stolen,burned,cleaned,photographed", ",")
_COUNTS = (
    "Of the {m} {things} in {place}, {p} were {done}.", "In {place} {p} of the {m} {things} were {done}.",
    "There were {m} {things} in {place}; {p} of them, no more and no fewer, were {done}.",
    "Somebody in {place} told us that exactly {p} of {m} {things} had been {done}.",
)  # fmt: skip


def qnli(row: SampleRow) -> SampleRecord:
    """If the sentence does not contain the answer, it states another fact about the same entity."""
    label = row.below("label", 2)
    source = passage(row, "source", 2)
    asked = source.relations[label]
    return {
        "question": source.about.ask(asked, row.bits("question")),
        "sentence": with_aside(row, source.about.say(source.relations[0], row.bits("sentence"))),
        "label": label,
        "idx": row.number,
    }


DATASETS = {
    ("facebook/anli", "plain_text"): SampleDataset(
        "anli",
        {
            "train_r1": 16946,
            "dev_r1": 1000,
            "test_r1": 1000,
            "train_r2": 45460,
            "dev_r2": 1000,
            "test_r2": 1000,
            "train_r3": 100459,
            "dev_r3": 1200,
            "test_r3": 1200,
        },
        anli,
    ),
    ("aps/super_glue", "rte"): SampleDataset(
        "rte", {"train": 2490, "validation": 277, "test": 3000}, rte, hidden={"test": {"label": -1}}
    ),
    ("nyu-mll/glue", "rte"): SampleDataset(
        "rte", {"train": 2490, "validation": 277, "test": 3000}, rte_as_glue, hidden={"test": {"label": -1}}
    ),
    ("aps/super_glue", "cb"): SampleDataset(
        "cb", {"train": 250, "validation": 56, "test": 250}, cb, hidden={"test": {"label": -1}}
    ),
    ("stanfordnlp/snli", "plain_text"): SampleDataset(
        "snli", {"train": 550152, "validation": 10000, "test": 10000}, snli
    ),
    ("nyu-mll/glue", "mnli"): SampleDataset(
        "mnli",
        {
            "train": 392702,
            "validation_matched": 9815,
            "validation_mismatched": 9832,
            "test_matched": 9796,
            "test_mismatched": 9847,
        },
        mnli,
        hidden={"test_matched": {"label": -1}, "test_mismatched": {"label": -1}},
    ),
    ("nyu-mll/glue", "qnli"): SampleDataset(
        "qnli", {"train": 104743, "validation": 5463, "test": 5463}, qnli, hidden={"test": {"label": -1}}
    ),
    ("nyu-mll/glue", "wnli"): SampleDataset(
        "wnli", {"train": 635, "validation": 71, "test": 146}, wnli, hidden={"test": {"label": -1}}
    ),
}
