"""Closed-book question answering: ARC, Natural Questions, TriviaQA."""

from collections.abc import Sequence
from dataclasses import dataclass

from flanbuild.sample import facts
from flanbuild.sample.dataset import SampleDataset, SampleRecord
from flanbuild.sample.entities import any_entity
from flanbuild.sample.rows import SampleRow
from flanbuild.sample.wording import article


@dataclass(frozen=True, slots=True)
class Quiz:
    """A question, its answer, and wrong answers of the same type."""

    question: str
    answer: str
    wrong: Sequence[str]


def _others(lines: Sequence[Sequence[str]], column: int, answer: str) -> list[str]:
    return sorted({line[column] for line in lines} - {answer})


def _country(row: SampleRow) -> Quiz:
    line = row.one("line", facts.COUNTRIES)
    column = row.between("column", 1, 4)
    forms = (
        (
            "What is the capital of {}?",
            "Which city is the capital of {}?",
            "Which city is the seat of government of {}?",
        ),
        (
            "On which continent is {}?",
            "What continent is {} part of?",
            "Which continent would you visit to see {}?",
        ),
        ("What is the currency of {}?", "Which money is used in {}?", "What do people pay with in {}?"),
        (
            "What language do most people speak in {}?",
            "Which language is widely spoken in {}?",
            "What is a main language of {}?",
        ),
    )[column - 1]
    return Quiz(
        row.one("form", forms).format(line[0]), line[column], _others(facts.COUNTRIES, column, line[column])
    )


def _capital(row: SampleRow) -> Quiz:
    line = row.one("line", facts.COUNTRIES)
    form = row.one("form", ("Of which country is {} the capital?", "Which country has {} as its capital?"))
    return Quiz(form.format(line[1]), line[0], _others(facts.COUNTRIES, 0, line[0]))


def _animal(row: SampleRow) -> Quiz:
    line = row.one("line", facts.ANIMALS)
    column = row.between("column", 1, 4)
    forms = (
        ("What kind of animal is {a} {}?", "To which class of animals does {a} {} belong?"),
        ("What is the young of {a} {} called?", "What do we call a young {}?"),
        ("What does {a} {} mostly eat?", "What is the main food of {a} {}?"),
        ("How many legs does {a} {} have?", "How many legs does {a} {} walk on?"),
    )[column - 1]
    question = row.one("form", forms).format(line[0], a=article(line[0]))
    return Quiz(question, line[column], _others(facts.ANIMALS, column, line[column]))


def _element(row: SampleRow) -> Quiz:
    line = row.one("line", facts.ELEMENTS)
    asked, given, form = row.one("form", (
        (1, 0, "What is the chemical symbol of {}?"),
        (0, 1, "Which element has the symbol {}?"),
        (2, 0, "What is the atomic number of {}?"),
        (0, 2, "Which element has the atomic number {}?"),
    ))  # fmt: skip
    return Quiz(form.format(line[given]), line[asked], _others(facts.ELEMENTS, asked, line[asked]))


def _planet(row: SampleRow) -> Quiz:
    index = row.below("place", 8)
    planet = facts.PLANETS[index]
    form = row.one(
        "form", ("Which planet is the {} from the Sun?", "Counted from the Sun, which is the {} planet?")
    )
    return Quiz(
        form.format(facts.ORDINALS[index]), planet, [name for name in facts.PLANETS if name != planet]
    )


def _work(row: SampleRow) -> Quiz:
    work, done, who = row.one("line", facts.WORKS)
    form = row.one(
        "form",
        (
            "Who {done} {work}?",
            "By whom was {work} {passive}?",
            "What is the name of the person who {done} {work}?",
        ),
    )
    passive = "written" if done == "wrote" else done
    return Quiz(form.format(done=done, work=work, passive=passive), who, _others(facts.WORKS, 2, who))


def _gauge(row: SampleRow) -> Quiz:
    line = row.one("line", facts.GAUGES)
    asked, form = row.one("form", (
        (0, "Which tool is used to measure {}?"),
        (0, "A student wants to measure {}. Which tool should the student use?"),
        (1, "What is measured with a {}?"),
    ))  # fmt: skip
    return Quiz(form.format(line[1 - asked]), line[asked], _others(facts.GAUGES, asked, line[asked]))


def _organ(row: SampleRow) -> Quiz:
    line = row.one("line", facts.ORGANS)
    asked, form = row.one(
        "form", ((0, "Which part of a living thing {}?"), (1, "What is the main job of the {}?"))
    )
    return Quiz(form.format(line[1 - asked]), line[asked], _others(facts.ORGANS, asked, line[asked]))


def _sort(row: SampleRow) -> Quiz:
    sort = row.one("sort", tuple(facts.SORTS))
    form = row.one(
        "form",
        ("Which of these is {}?", "Which is an example of {}?", "A class looks for {}. What should it pick?"),
    )
    wrong = [thing for other, things in facts.SORTS.items() if not _overlap(sort, other) for thing in things]
    return Quiz(form.format(sort), row.one("thing", facts.SORTS[sort]), wrong)


def _overlap(sort: str, other: str) -> bool:
    return sort == other or any({sort, other} <= group for group in _OVERLAPS)


# Classes that may share members: gas is a fuel and does not conduct electricity.
_OVERLAPS = (
    {"a metal that conducts electricity", "a body in the solar system", "a simple machine"},
    {
        "a material that does not conduct electricity", "a fossil fuel", "a gas at room temperature",
        "a form of precipitation", "a producer in a food chain", "a simple machine",
        "an energy source that can be renewed",
    },
    {"a fossil fuel", "a gas at room temperature"},
)  # fmt: skip


def _law(row: SampleRow) -> Quiz:
    cause, effect, _ = row.one("law", facts.LAWS)
    form = row.one(
        "form",
        (
            "What happens when {}?",
            "What is most likely to happen if {}?",
            "A class observes what happens when {}. What will it see?",
        ),
    )
    return Quiz(form.format(cause), effect, [law[1] for law in facts.LAWS if law[1] != effect])


def _why(row: SampleRow) -> Quiz:
    cause, effect, why = row.one("law", facts.LAWS)
    form = row.one(
        "form", ("When {}, {}. Which statement best explains this?", "Why is it that {1} when {0}?")
    )
    return Quiz(form.format(cause, effect), why, [law[2] for law in facts.LAWS if law[2] != why])


def _speed(row: SampleRow) -> Quiz:
    speed, hours = 5 * row.between("speed", 2, 30), row.between("hours", 2, 9)
    mover = row.one("mover", ("A train", "A car", "A bus", "A ship", "A bird", "A cyclist"))
    wrong = [f"{n} km per hour" for n in (speed + 5, speed * hours, speed + hours, speed * 2) if n != speed]
    question = f"{mover} travels {speed * hours} km in {hours} hours. What is its average speed?"
    return Quiz(question, f"{speed} km per hour", sorted(set(wrong)))


def _force(row: SampleRow) -> Quiz:
    mass, push = row.between("mass", 2, 12), row.between("push", 2, 9)
    wrong = [f"{n} newtons" for n in (mass + push, mass * push * 2, mass * push + 5, mass * push - 1)]
    question = (
        f"A box of {mass} kg is sped up by {push} metres per second squared on ice without friction. "
        "What force acts on it?"
    )
    return Quiz(question, f"{mass * push} newtons", sorted(set(wrong)))


_EASY = (_animal, _gauge, _organ, _sort, _law, _planet)
_CHALLENGE = (_why, _speed, _force, _element, _sort, _law)
_COMMON = (_country, _capital, _animal, _element, _planet, _work)


def arc(row: SampleRow, quizzes: Sequence[object]) -> SampleRecord:
    """Mostly four choices; a few rows have three or five, or digits instead of letters as labels."""
    make = row.one("quiz", quizzes)
    assert callable(make)
    quiz: Quiz = make(row)
    count = row.one("choices", (4,) * 46 + (3, 3, 5))
    texts = row.shuffled(
        "order", [quiz.answer, *row.some("wrong", quiz.wrong, min(count - 1, len(quiz.wrong)))]
    )
    labels = list("12345" if row.chance("digits", 4) else "ABCDE")[: len(texts)]
    return {
        "id": f"Sample_{row.split}_{row.number + 1}",
        "question": quiz.question,
        "choices": {"text": texts, "label": labels},
        "answerKey": labels[texts.index(quiz.answer)],
    }


def _question(row: SampleRow) -> tuple[str, str]:
    """A question and its answer, mostly about a generated entity, otherwise about the real world."""
    if row.chance("real", 15):
        quiz: Quiz = row.one("quiz", _COMMON)(row)
        return quiz.question, quiz.answer
    about = any_entity(row, "about")
    relation = row.one("relation", about.kind.relations)
    return about.ask(relation, row.bits("wording")), about.value(relation)


def natural_questions(row: SampleRow) -> SampleRecord:
    """Questions in lower case without question mark, as in a search box; some have a second answer."""
    question, answer = _question(row)
    return {
        "question": question.removesuffix("?").lower(),
        "answer": _aliases(answer)[: row.between("answers", 1, 2)],
    }


def trivia_qa(row: SampleRow) -> SampleRecord:
    """Questions without evidence, as in the nocontext configs; the test split has no answers."""
    question, answer = _question(row)
    aliases = _aliases(answer)
    hidden = row.split == "test"
    return {
        "question": question,
        "question_id": f"sample_{row.number + 1}",
        "question_source": "http://quiz.example.org/",
        "entity_pages": {name: [] for name in _PAGES},
        "search_results": {name: [] for name in _RESULTS},
        "answer": {
            "aliases": [] if hidden else aliases,
            "normalized_aliases": [] if hidden else sorted({normalised(alias) for alias in aliases}),
            "matched_wiki_entity_name": "<unk>" if hidden else "",
            "normalized_matched_wiki_entity_name": "<unk>" if hidden else "",
            "normalized_value": "<unk>" if hidden else normalised(answer),
            "type": "" if hidden else "WikipediaEntity",
            "value": "<unk>" if hidden else answer,
        },
    }


def _aliases(answer: str) -> list[str]:
    first, _, last = answer.rpartition(" ")
    short = [last] if first and last[0].isupper() else []
    bare = [answer.split(" ", 1)[1]] if answer.startswith(("a ", "an ", "the ")) else []
    return [answer, *short, *bare, answer.upper()]


def normalised(answer: str) -> str:
    """The answer in lower case, without articles and punctuation."""
    plain = "".join(letter if letter.isalnum() or letter in " _" else " " for letter in answer.lower())
    return " ".join(word for word in plain.split() if word not in ("a", "an", "the"))


_PAGES = ("doc_source", "filename", "title", "wiki_context")
_RESULTS = ("description", "filename", "rank", "title", "url", "search_context")

DATASETS = {
    ("allenai/ai2_arc", "ARC-Easy"): SampleDataset(
        "arc_easy", {"train": 2251, "validation": 570, "test": 2376}, lambda row: arc(row, _EASY)
    ),
    ("allenai/ai2_arc", "ARC-Challenge"): SampleDataset(
        "arc_challenge", {"train": 1119, "validation": 299, "test": 1172}, lambda row: arc(row, _CHALLENGE)
    ),
    ("google-research-datasets/nq_open", "nq_open"): SampleDataset(
        "natural_questions", {"train": 87925, "validation": 3610}, natural_questions
    ),
    ("mandarjoshi/trivia_qa", "unfiltered.nocontext"): SampleDataset(
        "trivia_qa", {"train": 87622, "validation": 11313, "test": 10832}, trivia_qa
    ),
    ("mandarjoshi/trivia_qa", "rc.nocontext"): SampleDataset(
        "trivia_qa", {"train": 138384, "validation": 17944, "test": 17210}, trivia_qa
    ),
}
