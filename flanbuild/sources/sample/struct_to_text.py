"""Structure to text: CommonGen, DART, E2E, WebNLG. Every triple is told, and nothing else."""

from flanbuild.sources.sample.datasets import Dataset, Record
from flanbuild.sources.sample.entities import Entity, Relation, entity
from flanbuild.sources.sample.features import Feature, Items
from flanbuild.sources.sample.passages import Passage, passage_about
from flanbuild.sources.sample.rows import Row

_WEB_KINDS = ("airport", "book", "building", "club", "company", "dish", "person", "town")
_REFERENCES = 3
_STRINGS = Items("string")


def _told(row: Row) -> Passage:
    """One to four facts about one entity."""
    return passage_about(row, "told", entity(row, "about", row.one("kind", _WEB_KINDS)), row.between("size", 1, 4))


def _texts(row: Row, told: Passage, count: int) -> list[str]:
    """The same facts in several wordings, at most three."""
    bits = row.bits("wordings")
    return [" ".join(_retold(told, bits, i)) for i in range(count)]


def _retold(told: Passage, bits: int, first: int) -> list[str]:
    return [
        told.about.say(relation, (bits >> 2 * place) + first, short=place > 0)
        for place, relation in enumerate(told.relations)
    ]


def _triple(about: Entity, relation: Relation) -> tuple[str, str, str]:
    return about.name, relation.name, about.value(relation)


def _resource(text: str) -> str:
    return text.replace(" ", "_") if text[0].isupper() else text


def web_nlg(row: Row) -> Record:
    """GEM's form: one row a text; validation and test rows carry all texts as references."""
    entry = row.group(_REFERENCES) if row.split == "train" else row
    told = _told(entry)
    texts = _texts(entry, told, _REFERENCES)
    return {
        **_gem(row, "web_nlg_en", texts, row.place(_REFERENCES)),
        "input": [" | ".join(map(_resource, _triple(told.about, relation))) for relation in told.relations],
        "category": told.about.kind.category,
        "webnlg_id": f"{row.split}/{told.about.kind.category}/{len(told.relations)}/Id{entry.number + 1}",
    }


def web_nlg_release(row: Row) -> Record:
    """The challenge's form: all texts of an entry in one row."""
    told = _told(row)
    count = row.between("texts", 1, _REFERENCES)
    texts = _texts(row, told, count)
    triples = [" | ".join(map(_resource, _triple(told.about, relation))) for relation in told.relations]
    return {
        "category": told.about.kind.category,
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


def _dart_triples(row: Row, told: Passage) -> list[list[str]]:
    triples = [list(_triple(told.about, relation)) for relation in told.relations]
    if row.chance("table", 15):
        title = f"List of things in {told.about.kind.category}"
        return [*([["[TABLECONTEXT]", name.upper(), value] for _, name, value in triples]), ["[TABLECONTEXT]", "[TITLE]", title]]
    return [[subject, relation.upper(), value] for subject, relation, value in triples]


_DART_SOURCES = ("WikiTableQuestions_mturk", "WikiSQL_decl_sents", "WikiSQL_lily", "webnlg", "e2e")


def dart(row: Row) -> Record:
    """GEM's form: one row a text."""
    entry = row.group(2) if row.split == "train" else row
    told = _told(entry)
    texts = _texts(entry, told, 2)
    return {
        **_gem(row, "dart", texts, row.place(2)),
        "dart_id": entry.number + 1,
        "tripleset": _dart_triples(entry, told),
        "subtree_was_extended": entry.chance("extended", 20),
        "target_sources": [entry.one("source", _DART_SOURCES)] * (1 if row.split == "train" else 2),
    }


def dart_release(row: Row) -> Record:
    """The authors' form: all texts of a tripleset in one row."""
    told = _told(row)
    count = row.between("texts", 1, 3)
    return {
        "tripleset": _dart_triples(row, told),
        "subtree_was_extended": row.chance("extended", 20),
        "annotations": {"source": [row.one("source", _DART_SOURCES)] * count, "text": _texts(row, told, count)},
    }


def _gem(row: Row, name: str, texts: list[str], place: int) -> Record:
    """In train each text is a row and there are no references; elsewhere the first text is the target."""
    identifier = f"{name}-{row.split}-{row.number + 1}"
    train = row.split == "train"
    return {
        "gem_id": identifier,
        "gem_parent_id": identifier,
        "target": texts[place] if train else texts[0],
        "references": [] if train else texts,
    }


_GEM: dict[str, Feature] = {"gem_id": "string", "gem_parent_id": "string"}
_GEM_END: dict[str, Feature] = {"target": "string", "references": _STRINGS}

_WEB_NLG = Dataset(
    "web_nlg",
    {**_GEM, "input": _STRINGS, **_GEM_END, "category": "string", "webnlg_id": "string"},
    {"train": 35426, "validation": 1667, "test": 1779},
    web_nlg,
)
_DART = Dataset(
    "dart",
    {
        **_GEM,
        "dart_id": "int32",
        "tripleset": Items(_STRINGS),
        "subtree_was_extended": "bool",
        "target_sources": _STRINGS,
        **_GEM_END,
    },
    {"train": 62659, "validation": 2768, "test": 5097},
    dart,
)

DATASETS = {
    ("GEM/gem", "web_nlg_en"): _WEB_NLG,
    ("GEM/web_nlg", "en"): _WEB_NLG,
    ("webnlg-challenge/web_nlg", "release_v2"): Dataset(
        "web_nlg_release",
        {
            "category": "string",
            "size": "int32",
            "eid": "string",
            "original_triple_sets": {"otriple_set": Items(_STRINGS)},
            "modified_triple_sets": {"mtriple_set": Items(_STRINGS)},
            "shape": "string",
            "shape_type": "string",
            "lex": {"comment": _STRINGS, "lid": _STRINGS, "text": _STRINGS, "lang": _STRINGS},
            "test_category": "string",
            "dbpedia_links": _STRINGS,
            "links": _STRINGS,
        },
        {"train": 12876, "dev": 1619, "test": 1600},
        web_nlg_release,
    ),
    ("GEM/gem", "dart"): _DART,
    ("GEM/dart", "default"): _DART,
    ("Yale-LILY/dart", "default"): Dataset(
        "dart_release",
        {
            "tripleset": Items(_STRINGS),
            "subtree_was_extended": "bool",
            "annotations": {"source": _STRINGS, "text": _STRINGS},
        },
        {"train": 30526, "validation": 2768, "test": 5097},
        dart_release,
    ),
}
