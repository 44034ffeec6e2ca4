"""Coreference: DPR, Winogrande, WSC273 and SuperGLUE's WSC; WNLI asks the same of an inference."""

from dataclasses import dataclass

from flanbuild.sample import winograd
from flanbuild.sample.dataset import SampleDataset, SampleRecord
from flanbuild.sample.people import someone
from flanbuild.sample.rows import SampleRow
from flanbuild.sample.world import DAYS, FEMALE, MALE, MONTHS


@dataclass(frozen=True, slots=True)
class Puzzle:
    """A sentence around its pronoun, the two candidates, and which of them the pronoun means."""

    before: str
    pronoun: str
    after: str
    candidates: tuple[str, str]
    answer: int

    @property
    def text(self) -> str:
        """The sentence."""
        return self.before + self.pronoun + self.after


def puzzle(row: SampleRow) -> Puzzle:
    """Either version of a schema, about things or two people of one gender."""
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
    """The candidates come in either order."""
    found = puzzle(row)
    candidates = row.shuffled("candidates", found.candidates)
    return {
        "sentence": found.text,
        "pronoun": found.pronoun,
        "candidates": candidates,
        "label": candidates.index(found.candidates[found.answer]),
    }


def winogrande(row: SampleRow) -> SampleRecord:
    """A blank in place of the pronoun; of things, the noun alone is the option."""
    found = puzzle(row)
    thing = found.pronoun == "it"
    options = [name.removeprefix("the ") for name in row.shuffled("options", found.candidates)]
    right = found.candidates[found.answer].removeprefix("the ")
    return {
        "sentence": f"{found.before}{'the _' if thing else '_'}{found.after}",
        "option1": options[0],
        "option2": options[1],
        "answer": "" if row.split == "test" else str(options.index(right) + 1),
    }


def wsc273(row: SampleRow) -> SampleRecord:
    """Places are counted in characters; the quote is the pronoun with what follows."""
    found = puzzle(row)
    place = len(found.before)
    options = row.shuffled("options", found.candidates)
    return {
        "text": found.text,
        "pronoun": found.pronoun,
        "pronoun_loc": place,
        "quote": f"{found.pronoun}{found.after}".rstrip("."),
        "quote_loc": place,
        "options": options,
        "label": options.index(found.candidates[found.answer]),
        "source": "sample world",
    }


def wsc(row: SampleRow) -> SampleRecord:
    """Spans are counted in words; the label says whether span 1 is what span 2, the pronoun, means."""
    found = puzzle(row)
    label = row.below("label", 2)
    candidate = found.candidates[found.answer if label else 1 - found.answer]
    start = found.text.lower().index(candidate.lower())
    return {
        "text": found.text,
        "span1_index": len(found.text[:start].split()),
        "span2_index": len(found.before.split()),
        "span1_text": found.text[start : start + len(candidate)],
        "span2_text": found.pronoun,
        "idx": row.number,
        "label": label,
    }


def wnli(row: SampleRow) -> SampleRecord:
    """The second sentence puts a candidate in the pronoun's place."""
    found = puzzle(row)
    label = row.below("label", 2)
    candidate = found.candidates[found.answer if label else 1 - found.answer]
    claimed = f"{candidate}{found.after}"
    return {
        "sentence1": found.text,
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
