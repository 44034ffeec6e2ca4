"""An item is found where its words are, and not where only a passage, a phrase or an answer is."""

import numpy as np
import polars as pl
import pytest

from flanbuild.mix import matching
from flanbuild.mix.index import Items, PartColumn, build_index
from flanbuild.mix.matching import ITEM, KINDS, PASSAGE, QUESTION, find_matches

PASSAGE_TEXT = (
    "The old lighthouse on the northern cape was built in 1871 by the engineer Thomas Wilson after three ships had "
    "been wrecked on the reef within one winter and the council could no longer wait for money from the capital."
)
QUESTION_TEXT = "Which engineer from the capital planned the tower that warns sailors of the reef?"
SENTENCE = "A film of rare warmth and wit that never tries too hard."


def items(name="held", **texts):
    """Items of passages and questions; a key begins with the role."""
    count = len(next(iter(texts.values())))
    columns = tuple(
        PartColumn(key.partition("_")[0], 0, pl.Series(values, dtype=pl.String))
        for key, values in texts.items()
    )
    return Items(name, np.arange(count), np.zeros(count, np.int8), np.zeros(0, np.uint64), columns)


def found(reference, rows, threshold=0.3, ngram=8):
    """(row, item, kind) of all matches of rows, each a list of texts."""
    width = max(map(len, rows))
    texts = {
        f"t{i}": pl.Series([row[i] if i < len(row) else None for row in rows], dtype=pl.String)
        for i in range(width)
    }
    frame = find_matches(build_index([reference], ngram), texts, threshold=threshold)[reference.name]
    return [tuple(row) for row in frame.select("row", "item", "kind").iter_rows()]


READING = items(passage=[PASSAGE_TEXT], question=[QUESTION_TEXT])


@pytest.mark.parametrize(
    "row",
    [
        [PASSAGE_TEXT, QUESTION_TEXT],
        [QUESTION_TEXT.upper(), PASSAGE_TEXT.lower()],
        [f"Read this. {PASSAGE_TEXT}\n\n{QUESTION_TEXT} Answer:"],
        [PASSAGE_TEXT.replace(",", ""), QUESTION_TEXT.replace("?", " !")],
        [PASSAGE_TEXT.replace("winter", "summer").replace("built", "made"), QUESTION_TEXT],
        [PASSAGE_TEXT, QUESTION_TEXT.replace("planned", "designed")],
    ],
    ids=[
        "verbatim",
        "case and order",
        "inside a text",
        "punctuation",
        "words of the passage",
        "a word of the question",
    ],
)
def test_an_item_is_found(row):
    assert found(READING, [row]) == [(0, 0, ITEM)]


def test_a_passage_with_another_question_is_a_passage_only():
    other = "How many years passed before money for repairs was found at last?"

    assert found(READING, [[PASSAGE_TEXT, other]]) == [(0, 0, PASSAGE)]


def test_a_question_without_its_passage_is_a_question():
    assert found(READING, [["Some other story.", QUESTION_TEXT]]) == [(0, 0, QUESTION)]


def test_a_question_whose_words_the_passage_has_is_no_evidence_by_its_words():
    held = items(passage=[PASSAGE_TEXT], question=["Was the lighthouse built in 1871 by Thomas Wilson?"])

    assert found(held, [[PASSAGE_TEXT, "Who waited for money?"]]) == [(0, 0, PASSAGE)]


def test_an_item_without_a_passage_is_found_by_its_words():
    assert found(items(question=[SENTENCE]), [[f"They wrote: {SENTENCE}"]]) == [(0, 0, ITEM)]


@pytest.mark.parametrize("text", ["yes", "New York City", "in the end"])
def test_a_short_answer_or_title_is_no_match(text):
    assert found(items(question=[text]), [[text], [f"He said {text} and left."]]) == []


def test_a_short_text_counts_where_it_is_the_whole_text():
    held = items(question=["John left the room early"])

    assert found(held, [["john left the room EARLY!"], ["Then John left the room early, as always."]]) == [
        (0, 0, ITEM)
    ]


def test_a_phrase_that_many_rows_have_is_no_match():
    held = items(question=["what is the name of it"])
    rows = [[f"Number {i}: what is the name of it, {i}?"] for i in range(40)]

    assert found(held, rows) == []
    assert found(held, rows[:5]) != []


def test_a_wording_with_other_names_is_no_match():
    held = items(question=["In which year did the bakery of Oslo win its first big title after the war?"])

    assert (
        found(held, [["In which year did the museum of Perth win its first big title after the war?"]]) == []
    )


def test_each_row_and_each_item_that_matches_is_there():
    held = items(question=[SENTENCE, SENTENCE, f"{SENTENCE} Truly."])

    pairs = found(held, [[SENTENCE], [SENTENCE], ["Nothing of it at all."]])

    assert {row for row, _, _ in pairs} == {0, 1}
    assert {item for _, item, _ in pairs} >= {0, 2}


def test_matches_do_not_depend_on_what_else_is_looked_for(monkeypatch):
    other = items(
        "other", question=[f"{SENTENCE} Or not.", "Something about lighthouses on a cape in the north."]
    )
    texts = {"t": pl.Series([SENTENCE, PASSAGE_TEXT, f"{PASSAGE_TEXT} {QUESTION_TEXT}"] * 3)}
    alone = find_matches(build_index([READING], 8), texts, threshold=0.3)["held"]

    together = find_matches(build_index([other, READING], 8), texts, threshold=0.3)["held"]
    monkeypatch.setattr(matching, "_BLOCK", 2)
    in_blocks = find_matches(build_index([READING], 8), texts, threshold=0.3)["held"]

    assert alone.equals(together)
    assert alone.equals(in_blocks)


def test_nothing_to_look_for_and_no_row_are_no_matches():
    assert found(items(question=[None, ""]), [[SENTENCE]]) == []
    assert find_matches(build_index([READING], 8), {}, threshold=0.3)["held"].height == 0


def test_kinds_have_names():
    assert KINDS == {PASSAGE: "passage", QUESTION: "question", ITEM: "item"}
