"""Miscellaneous: CoQA, QuAC, WiC, TREC, CoLA, the mathematics dataset."""

from math import gcd

from flanbuild.sample import facts
from flanbuild.sample.dataset import SampleDataset, SampleRecord
from flanbuild.sample.entities import any_entity, entity, full_name
from flanbuild.sample.passages import Passage, passage_about, with_aside, wrong_value
from flanbuild.sample.people import someone
from flanbuild.sample.reading_comprehension import value_at
from flanbuild.sample.rows import SampleRow
from flanbuild.sample.scenes import scene
from flanbuild.sample.senses import SENSES
from flanbuild.sample.wording import sentence
from flanbuild.sample.world import BEASTS, DAYS, PRODUCTS, words

# ---- conversations


def coqa(row: SampleRow) -> SampleRecord:
    """Questions after the first use a pronoun; a third of the questions have the answer yes or no."""
    source = passage_about(row, "story", entity(row, "who", "person"), 4)
    story = with_aside(row, " \n\n".join((" ".join(source.sentences[:2]), " ".join(source.sentences[2:]))), 2)
    turns = [_coqa_turn(row, source, turn) for turn in range(4)]
    starts = [story.index(sentence) for sentence in source.sentences]
    return {
        "source": row.one("from", words("wikipedia cnn gutenberg race mctest")),
        "story": story,
        "questions": [question for question, _ in turns],
        "answers": {
            "input_text": [answer for _, answer in turns],
            "answer_start": starts,
            "answer_end": [start + len(s) for start, s in zip(starts, source.sentences, strict=True)],
        },
    }


def _coqa_turn(row: SampleRow, source: Passage, turn: int) -> tuple[str, str]:
    relation = source.relations[turn]
    if row.chance(f"open {turn}", 65):
        return source.about.ask(relation, row.bits(f"ask {turn}"), short=turn > 0), source.about.value(
            relation
        )
    true = row.chance(f"true {turn}", 50)
    value = (
        source.about.value(relation) if true else wrong_value(row, f"wrong {turn}", source.about, relation)
    )
    question = source.about.whether(relation, value, short=turn > 0)
    return f"{question[0].upper()}{question[1:]}?", "yes" if true else "no"


def quac(row: SampleRow) -> SampleRecord:
    """A dialogue about a section. The context ends in CANNOTANSWER, the answer to an unanswerable question."""
    source = passage_about(row, "section", any_entity(row, "about"), 4)
    context = f"{with_aside(row, source.text)} CANNOTANSWER"
    nowhere = ("CANNOTANSWER", len(context) - len("CANNOTANSWER"))
    turns = [(relation, value_at(source, context, index)) for index, relation in enumerate(source.relations)]
    turns.insert(row.below("unanswered", 4) + 1, (source.unstated(row, "untold"), nowhere))
    count = row.between("turns", 3, 5)
    turns = turns[:count]
    identifier = f"C_{row.hexadecimal('id', 32)}_{row.below('part', 2)}"
    annotators = 1 if row.split == "train" else 3
    return {
        "dialogue_id": identifier,
        "wikipedia_page_title": source.about.name,
        "background": f"{source.about.name} is known to everybody in the region.",
        "section_title": row.one("section", ("Early years", "Later years", "Overview", "What is known")),
        "context": context,
        "turn_ids": [f"{identifier}_q#{i}" for i in range(count)],
        "questions": [
            source.about.ask(relation, row.bits(f"ask {i}"), short=i > 0)
            for i, (relation, _) in enumerate(turns)
        ],
        "followups": [row.below(f"follow-up {i}", 3) for i in range(count)],
        "yesnos": [2] * count,
        "answers": {
            "texts": [[text] * annotators for _, (text, _) in turns],
            "answer_starts": [[start] * annotators for _, (_, start) in turns],
        },
        "orig_answers": {
            "texts": [text for _, (text, _) in turns],
            "answer_starts": [start for _, (_, start) in turns],
        },
    }


# ---- words and sentences


def wic(row: SampleRow) -> SampleRecord:
    """Two sentences with the same word, in the same sense or in two senses."""
    word, *senses = row.one("word", SENSES)
    label = row.below("label", 2)
    sense = row.below("sense", 2)
    if label:
        patterns = row.some("sentences", senses[sense], 2)
    else:
        patterns = [row.one("first", senses[sense]), row.one("second", senses[1 - sense])]
    fill = [{"n": someone(row, f"who {i}").name, "d": row.one(f"day {i}", DAYS)} for i in range(2)]
    before = [
        row.one(f"before {i}", ("", "", "", "{n} wrote: ", "Look at this: ", "A story from {d}: "))
        for i in range(2)
    ]
    first, second = (
        (opening + pattern).format(**filled)
        for opening, pattern, filled in zip(before, patterns, fill, strict=True)
    )
    start1, start2 = first.lower().index(word), second.lower().index(word)
    return {
        "word": word,
        "sentence1": first,
        "sentence2": second,
        "start1": start1,
        "start2": start2,
        "end1": start1 + len(word),
        "end2": start2 + len(word),
        "idx": row.number,
        "label": label,
    }


_COARSE = words("ABBR ENTY DESC HUM LOC NUM")
_FINE = words(
    "ABBR:abb ABBR:exp ENTY:animal ENTY:body ENTY:color ENTY:cremat ENTY:currency ENTY:dismed ENTY:event "
    "ENTY:food ENTY:instru ENTY:lang ENTY:letter ENTY:other ENTY:plant ENTY:product ENTY:religion "
    "ENTY:sport ENTY:substance ENTY:symbol ENTY:techmeth ENTY:termeq ENTY:veh ENTY:word DESC:def "
    "DESC:desc DESC:manner DESC:reason HUM:gr HUM:ind HUM:title HUM:desc LOC:city LOC:country LOC:mount "
    "LOC:other LOC:state NUM:code NUM:count NUM:date NUM:dist NUM:money NUM:ord NUM:other NUM:period "
    "NUM:perc NUM:speed NUM:temp NUM:volsize NUM:weight"
)
# {p} a person, {t} a town, {g} goods, {c} a country, {b} a club's animals, {e} an element, {o} an organ, {m} a firm,
# {x} an abbreviation
_TREC = {
    "ABBR:abb": ("What is the abbreviation of the word {e} ?", "How is the name of {m} shortened ?"),
    "ABBR:exp": ("What does the abbreviation {x} stand for ?", "What is the full form of {x} ?"),
    "ENTY:animal": ("What animal is shown on the flag of {t} ?", "What kind of animal are {b} ?"),
    "ENTY:body": ("What part of the body hurts when you make {g} ?", "Which organ did {p} injure ?"),
    "ENTY:color": ("What color are the {g} of {t} ?", "What color is {e} ?"),
    "ENTY:cremat": ("What book did {p} write ?", "Which film by {p} is set in {t} ?"),
    "ENTY:currency": ("What currency is used in {c} ?", "What kind of money do they use in {c} ?"),
    "ENTY:food": ("What do people in {t} eat for breakfast ?", "What dish comes from {c} ?"),
    "ENTY:instru": ("What instrument does {p} play ?", "Which instrument was made in {t} ?"),
    "ENTY:lang": ("What language is spoken in {c} ?", "Which language did {p} learn in {t} ?"),
    "ENTY:product": ("What product does {m} make ?", "What is {t} known for making ?"),
    "ENTY:sport": ("What sport do the {t} {b} play ?", "Which sport did {p} take up in {t} ?"),
    "ENTY:substance": ("What are {g} made of ?", "What metal is found near {t} ?"),
    "DESC:def": ("What is {e} ?", "What are {g} ?"),
    "DESC:desc": ("What is the {o} for ?", "What was the life of {p} like ?"),
    "DESC:manner": ("How do you make {g} ?", "How did {p} travel to {t} ?"),
    "DESC:reason": ("Why did {p} leave {t} ?", "Why are {g} so popular in {c} ?"),
    "HUM:gr": ("What company makes {g} in {t} ?", "What team beat the {t} {b} ?"),
    "HUM:ind": (
        "Who founded {m} ?",
        "Who was the first mayor of {t} ?",
        "What is the name of the person who invented {g} ?",
    ),
    "HUM:desc": ("Who was {p} ?", "Who is {p} of {t} ?"),
    "LOC:city": ("What is the capital of {c} ?", "In what city was {p} born ?"),
    "LOC:country": ("What country is {t} in ?", "From which country do {g} come ?"),
    "LOC:other": ("Where is {t} ?", "Where did {p} hide the {g} ?"),
    "NUM:count": ("How many people live in {t} ?", "How many {g} does {m} make a year ?"),
    "NUM:date": ("When was {p} born ?", "What year was {m} founded ?", "When did {t} become a town ?"),
    "NUM:dist": ("How far is it from {t} to {c} ?", "How high is the tower of {t} ?"),
    "NUM:money": ("How much do {g} cost in {t} ?", "How much did {p} earn ?"),
    "NUM:perc": (
        "What percentage of people in {c} buy {g} ?",
        "What percent of the workers of {m} live in {t} ?",
    ),
    "NUM:period": ("How long did {p} live in {t} ?", "How old was {p} when {m} was founded ?"),
    "NUM:weight": ("How much does a box of {g} weigh ?", "What is the weight of the bell of {t} ?"),
}


def trec(row: SampleRow) -> SampleRecord:
    """The pattern of the question decides both classes."""
    fine = row.one("class", tuple(_TREC))
    question = row.one("form", _TREC[fine]).format(
        p=full_name(row, "person"),
        t=entity(row, "town", "town").name,
        g=row.one("goods", PRODUCTS),
        c=row.one("country", facts.COUNTRIES)[0],
        b=row.one("beasts", BEASTS),
        e=row.one("element", facts.ELEMENTS)[0],
        o=row.one("organ", facts.ORGANS)[0],
        m=entity(row, "firm", "company").name,
        x="".join(row.some("letters", "ABCDEFGHIKLMNOPRSTUVW", 3)),
    )
    return {
        "text": question,
        "coarse_label": _COARSE.index(fine.split(":")[0]),
        "fine_label": _FINE.index(fine),
    }


def cola(row: SampleRow) -> SampleRecord:
    """A grammatical sentence, or a sentence with one grammatical error."""
    label = 1 if row.chance("acceptable", 70) else 0
    seen = scene(row, "scene")
    who = someone(row, "who").name
    forms = _GOOD if label else _BAD
    text = row.one("form", forms).format(
        s=seen.seen, n=who, o=seen.noun, p=seen.place, doing=seen.action.doing, base=seen.action.base
    )
    return {"sentence": sentence(text), "label": label, "idx": row.number}


_GOOD = (
    "{s} is {doing} {p}", "{n} wants to {base}", "{n} said that {s} was {doing}", "the {o} who is {doing} knows {n}",
    "{n} and {s} have been {doing}", "it is easy to {base} {p}", "{n} saw the {o} {base}",
    "{n} does not like to {base}", "the {o} that {n} met {p} can {base}",
)  # fmt: skip
_BAD = (
    "{s} are {doing} {p}", "{n} wants {base} to", "{n} said that {s} were {base}", "the {o} who is {doing} know {n}",
    "{n} and {s} has been {base}", "it is easy {base} to {p}", "{n} saw the {o} to {doing}",
    "{n} does not likes to {doing}", "the {o} that {n} met him {p} can {doing}",
)  # fmt: skip

# ---- mathematics


def _literal(question: str, answer: object) -> SampleRecord:
    """Upstream's format, which its loading script made: Python byte literals with a newline."""
    return {"question": f"b'{question}\\n'", "answer": f"b'{answer}\\n'"}


def linear_1d(row: SampleRow) -> SampleRecord:
    """A linear equation with one unknown, an integer; both sides may have several terms."""
    x = row.between("x", -30, 30)
    a = row.other("a", range(-40, 41), 0)
    b, c = row.between("b", -200, 200), row.between("c", -60, 60)
    name = row.one("name", "abcdfghijklmnopqrstuvwxyz")
    left = f"{_term(a, name)} {_signed(b)}"
    right = a * x + b
    if row.chance("both sides", 40):
        d = row.other("d", range(-30, 31), a)
        right_text = f"{_term(d, name)} {_signed(a * x + b - d * x)}" if d else str(right)
    else:
        right_text = f"{right - c} {_signed(c)}" if row.chance("sum", 30) else str(right)
    return _literal(f"Solve {left} = {right_text} for {name}.", x)


def linear_2d(row: SampleRow) -> SampleRecord:
    """Two linear equations with two unknowns, integers; the question is about the first."""
    x, y = row.between("x", -12, 12), row.between("y", -12, 12)
    a, b, c, d = (row.other(name, range(-9, 10), 0) for name in "abcd")
    if a * d == b * c:
        d += 1 if d != -1 else 2
    first, second = row.some("names", "abcdfghijklmnopqrstuvwxyz", 2)
    rows = [f"{_term(p, first)} {_signed(q, second)} = {p * x + q * y}" for p, q in ((a, b), (c, d))]
    return _literal(f"Solve {rows[0]}, {rows[1]} for {first}.", x)


def _term(factor: int, name: str) -> str:
    return {1: "", -1: "-"}.get(factor, f"{factor}*") + name


def _signed(number: int, name: str = "") -> str:
    size = str(abs(number)) if not name else _term(abs(number), name)
    return f"{'-' if number < 0 else '+'} {size}"


def add_or_sub(row: SampleRow) -> SampleRecord:
    """A sum or a difference of integers."""
    a, b = row.between("a", -99999, 99999), row.between("b", -999, 9999)
    plus = row.chance("plus", 50)
    form = row.one("form", ("What is {a} {s} {b}?", "Calculate {a} {s} {b}.", "Work out {a} {s} {b}."))
    shown = f"({b})" if b < 0 else str(b)
    return _literal(form.format(a=a, s="+" if plus else "-", b=shown), a + b if plus else a - b)


def mul(row: SampleRow) -> SampleRecord:
    """A product of integers."""
    a, b = row.between("a", -9999, 9999), row.between("b", -99, 999)
    form = row.one("form", ("What is {} times {}?", "Multiply {} and {}.", "Product of {} and {}.", "{}*{}"))
    return _literal(form.format(a, b), a * b)


def closest(row: SampleRow) -> SampleRecord:
    """The choice that is nearest to a number; there are no ties."""
    target = row.between("target", -50, 50)
    distances = row.some("distances", range(1, 60), 4)
    choices = [target + (far if row.chance(f"above {i}", 50) else -far) for i, far in enumerate(distances)]
    best = min(choices, key=lambda choice: abs(choice - target))
    lettered = ", ".join(f"({letter}) {choice}" for letter, choice in zip("abcd", choices, strict=True))
    return _literal(f"Which is the closest to {target}?  {lettered}", "abcd"[choices.index(best)])


def clock(row: SampleRow) -> SampleRecord:
    """The minutes between two times (at most 12 hours), or the time after a number of minutes."""
    start, minutes = row.below("start", 1440), row.between("minutes", 2, 715)
    if row.chance("how long", 50):
        return _literal(
            f"How many minutes are there between {_time(start)} and {_time(start + minutes)}?", minutes
        )
    return _literal(f"What is {minutes} minutes after {_time(start)}?", _time(start + minutes))


def _time(minute: int) -> str:
    hour, rest = divmod(minute % 1440, 60)
    return f"{(hour - 1) % 12 + 1}:{rest:02} {'AM' if hour < 12 else 'PM'}"


def common_divisor(row: SampleRow) -> SampleRecord:
    """The greatest common divisor of two numbers with a common factor."""
    shared, a, b = (row.between(name, 1, 90) for name in ("shared", "a", "b"))
    a, b = shared * a, shared * b
    form = row.one(
        "form",
        (
            "Calculate the greatest common divisor of {} and {}.",
            "What is the highest common factor of {} and {}?",
        ),
    )
    return _literal(form.format(a, b), gcd(a, b))


def is_prime(row: SampleRow) -> SampleRecord:
    """Whether a number is prime or, in some rows, composite."""
    number = row.between("number", 2, 99999)
    prime = all(number % divisor for divisor in range(2, int(number**0.5) + 1))
    asked = row.one("form", ("Is {} a prime number?", "Is {} prime?", "Is {} a composite number?"))
    return _literal(asked.format(number), prime != ("composite" in asked))


_MATH = {
    "algebra__linear_1d": linear_1d,
    "algebra__linear_2d": linear_2d,
    "arithmetic__add_or_sub": add_or_sub,
    "arithmetic__mul": mul,
    "comparison__closest": closest,
    "measurement__time": clock,
    "numbers__gcd": common_divisor,
    "numbers__is_prime": is_prime,
}

DATASETS = {
    ("stanfordnlp/coqa", "default"): SampleDataset("coqa", {"train": 7199, "validation": 500}, coqa),
    ("allenai/quac", "plain_text"): SampleDataset("quac", {"train": 11567, "validation": 1000}, quac),
    ("aps/super_glue", "wic"): SampleDataset(
        "wic", {"train": 5428, "validation": 638, "test": 1400}, wic, hidden={"test": {"label": -1}}
    ),
    ("CogComp/trec", "default"): SampleDataset("trec", {"train": 5452, "test": 500}, trec),
    ("nyu-mll/glue", "cola"): SampleDataset(
        "cola", {"train": 8551, "validation": 1043, "test": 1063}, cola, hidden={"test": {"label": -1}}
    ),
    **{
        ("deepmind/math_dataset", config): SampleDataset(
            f"math_{config}", {"train": 1999998, "test": 10000}, make
        )
        for config, make in _MATH.items()
    },
}
