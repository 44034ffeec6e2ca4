"""Structure to text: CommonGen, DART, E2E, WebNLG. A text states all its triples and nothing else."""

from flanbuild.sample.dataset import SampleDataset, SampleRecord
from flanbuild.sample.entities import Entity, Relation, entity
from flanbuild.sample.passages import Passage, passage_about
from flanbuild.sample.rows import SampleRow
from flanbuild.sample.scenes import scene
from flanbuild.sample.wording import article, sentence
from flanbuild.sample.world import words

_WEB_KINDS = ("airport", "book", "building", "club", "company", "dish", "person", "town")
_REFERENCES = 3


def _source(row: SampleRow) -> Passage:
    """One to four facts about one entity."""
    return passage_about(
        row, "told", entity(row, "about", row.one("kind", _WEB_KINDS)), row.between("size", 1, 4)
    )


def _texts(row: SampleRow, source: Passage, count: int) -> list[str]:
    """The same facts in several wordings, at most three."""
    bits = row.bits("wordings")
    return [" ".join(_sentences(source, bits, i)) for i in range(count)]


def _sentences(source: Passage, bits: int, first: int) -> list[str]:
    return [
        source.about.say(relation, (bits >> 2 * index) + first, short=index > 0)
        for index, relation in enumerate(source.relations)
    ]


def _triple(about: Entity, relation: Relation) -> tuple[str, str, str]:
    return about.name, relation.name, about.value(relation)


def _resource_name(text: str) -> str:
    return text.replace(" ", "_") if text[0].isupper() else text


def web_nlg(row: SampleRow) -> SampleRecord:
    """GEM's form: one row a text; validation and test rows carry all texts as references."""
    entry = row.group(_REFERENCES) if row.split == "train" else row
    source = _source(entry)
    texts = _texts(entry, source, _REFERENCES)
    return {
        **_gem(row, "web_nlg_en", texts, row.position(_REFERENCES)),
        "input": [
            " | ".join(map(_resource_name, _triple(source.about, relation))) for relation in source.relations
        ],
        "category": source.about.kind.category,
        "webnlg_id": f"{row.split}/{source.about.kind.category}/{len(source.relations)}/Id{entry.number + 1}",
    }


def web_nlg_release(row: SampleRow) -> SampleRecord:
    """The challenge's version: all texts of an entry in one row."""
    source = _source(row)
    count = row.between("texts", 1, _REFERENCES)
    texts = _texts(row, source, count)
    triples = [
        " | ".join(map(_resource_name, _triple(source.about, relation))) for relation in source.relations
    ]
    return {
        "category": source.about.kind.category,
        "size": len(triples),
        "eid": f"Id{row.number + 1}",
        "original_triple_sets": {"otriple_set": [triples]},
        "modified_triple_sets": {"mtriple_set": [triples]},
        "shape": "(X (X))" if len(triples) == 1 else f"(X{' (X)' * len(triples)})",
        "shape_type": "NA" if len(triples) == 1 else "sibling",
        "lex": {
            "comment": ["good"] * count,
            "lid": [f"Id{i + 1}" for i in range(count)],
            "text": texts,
            "lang": [""] * count,
        },
        "test_category": "",
        "dbpedia_links": [],
        "links": [],
    }


def _dart_triples(row: SampleRow, source: Passage) -> list[list[str]]:
    triples = [list(_triple(source.about, relation)) for relation in source.relations]
    if row.chance("table", 15):
        title = f"List of things in {source.about.kind.category}"
        return [
            *([["[TABLECONTEXT]", name.upper(), value] for _, name, value in triples]),
            ["[TABLECONTEXT]", "[TITLE]", title],
        ]
    return [[subject, relation.upper(), value] for subject, relation, value in triples]


_DART_SOURCES = ("WikiTableQuestions_mturk", "WikiSQL_decl_sents", "WikiSQL_lily", "webnlg", "e2e")


def dart(row: SampleRow) -> SampleRecord:
    """GEM's version: a row for each text."""
    entry = row.group(2) if row.split == "train" else row
    source = _source(entry)
    texts = _texts(entry, source, 2)
    return {
        **_gem(row, "dart", texts, row.position(2)),
        "dart_id": entry.number + 1,
        "tripleset": _dart_triples(entry, source),
        "subtree_was_extended": entry.chance("extended", 20),
        "target_sources": [entry.one("source", _DART_SOURCES)] * (1 if row.split == "train" else 2),
    }


def dart_release(row: SampleRow) -> SampleRecord:
    """The authors' version: all texts of a tripleset in one row."""
    source = _source(row)
    count = row.between("texts", 1, 3)
    return {
        "tripleset": _dart_triples(row, source),
        "subtree_was_extended": row.chance("extended", 20),
        "annotations": {
            "source": [row.one("source", _DART_SOURCES)] * count,
            "text": _texts(row, source, count),
        },
    }


def _gem(row: SampleRow, name: str, texts: list[str], position: int) -> SampleRecord:
    """GEM's common columns: in train each text is a row without references, elsewhere the first text is the target."""
    identifier = f"{name}-{row.split}-{row.number + 1}"
    train = row.split == "train"
    return {
        "gem_id": identifier,
        "gem_parent_id": identifier,
        "target": texts[position] if train else texts[0],
        "references": [] if train else texts,
    }


def e2e(row: SampleRow) -> SampleRecord:
    """GEM's cleaned version: every text states every slot."""
    entry = row.group(_REFERENCES) if row.split == "train" else row
    slots = _slots(entry)
    texts = [_slots_text(entry, slots, i) for i in range(_REFERENCES)]
    return {
        **_gem(row, "e2e_nlg", texts, row.position(_REFERENCES)),
        "meaning_representation": ", ".join(f"{slot}[{value}]" for slot, value in slots.items()),
    }


def e2e_release(row: SampleRow) -> SampleRecord:
    """The authors' version: a row for each text."""
    entry = row.group(_REFERENCES)
    slots = _slots(entry)
    return {
        "meaning_representation": ", ".join(f"{slot}[{value}]" for slot, value in slots.items()),
        "human_reference": _slots_text(entry, slots, row.position(_REFERENCES)),
    }


def _slots(row: SampleRow) -> dict[str, str]:
    """The name and some of the other slots, in upstream's order."""
    names = row.some("names", _EATERIES, 2)
    chosen = {"name": names[0]}
    for slot, values in _SLOTS.items():
        if row.chance(f"has {slot}", 65):
            chosen[slot] = row.one(slot, values)
    if row.chance("has near", 40) or len(chosen) == 1:
        chosen["near"] = names[1]
    return chosen


def _slots_text(row: SampleRow, slots: dict[str, str], wording: int) -> str:
    name, kind = slots["name"], slots.get("eatType", "place")
    food = f" that serves {slots['food'].removesuffix(' food')} food" if "food" in slots else ""
    a = article(kind)
    first = (
        f"{name} is {a} {kind}{food}.",
        f"There is {a} {kind} called {name}{food}.",
        f"Come to {name}, {a} {kind}{food}.",
    )
    rest = [
        _SLOT_TEXTS[slot][wording].format(_SLOT_VALUES.get((slot, value), value))
        for slot, value in slots.items()
        if slot in _SLOT_TEXTS
    ]
    return " ".join([first[wording], *row.shuffled(f"told {wording}", rest)])


_EATERIES = (
    *(
        f"The {adjective} {noun}"
        for adjective in words(
            "Blue Brave Copper Dancing Golden Green Happy Hungry Old Red Silver Sleepy Three White"
        )
        for noun in words(
            "Anchor Bear Cat Fiddle Fox Goose Kettle Lantern Mill Oak Owl Plough Spoon Swan Whale"
        )
    ),
    "Café Zoë",
    "Chez José",
    "Smørrebrød & Co",
    "Łódź Grill",
)
_SLOTS = {
    "eatType": ("pub", "coffee shop", "restaurant"),
    "food": ("Chinese", "English", "French", "Indian", "Italian", "Japanese", "Fast food"),
    "priceRange": ("cheap", "moderate", "high", "less than £20", "£20-25", "more than £30"),
    "customer rating": ("low", "average", "high", "1 out of 5", "3 out of 5", "5 out of 5"),
    "area": ("riverside", "city centre"),
    "familyFriendly": ("yes", "no"),
}
_SLOT_TEXTS = {
    "priceRange": ("The price range is {}.", "Its prices are {}.", "As to price it is {}."),
    "customer rating": (
        "Customers rate it {}.",
        "It has a customer rating of {}.",
        "The customer rating is {}.",
    ),
    "area": ("It is in the {} area.", "You find it in the area of the {}.", "The area is the {}."),
    "familyFriendly": ("It is {} for families.", "For children it is {}.", "With a family it is {} to go."),
    "near": ("It stands near {}.", "{} is nearby.", "It is close to {}."),
}
_SLOT_VALUES = {("familyFriendly", "yes"): "a good place", ("familyFriendly", "no"): "not a good place"}


def common_gen(row: SampleRow) -> SampleRecord:
    """GEM's version: sentences with all concepts; the test split has none."""
    train = row.split == "train"
    entry = row.group(_REFERENCES) if train else row
    concepts, texts = _concepts(entry)
    return {
        **_gem(row, "common_gen", texts, row.position(_REFERENCES)),
        "concept_set_id": entry.number,
        "concepts": concepts,
    }


def common_gen_release(row: SampleRow) -> SampleRecord:
    """A row for each sentence in train and validation."""
    entry = row.group(_REFERENCES) if row.split != "test" else row
    concepts, texts = _concepts(entry)
    return {"concept_set_idx": entry.number, "concepts": concepts, "target": texts[row.position(_REFERENCES)]}


def _concepts(row: SampleRow) -> tuple[list[str], list[str]]:
    seen = scene(row, "scene")
    place = seen.place.rsplit(" ", 1)[1]
    concepts = [*seen.action.nouns, seen.noun, *([place] if row.chance("place", 60) else [])]
    where = f" {seen.place}" if place in concepts else ""
    doing, base = seen.action.doing, seen.action.base
    look = row.one("look", ("happy", "patient", "busy", "quiet", "skilful", "cheerful", "careful", "tired"))
    texts = [
        sentence(f"{seen.seen} is {doing}{where}"),
        sentence(f"the {look} {seen.noun} likes to {base}{where}"),
        sentence(f"I watched {article(look)} {look} {seen.noun} {doing}{where}"),
    ]
    return row.shuffled("order", concepts), texts


_WEB_NLG = SampleDataset("web_nlg", {"train": 35426, "validation": 1667, "test": 1779}, web_nlg)
_DART = SampleDataset("dart", {"train": 62659, "validation": 2768, "test": 5097}, dart)

_E2E = SampleDataset("e2e_nlg", {"train": 33525, "validation": 4299, "test": 4693}, e2e)
_COMMON_GEN = SampleDataset(
    "common_gen",
    {"train": 67389, "validation": 993, "test": 1497},
    common_gen,
    hidden={"test": {"target": "", "references": []}},
)

DATASETS = {
    ("GEM/gem", "common_gen"): _COMMON_GEN,
    ("GEM/common_gen", "common_gen"): _COMMON_GEN,
    ("GEM/common_gen", "default"): _COMMON_GEN,
    ("allenai/common_gen", "default"): SampleDataset(
        "common_gen_release",
        {"train": 67389, "validation": 4018, "test": 1497},
        common_gen_release,
        hidden={"test": {"target": ""}},
    ),
    ("GEM/gem", "e2e_nlg"): _E2E,
    ("GEM/e2e_nlg", "default"): _E2E,
    **{
        (repo, "default"): SampleDataset(
            "e2e_nlg_release", {"train": train, "validation": validation, "test": 4693}, e2e_release
        )
        for repo, train, validation in (
            ("tuetschek/e2e_nlg", 42061, 4672),
            ("tuetschek/e2e_nlg_cleaned", 33525, 4299),
        )
    },
    ("GEM/gem", "web_nlg_en"): _WEB_NLG,
    ("GEM/web_nlg", "en"): _WEB_NLG,
    ("webnlg-challenge/web_nlg", "release_v2"): SampleDataset(
        "web_nlg_release", {"train": 12876, "dev": 1619, "test": 1600}, web_nlg_release
    ),
    ("GEM/gem", "dart"): _DART,
    ("GEM/dart", "default"): _DART,
    ("Yale-LILY/dart", "default"): SampleDataset(
        "dart_release", {"train": 30526, "validation": 2768, "test": 5097}, dart_release
    ),
}
