"""Translation: WMT-14, WMT-16 and ParaCrawl; and LM1B, an English corpus for text formatting."""

from flanbuild.sample import lexicon
from flanbuild.sample.dataset import SampleDataset, SampleRecord
from flanbuild.sample.rows import SampleRow

_SIZES = {
    "s": len(lexicon.SUBJECTS["en"]),
    "v": len(lexicon.VERBS["en"]),
    "t": len(lexicon.TIMES["en"]),
    "d": len(lexicon.DOINGS["en"]),
    "p": len(lexicon.PLACES["en"]),
    "n": len(lexicon.OBJECTS["en"]),
    "a": len(lexicon.ADJECTIVES["en"]),
    "k": len(lexicon.SAYINGS["en"]),
}


def sentences(row: SampleRow, languages: tuple[str, ...]) -> dict[str, str]:
    """The same one or two clauses in every language."""
    count = 1 if row.chance("simple", 25) else 2
    clauses = {language: [_clause(row, language, i) for i in range(count)] for language in languages}
    join = row.below("join", 2)
    texts = {language: lexicon.JOINS[language][join].join(parts) for language, parts in clauses.items()}
    return {language: f"{text[0].upper()}{text[1:]}." for language, text in texts.items()}


def _clause(row: SampleRow, language: str, number: int) -> str:
    bits = row.bits(f"places {number}")
    indices = {}
    for slot, size in _SIZES.items():
        bits, indices[slot] = divmod(bits, size)
    frame = row.one(f"frame {number}", (0, 0, 0, 0, 1, 1, 1, 2, 3, 4, 4, 5, 6))
    return lexicon.clause(language, frame, indices, row.between(f"euros {number}", 5, 990))


def pair(row: SampleRow, first: str, second: str) -> SampleRecord:
    """A translated pair; one row in a hundred is a number, a name or has an empty side, as in crawled corpora."""
    languages = (first, second) if first < second else (second, first)
    if row.chance("debris", 1):
        left = row.one("debris", _DEBRIS)
        return {"translation": {languages[0]: left, languages[1]: "" if row.chance("empty", 30) else left}}
    return {"translation": sentences(row, languages)}


_DEBRIS = (
    "{0}",
    "12:30",
    "ISBN 000-0-00-000000-0",
    "—",
    "\"A\" & 'B'",
    "www.example.org\t(en)",
    "№ 7",
    "© 2009",
)


def english(row: SampleRow) -> SampleRecord:
    """English sentences alone, tokenized."""
    text = sentences(row, ("en",))["en"]
    return {"text": text.replace(",", " ,").replace(".", " .")}


def _dataset(source: str, other: str, splits: dict[str, int]) -> SampleDataset:
    languages = tuple(sorted(("en", other)))
    return SampleDataset(
        f"{source}_{other}",
        splits,
        lambda row: pair(row, *languages),
    )


_WMT16 = {
    "cs": {"train": 997240, "validation": 2656, "test": 2999},
    "de": {"train": 4548885, "validation": 2169, "test": 2999},
    "fi": {"train": 2073394, "validation": 1370, "test": 6000},
    "ro": {"train": 610320, "validation": 1999, "test": 1999},
    "ru": {"train": 1516162, "validation": 2818, "test": 2998},
    "tr": {"train": 205756, "validation": 1001, "test": 3000},
}
_PARA_CRAWL = {"da": 2414895, "de": 16264448, "es": 21987267, "fr": 31374161}

DATASETS = {
    ("wmt/wmt14", "fr-en"): _dataset("wmt14", "fr", {"train": 40836715, "validation": 3000, "test": 3003}),
    **{("wmt/wmt16", f"{other}-en"): _dataset("wmt16", other, splits) for other, splits in _WMT16.items()},
    **{
        ("ParaCrawl/para_crawl", f"en{other}"): _dataset("para_crawl", other, {"train": rows})
        for other, rows in _PARA_CRAWL.items()
    },
    ("billion-word-benchmark/lm1b", "plain_text"): SampleDataset(
        "lm1b", {"train": 30301028, "test": 306688}, english
    ),
}
