"""Paraphrase: MRPC, QQP, PAWS, STS-B."""

from flanbuild.sample.dataset import SampleDataset, SampleRecord
from flanbuild.sample.entities import COMPANIES, PEOPLE, TOWNS, Entity, any_entity, facts, full_name
from flanbuild.sample.passages import wrong_value
from flanbuild.sample.rows import SampleRow
from flanbuild.sample.scenes import ACTIONS, INDOORS, OUTDOORS, Scene, scene
from flanbuild.sample.scenes import PEOPLE as SEEN
from flanbuild.sample.world import DAYS, MONTHS, PRODUCTS


def tokenised(text: str) -> str:
    """The text with spaces around punctuation, as in newswire corpora."""
    return text.replace(", ", " , ").replace("'s", " 's").replace("?", " ?").replace('"', "``")


def mrpc(row: SampleRow) -> SampleRecord:
    """Equivalent sentences state the same two facts in other words; otherwise one fact differs."""
    label = row.below("label", 2)
    about = any_entity(row, "about")
    relations = facts(row, "facts", about, 2)
    wording, change = row.bits("wording"), row.between("change", 1, 2)
    first = " and ".join(about.clause(relation, wording + i) for i, relation in enumerate(relations))
    wrong = None if label else wrong_value(row, "value", about, relations[1])
    second = " and ".join(
        about.clause(relation, wording + i + change, value=wrong if i else None)
        for i, relation in enumerate(relations)
    )
    fill = (full_name(row, "speaker"), row.one("day", DAYS))
    forms = row.some(
        "said", ("{1} said on {2} that {0}", "{0}", "According to {1} , {0}", "{0} , {1} said"), 2
    )
    sentences = [
        form.format(tokenised(text), *fill) for form, text in zip(forms, (first, second), strict=True)
    ]
    return {
        "sentence1": f"{sentences[0][0].upper()}{sentences[0][1:]} .",
        "sentence2": f"{sentences[1][0].upper()}{sentences[1][1:]} .",
        "label": label,
        "idx": row.number,
    }


def qqp(row: SampleRow) -> SampleRecord:
    """A duplicate asks for the same fact; otherwise the second question is about another fact or entity."""
    label = row.below("label", 2)
    about = any_entity(row, "about")
    asked, other = facts(row, "facts", about, 2)
    wording = row.bits("wording")
    first = about.ask(asked, wording)
    if label:
        second = about.ask(asked, wording + row.between("change", 1, 2))
    elif row.chance("same entity", 60):
        second = about.ask(other, row.bits("other wording"))
    else:
        others = about.kind.names
        second = Entity(
            about.kind, (about.index + row.between("other", 1, len(others) - 1)) % len(others)
        ).ask(asked, wording)
    if row.chance("quoted", 3):
        second = second.replace("?", ' "" please ""?')
    return {"question1": first, "question2": second, "label": label, "idx": row.number}


# {a} and {b} are people, {c} and {d} towns, {k} a firm, {y} and {z} times: (sentence, paraphrase, sentence with swapped roles).
_EVENTS = (
    ("{a} sold the {g} to {b} in {y} .", "In {y} {b} bought the {g} from {a} .", "{b} sold the {g} to {a} in {y} ."),
    ("{a} moved from {c} to {d} in {y} .", "In {y} , {a} left {c} for {d} .", "{a} moved from {d} to {c} in {y} ."),
    ("{a} taught {b} at a school in {c} .", "{b} was taught by {a} at a school in {c} .", "{b} taught {a} at a school in {c} ."),
    ("{a} was born in {c} and died in {d} .", "Born in {c} , {a} died in {d} .", "{a} was born in {d} and died in {c} ."),
    ("{a} succeeded {b} as mayor of {c} in {y} .", "In {y} {b} was followed by {a} as mayor of {c} .", "{b} succeeded {a} as mayor of {c} in {y} ."),
    ("{a} led {k} from {y} to {z} , followed by {b} .", "From {y} to {z} {k} was led by {a} , then by {b} .", "{b} led {k} from {y} to {z} , followed by {a} ."),
    ("The road runs from {c} in the north to {d} in the south .", "From {c} in the north the road runs to {d} in the south .", "The road runs from {d} in the north to {c} in the south ."),
    ("{a} beat {b} in the final at {c} .", "In the final at {c} , {b} was beaten by {a} .", "{b} beat {a} in the final at {c} ."),
    ("{a} wrote the words and {b} the music of the song .", "The music of the song was by {b} , the words by {a} .", "{b} wrote the words and {a} the music of the song ."),
    ("{k} moved its {g} works from {c} to {d} .", "The {g} works of {k} were moved from {c} to {d} .", "{k} moved its {g} works from {d} to {c} ."),
    ("{a} is the older sister of {b} and lives in {c} .", "{b} has an older sister , {a} , who lives in {c} .", "{b} is the older sister of {a} and lives in {c} ."),
    ("In {y} {a} , who lived in {c} , visited {b} in {d} .", "{a} , who lived in {c} , visited {b} in {d} in {y} .", "In {y} {a} , who lived in {d} , visited {b} in {c} ."),
)  # fmt: skip


def paws(row: SampleRow) -> SampleRecord:
    """Both sentences have the same words; a negative swaps two people or two towns."""
    label = row.below("label", 2)
    event = row.one("event", _EVENTS)
    (a, b), (c, d) = row.some("people", PEOPLE, 2), row.some("towns", TOWNS, 2)
    year = row.between("year", 1801, 1989)
    fill = {
        "a": a, "b": b, "c": c, "d": d, "k": row.one("firm", COMPANIES), "g": row.one("goods", PRODUCTS),
        "y": f"{row.one('month', MONTHS)} {year}", "z": str(year + row.between("years", 1, 20)),
    }  # fmt: skip
    if row.chance("turned", 50):
        fill |= {"a": b, "b": a, "c": d, "d": c}
    return {
        "id": row.number + 1,
        "sentence1": event[0].format(**fill),
        "sentence2": event[1 if label else 2].format(**fill),
        "label": label,
    }


def stsb(row: SampleRow) -> SampleRecord:
    """The score follows from what two captions share: the person, the action, the place."""
    grade = row.below("grade", 6)
    seen = scene(row, "scene")
    second = (_unlike, _same_place, _same_person, _same_action, _less_detail, _reworded)[grade](row, seen)
    nudge = row.one("nudge", (-0.4, -0.2, 0.0, 0.2, 0.4)) if 0 < grade < 5 else 0.0
    pair = [seen.caption, second]
    first, other = row.shuffled("order", pair) if grade not in (4,) else pair
    return {"sentence1": first, "sentence2": other, "label": grade + nudge, "idx": row.number}


def _caption(who: str, doing: str, place: str) -> str:
    return f"{who[0].upper()}{who[1:]} is {doing} {place}.".replace(" .", ".")


def _reworded(row: SampleRow, seen: Scene) -> str:
    form = row.one("form", ("{p}, {s} is {d}.", "There is {s} {d} {p}.", "{s} {p} is {d}."))
    text = form.format(p=seen.place, s=seen.seen, d=seen.action.doing)
    return text[0].upper() + text[1:]


def _less_detail(row: SampleRow, seen: Scene) -> str:
    return _caption(seen.general, seen.action.doing, seen.place if row.chance("place", 50) else "")


def _same_action(row: SampleRow, seen: Scene) -> str:
    who = row.other("who", [person[0] for person in SEEN], seen.seen)
    return _caption(
        who, seen.action.doing, row.other("place", OUTDOORS if seen.outdoors else INDOORS, seen.place)
    )


def _same_person(row: SampleRow, seen: Scene) -> str:
    return _caption(
        seen.seen, _other_doing(row, seen), row.one("place", INDOORS if seen.outdoors else OUTDOORS)
    )


def _same_place(row: SampleRow, seen: Scene) -> str:
    who = row.other("who", [person[0] for person in SEEN], seen.seen)
    return _caption(who, _other_doing(row, seen), seen.place)


def _unlike(row: SampleRow, seen: Scene) -> str:
    about = any_entity(row, "about")
    return about.say(row.one("fact", about.kind.relations), len(seen.place))


def _other_doing(row: SampleRow, seen: Scene) -> str:
    return row.other("doing", [action.doing for action in ACTIONS], seen.action.doing)


DATASETS = {
    ("nyu-mll/glue", "mrpc"): SampleDataset("mrpc", {"train": 3668, "validation": 408, "test": 1725}, mrpc),
    ("nyu-mll/glue", "qqp"): SampleDataset(
        "qqp", {"train": 363846, "validation": 40430, "test": 390965}, qqp, hidden={"test": {"label": -1}}
    ),
    ("google-research-datasets/paws", "labeled_final"): SampleDataset(
        "paws", {"train": 49401, "test": 8000, "validation": 8000}, paws
    ),
    ("nyu-mll/glue", "stsb"): SampleDataset(
        "stsb", {"train": 5749, "validation": 1500, "test": 1379}, stsb, hidden={"test": {"label": -1.0}}
    ),
}
