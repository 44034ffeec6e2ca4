"""Reading comprehension: BoolQ, OpenBookQA, DROP, SQuAD, MultiRC; with commonsense: Cosmos QA, ReCoRD."""

from flanbuild.sources.sample.datasets import Dataset, Record
from flanbuild.sources.sample.features import Feature, Items
from flanbuild.sources.sample.passages import Passage, passage, with_aside
from flanbuild.sources.sample.rows import Row

_QUESTIONS = 4  # to a SQuAD paragraph


def squad(row: Row) -> Record:
    """The answer stands in the context; validation rows carry two or three annotators' answers."""
    context, source = _context(row)
    asked = row.one("asked", source.relations)
    return _squad_record(row, source, context, source.about.ask(asked, row.bits("question")), _span(context, source, asked, row))


def squad_v2(row: Row) -> Record:
    """As SQuAD, but every third question asks what the context doesn't tell."""
    if not row.chance("unanswerable", 33):
        return squad(row)
    context, source = _context(row)
    asked = source.untold(row, "asked")
    nothing: dict[str, list[object]] = {"text": [], "answer_start": []}
    return _squad_record(row, source, context, source.about.ask(asked, row.bits("question")), nothing)


def _context(row: Row) -> tuple[str, Passage]:
    paragraph = row.group(_QUESTIONS)
    source = passage(paragraph, "context", 4)
    return with_aside(paragraph, source.text), source


def _span(context: str, source: Passage, asked: object, row: Row) -> dict[str, list[object]]:
    place = next(i for i, relation in enumerate(source.relations) if relation is asked)
    value = source.about.value(source.relations[place])
    start = context.lower().index(value.lower(), sum(len(s) + 1 for s in source.sentences[:place]))
    count = 1 if row.split == "train" else row.between("annotators", 2, 3)
    return {"text": [context[start : start + len(value)]] * count, "answer_start": [start] * count}


def _squad_record(row: Row, source: Passage, context: str, question: str, answers: dict[str, list[object]]) -> Record:
    return {
        "id": row.hexadecimal("id", 24),
        "title": source.about.name.replace(" ", "_"),
        "context": context,
        "question": question,
        "answers": answers,
    }


_SQUAD: dict[str, Feature] = {
    "id": "string",
    "title": "string",
    "context": "string",
    "question": "string",
    "answers": {"text": Items("string"), "answer_start": Items("int32")},
}

DATASETS = {
    ("rajpurkar/squad", "plain_text"): Dataset(
        "squad", _SQUAD, {"train": 87599, "validation": 10570}, squad
    ),
    ("rajpurkar/squad_v2", "squad_v2"): Dataset(
        "squad_v2", _SQUAD, {"train": 130319, "validation": 11873}, squad_v2
    ),
}  # fmt: skip
