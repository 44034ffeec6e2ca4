"""Coreference: DPR, Winogrande, WSC273 and SuperGLUE's WSC; WNLI, which turns coreference into inference."""

from dataclasses import dataclass

from flanbuild.sample import winograd
from flanbuild.sample.dataset import SampleDataset, SampleRecord
from flanbuild.sample.people import someone
from flanbuild.sample.rows import SampleRow
from flanbuild.sample.world import DAYS, FEMALE, MALE, MONTHS


@dataclass(frozen=True, slots=True)
class Puzzle:
    """A sentence with a pronoun, split around it; `answer` is the index of the candidate that the pronoun means."""

    before: str
    pronoun: str
    after: str
    candidates: tuple[str, str]
    answer: int

    @property
    def text(self) -> str:
        """The whole sentence."""
        return self.before + self.pronoun + self.after


def puzzle(row: SampleRow) -> Puzzle:
    """One of the two versions of a schema, about things or about two people with the same pronoun."""
    answer = row.below("answer", 2)
    if row.chance("people", 55):
        pattern, *ways = row.one("schema", winograd.OF_PEOPLE)
        first = someone(row, "first")
        second = row.other("second", FEMALE if first.woman else MALE, first.name)
        candidates, pronoun = (first.name, second), "she" if first.woman else "he"
    else:
        pattern, *ways, pairs = row.one("schema", winograd.OF_THINGS)
        candidates, pronoun = row.one("pair", pairs), "it"
    when = row.one("when", _WHEN)
    a = candidates[0] if when else candidates[0][0].upper() + candidates[0][1:]
    text = (when + pattern).format(
        A=a, a=candidates[0], b=candidates[1], x="\0", w=row.one("way", ways[answer])
    )
    before, after = (text[0].upper() + text[1:]).split("\0")
    return Puzzle(before, pronoun, after, candidates, answer)


_WHEN = (
    "", "", "", "Yesterday ", "Last week ", "Once ", "In the end ", "That day ", "This time ", "After lunch ",
    *(f"On {day} " for day in DAYS), *(f"In {month} " for month in MONTHS),
)  # fmt: skip


def dpr(row: SampleRow) -> SampleRecord:
    """The candidates are in random order."""
    chosen = puzzle(row)
    candidates = row.shuffled("candidates", chosen.candidates)
    return {
        "sentence": chosen.text,
        "pronoun": chosen.pronoun,
        "candidates": candidates,
        "label": candidates.index(chosen.candidates[chosen.answer]),
    }


def winogrande(row: SampleRow) -> SampleRecord:
    """A blank replaces the pronoun; an option for a thing is the noun without article."""
    chosen = puzzle(row)
    thing = chosen.pronoun == "it"
    options = [name.removeprefix("the ") for name in row.shuffled("options", chosen.candidates)]
    right = chosen.candidates[chosen.answer].removeprefix("the ")
    return {
        "sentence": f"{chosen.before}{'the _' if thing else '_'}{chosen.after}",
        "option1": options[0],
        "option2": options[1],
        "answer": "" if row.split == "test" else str(options.index(right) + 1),
    }


def wsc273(row: SampleRow) -> SampleRecord:
    """Positions are in characters; the quote is the pronoun and the rest of the sentence."""
    chosen = puzzle(row)
    start = len(chosen.before)
    options = row.shuffled("options", chosen.candidates)
    return {
        "text": chosen.text,
        "pronoun": chosen.pronoun,
        "pronoun_loc": start,
        "quote": f"{chosen.pronoun}{chosen.after}".rstrip("."),
        "quote_loc": start,
        "options": options,
        "label": options.index(chosen.candidates[chosen.answer]),
        "source": "sample world",
    }


def wsc(row: SampleRow) -> SampleRecord:
    """Spans are indices of words; the label is true if the pronoun, span 2, means span 1."""
    chosen = puzzle(row)
    label = row.below("label", 2)
    candidate = chosen.candidates[chosen.answer if label else 1 - chosen.answer]
    start = chosen.text.lower().index(candidate.lower())
    return {
        "text": chosen.text,
        "span1_index": len(chosen.text[:start].split()),
        "span2_index": len(chosen.before.split()),
        "span1_text": chosen.text[start : start + len(candidate)],
        "span2_text": chosen.pronoun,
        "idx": row.number,
        "label": label,
    }


def wnli(row: SampleRow) -> SampleRecord:
    """In the second sentence a candidate replaces the pronoun."""
    chosen = puzzle(row)
    label = row.below("label", 2)
    candidate = chosen.candidates[chosen.answer if label else 1 - chosen.answer]
    claimed = f"{candidate}{chosen.after}"
    return {
        "sentence1": chosen.text,
        "sentence2": claimed[0].upper() + claimed[1:],
        "label": label,
        "idx": row.number,
    }


_WINOGRANDE_TRAIN = {"xs": 160, "s": 640, "m": 2558, "l": 10234, "xl": 40398, "debiased": 9248}
_DAVIS = {"wsc273": 273, "wsc285": 285}

DATASETS = {
    ("community-datasets/definite_pronoun_resolution", "plain_text"): SampleDataset(
        "dpr", {"train": 1322, "test": 564}, dpr
    ),
    **{
        ("allenai/winogrande", f"winogrande_{size}"): SampleDataset(
            "winogrande", {"train": rows, "test": 1767, "validation": 1267}, winogrande
        )
        for size, rows in _WINOGRANDE_TRAIN.items()
    },
    **{
        (repo, config): SampleDataset("wsc273", {"test": rows}, wsc273)
        for repo in ("ErnestSDavis/winograd_wsc", "lighteval/winograd_wsc")
        for config, rows in _DAVIS.items()
    },
    **{
        ("aps/super_glue", config): SampleDataset(
            "wsc", {"train": 554, "validation": 104, "test": 146}, wsc, hidden={"test": {"label": -1}}
        )
        for config in ("wsc", "wsc.fixed")
    },
}
