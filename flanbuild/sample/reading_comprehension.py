"""Reading comprehension: BoolQ, OpenBookQA, DROP, SQuAD, MultiRC; with commonsense: Cosmos QA, ReCoRD."""

from collections.abc import Sequence

from flanbuild.sample import facts
from flanbuild.sample.dataset import SampleDataset, SampleRecord
from flanbuild.sample.entities import KINDS, Relation, entity, full_name
from flanbuild.sample.events import CAUSES
from flanbuild.sample.passages import Passage, passage, passage_about, with_aside, wrong_value
from flanbuild.sample.people import someone
from flanbuild.sample.rows import SampleRow
from flanbuild.sample.wording import article
from flanbuild.sample.world import DAYS, words

# ---- BoolQ


def boolq(row: SampleRow) -> SampleRecord:
    """A question in lower case; if the answer is no, the passage contradicts the value in the question."""
    record = _boolq(row)
    return {"question": record["question"], "answer": record["label"] == 1, "passage": record["passage"]}


def boolq_with_title(row: SampleRow) -> SampleRecord:
    """SuperGLUE's version: the passage starts with the title of the page and a double dash."""
    record = _boolq(row)
    title = record.pop("title")
    return {**record, "passage": f"{title} -- {record['passage']}", "idx": row.number}


def _boolq(row: SampleRow) -> SampleRecord:
    label = 1 if row.chance("true", 60) else 0
    source = passage(row, "passage", row.between("length", 2, 4))
    asked = row.one("asked", source.relations)
    value = source.about.value(asked) if label else wrong_value(row, "value", source.about, asked)
    return {
        "question": source.about.whether(asked, value).lower(),
        "passage": with_aside(row, source.text),
        "title": source.about.name,
        "label": label,
    }


# ---- OpenBookQA


def openbookqa(row: SampleRow) -> SampleRecord:
    """A question with four choices that a fact of elementary science decides."""
    _, stem, answer, wrong = row.one("topic", (_book_law, _book_law, _book_animal, _book_gauge, _book_sort))(
        row
    )
    texts = row.shuffled("order", [answer, *row.some("wrong", wrong, 3)])
    return {
        "id": f"{row.one('book', ('7', '8', '9'))}-{row.number + 1}",
        "question_stem": stem,
        "choices": {"text": texts, "label": list("ABCD")},
        "answerKey": "ABCD"[texts.index(answer)],
    }


def openbookqa_with_fact(row: SampleRow) -> SampleRecord:
    """The `additional` config: the same rows with the fact."""
    fact, *_ = row.one("topic", (_book_law, _book_law, _book_animal, _book_gauge, _book_sort))(row)
    return {
        **openbookqa(row),
        "fact1": fact,
        "humanScore": row.one("score", (0.6, 0.8, 1.0)),
        "clarity": row.one("clarity", (1.0, 1.2, 1.4, 1.6, 1.8, 2.0)),
        "turkIdAnonymized": row.hexadecimal("worker", 10),
    }


_Book = tuple[str, str, str, Sequence[str]]


def _book_law(row: SampleRow) -> _Book:
    cause, effect, why = row.one("law", facts.LAWS)
    who = someone(row, "who").name
    stem = row.one(
        "stem",
        (
            "{n} sees that {c}, so",
            "When {c},",
            "{n} notices: if {c}, then",
            "One day {c} in front of {n}, and",
        ),
    )
    return why, stem.format(n=who, c=cause), effect, [law[1] for law in facts.LAWS if law[1] != effect]


def _book_animal(row: SampleRow) -> _Book:
    name, _, young, *_ = row.one("animal", facts.ANIMALS)
    stem = row.one(
        "stem",
        ("{n} found {a} {x} with its young, {b}", "A child called {n} drew {a} {x} and its young, {b}"),
    )
    wrong = sorted({line[2] for line in facts.ANIMALS} - {young})
    text = stem.format(n=someone(row, "who").name, a=article(name), x=name, b="which is called a")
    return f"the young of {article(name)} {name} is called {article(young)} {young}", text, young, wrong


def _book_gauge(row: SampleRow) -> _Book:
    tool, what = row.one("gauge", facts.GAUGES)
    stem = row.one("stem", ("{n} wants to measure {w} and takes a", "To find out about {w}, {n} needs a"))
    wrong = [line[0] for line in facts.GAUGES if line[0] != tool]
    return (
        f"{article(tool)} {tool} is used to measure {what}",
        stem.format(n=someone(row, "who").name, w=what),
        tool,
        wrong,
    )


def _book_sort(row: SampleRow) -> _Book:
    part, job = row.one("organ", facts.ORGANS)
    stem = row.one("stem", ("{n} learns that what {j} is the", "{n} asks which part {j}; it is the"))
    wrong = [line[0] for line in facts.ORGANS if line[0] != part]
    return (
        f"it is the job of the {part} that it {job}",
        stem.format(n=someone(row, "who").name, j=job),
        part,
        wrong,
    )


# ---- DROP


def drop(row: SampleRow) -> SampleRecord:
    """Questions that need counting, addition or comparison; some answers are several spans."""
    match = row.group(5)
    home, away = match.some("clubs", KINDS["club"].names, 2)
    goals = [match.between(f"goals {i}", 1, 9) for i in range(4)]
    while goals[0] + goals[1] == goals[2] + goals[3]:
        goals[1] += 1
    scorers = match.some("scorers", KINDS["person"].names, 3)
    shots = match.some("metres", range(12, 60), 3)
    week = match.between("week", 2, 20)
    text = (
        f"In week {week} the {home} met the {away} on a cold {match.one('day', DAYS)}. "
        f"In the first half the {home} scored {goals[0]} goals and the {away} scored {goals[2]}. "
        f"{scorers[0]} hit the net from {shots[0]} metres and {scorers[1]} from {shots[1]} metres. "
        f"After the break the {home} added {goals[1]} goals and the {away} another {goals[3]}. "
        f"The last shot, from {shots[2]} metres, came from {scorers[2]}."
    )
    questions = _drop_questions(match.below("side", 2), (home, away), goals, scorers, shots)
    question, spans, kind = questions[(match.bits("first question") + row.position(5)) % len(questions)]
    return {
        "section_id": f"nfl_{match.number + 1}",
        "query_id": row.hexadecimal("query", 32),
        "passage": with_aside(match, text),
        "question": question,
        "answers_spans": {"spans": spans, "types": [kind] * len(spans)},
    }


def _drop_questions(
    side: int, clubs: tuple[str, str], goals: list[int], scorers: list[str], shots: list[int]
) -> list[tuple[str, list[str], str]]:
    club, totals = clubs[side], (goals[0] + goals[1], goals[2] + goals[3])
    far = [name for name, metres in zip(scorers, shots, strict=True) if metres > 30]
    longest = max(range(3), key=shots.__getitem__)
    shortest = min(range(3), key=shots.__getitem__)
    questions: list[tuple[str, list[str], str]] = [
        (f"How many goals did the {club} score in all?", [str(totals[side])], "number"),
        ("How many goals were scored in the first half?", [str(goals[0] + goals[2])], "number"),
        (
            "How many more goals did the winners score than the losers?",
            [str(abs(totals[0] - totals[1]))],
            "number",
        ),
        ("Which team won the match?", [clubs[0] if totals[0] > totals[1] else clubs[1]], "span"),
        ("Who scored from the greatest distance?", [scorers[longest]], "span"),
        ("Who scored from the smallest distance?", [scorers[shortest]], "span"),
        (
            f"How many metres longer was the longest shot than that of {scorers[shortest]}?",
            [str(shots[longest] - shots[shortest])],
            "number",
        ),
        ("How many goals were scored in the whole match?", [str(sum(goals))], "number"),
    ]
    if far:
        questions.append(("Which players scored from more than 30 metres?", far, "span"))
    return questions


# ---- SQuAD

_QUESTIONS = 4  # per paragraph


def squad(row: SampleRow) -> SampleRecord:
    """The answer is a span of the context; validation rows have the answers of two or three annotators."""
    context, source = _context(row)
    index = row.below("asked", len(source.relations))
    question = source.about.ask(source.relations[index], row.bits("question"))
    return _squad(row, source, context, question, _span(row, source, context, index))


def squad_v2(row: SampleRow) -> SampleRecord:
    """SQuAD, but the context does not answer a third of the questions."""
    if not row.chance("unanswerable", 33):
        return squad(row)
    context, source = _context(row)
    question = source.about.ask(source.unstated(row, "untold"), row.bits("question"))
    return _squad(row, source, context, question, {"text": [], "answer_start": []})


def _context(row: SampleRow) -> tuple[str, Passage]:
    paragraph = row.group(_QUESTIONS)
    source = passage(paragraph, "context", 4)
    return with_aside(paragraph, source.text), source


def _span(row: SampleRow, source: Passage, context: str, index: int) -> SampleRecord:
    value, start = value_at(source, context, index)
    count = 1 if row.split == "train" else row.between("annotators", 2, 3)
    return {"text": [value] * count, "answer_start": [start] * count}


def value_at(source: Passage, context: str, index: int) -> tuple[str, int]:
    """The value of relation `index` as written in the context, and its start in characters."""
    value = source.about.value(source.relations[index])
    before = sum(len(sentence) + 1 for sentence in source.sentences[:index])
    start = context.lower().index(value.lower(), before)
    return context[start : start + len(value)], start


def _squad(
    row: SampleRow, source: Passage, context: str, question: str, answers: SampleRecord
) -> SampleRecord:
    return {
        "id": row.hexadecimal("id", 24),
        "title": source.about.name.replace(" ", "_"),
        "context": context,
        "question": question,
        "answers": answers,
    }


# ---- MultiRC

_ANSWERS = 4  # per question
_PARAGRAPH = 3 * _ANSWERS


def multirc(row: SampleRow) -> SampleRecord:
    """One of the candidate answers to a question: a value or a sentence with it; several may be right."""
    paragraph, question = row.group(_PARAGRAPH), row.group(_ANSWERS)
    source = passage(paragraph, "paragraph", 4)
    position = row.position(_ANSWERS)
    asked = source.relations[question.below("asked", 4)]
    label = 1 if position == question.below("surely right", _ANSWERS) else row.below("label", 2)
    value = source.about.value(asked) if label else wrong_value(row, "value", source.about, asked)
    wording = (position + question.bits("wording")) % _ANSWERS
    return {
        "paragraph": with_aside(paragraph, source.text),
        "question": source.about.ask(asked, question.bits("question")),
        "answer": source.about.say(asked, wording, value=value) if wording else value,
        "idx": {"paragraph": paragraph.number, "question": question.number, "answer": row.number},
        "label": label,
    }


# ---- Cosmos QA


def cosmos_qa(row: SampleRow) -> SampleRecord:
    """A question about the cause or the effect of an event; the text implies the answer but does not state it."""
    right, *others = row.some("pairs", CAUSES, 4)
    who = someone(row, "who")
    given, asked = (0, 1) if row.chance("effect", 50) else (1, 0)
    ask = ("What may be the reason for it ?", "Why did this happen to {n} ?") if given else (
        "What may happen after this ?", "What will be the result of what {n} did ?")  # fmt: skip
    label = row.below("label", 4)
    none = row.chance("none of them", 6)
    answers = [who.tell(other[asked]) for other in others]
    answers.insert(label, _NONE if none else who.tell(right[asked]))
    if not none and row.chance("none is offered", 30):
        answers[(label + 1) % 4] = _NONE
    context = " ".join((row.one("before", _BLOG), who.tell(right[given]), row.one("after", _BLOG_ENDS)))
    return {
        "id": f"{row.hexadecimal('id', 30).upper()}##Blog_{row.number + 1}##q1_a1",
        "context": with_aside(
            row, context.format(n=who.name, day=row.one("day", DAYS), other=full_name(row, "other"))
        ),
        "question": row.one("question", ask).format(n=who.name),
        **{f"answer{i}": answer for i, answer in enumerate(answers)},
        "label": label,
    }


_NONE = "None of the above choices ."
_BLOG = (
    "This is about my friend {n} .", "I have to write this down before I forget it .", "It was a long {day} .",
    "{other} told me a story on {day} .", "So much happened since my last post .", "You know how {n} is .",
    "On {day} I met {n} in town .", "My cousin {other} was there too .",
)  # fmt: skip
_BLOG_ENDS = (
    "That was on {day} .", "I was there and saw it with my own eyes .", "{other} can tell you more .",
    "More about it tomorrow .", "I still think of it .", "Nobody had expected it .",
)  # fmt: skip

# ---- ReCoRD

_NAMED = {
    "person": words("birthPlace employer residence mentor"),
    "town": words("region leader twinTown"),
    "company": words("founder headquarter chairman"),
    "book": words("author setting"),
    "building": words("architect location owner"),
    "club": words("manager ground"),
    "airport": words("cityServed operatingOrganisation"),
}


def record(row: SampleRow) -> SampleRecord:
    """A query with a blank for a name; the name is one of the entities of the passage."""
    story = row.group(2)
    about = entity(story, "about", story.one("kind", tuple(_NAMED)))
    source = passage_about(story, "story", about, 4)
    named = _named(about.kind.relations, about.kind.name)
    asked = named[(story.bits("asked") + row.position(2)) % len(named)]
    stated = [
        about.say(relation, story.bits("stated")) for relation in named if relation not in source.relations
    ]
    highlights = "".join(
        f"\n@highlight\n{about.say(relation, story.bits('lit') + 1)}" for relation in source.relations[:2]
    )
    dateline = f"{story.one('town', KINDS['town'].names)} (CNN) --"
    passage_text = " ".join((dateline, source.text, *stated))
    text = passage_text + highlights
    names = list(
        dict.fromkeys(name for name in (about.name, *map(about.value, named)) if name in passage_text)
    )
    spans = sorted((text.index(name), name) for name in names)
    hidden = row.split == "test"
    return {
        "passage": text,
        "query": about.say(asked, story.bits("stated") + 1, value="@placeholder"),
        "entities": [name for _, name in spans],
        "entity_spans": {
            "text": [name for _, name in spans],
            "start": [start for start, _ in spans],
            "end": [start + len(name) for start, name in spans],
        },
        "answers": [] if hidden else [about.value(asked)],
        "idx": {"passage": story.number, "query": row.number},
    }


def _named(relations: Sequence[Relation], kind: str) -> list[Relation]:
    return [relation for relation in relations if relation.name in _NAMED[kind]]


_BOOK_SPLITS = {"train": 4957, "validation": 500, "test": 500}

DATASETS = {
    ("google/boolq", "default"): SampleDataset("boolq", {"train": 9427, "validation": 3270}, boolq),
    ("aps/super_glue", "boolq"): SampleDataset(
        "boolq",
        {"train": 9427, "validation": 3270, "test": 3245},
        boolq_with_title,
        hidden={"test": {"label": -1}},
    ),
    ("allenai/openbookqa", "main"): SampleDataset("openbookqa", _BOOK_SPLITS, openbookqa),
    ("allenai/openbookqa", "additional"): SampleDataset("openbookqa", _BOOK_SPLITS, openbookqa_with_fact),
    ("ucinlp/drop", "default"): SampleDataset("drop", {"train": 77400, "validation": 9535}, drop),
    ("rajpurkar/squad", "plain_text"): SampleDataset("squad", {"train": 87599, "validation": 10570}, squad),
    ("rajpurkar/squad_v2", "squad_v2"): SampleDataset(
        "squad_v2", {"train": 130319, "validation": 11873}, squad_v2
    ),
    ("aps/super_glue", "multirc"): SampleDataset(
        "multirc", {"train": 27243, "validation": 4848, "test": 9693}, multirc, hidden={"test": {"label": -1}}
    ),
    ("allenai/cosmos_qa", "default"): SampleDataset(
        "cosmos_qa",
        {"train": 25262, "test": 6963, "validation": 2985},
        cosmos_qa,
        hidden={"test": {"label": -1}},
    ),
    ("aps/super_glue", "record"): SampleDataset(
        "record", {"train": 100730, "validation": 10000, "test": 10000}, record
    ),
}
