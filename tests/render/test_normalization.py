"""Texts that differ in case, white space, quotes, punctuation or Unicode form have the same words."""

import unicodedata

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flanbuild.render.normalization import normalize


def words(text: str) -> list[str]:
    normal = normalize(pl.Series([text])).str.replace_all(r"[^\p{L}\p{M}\p{N}]+", " ")
    return normal[0].split()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a\u00a0b\tc\n", "a b  c"),
        ("STRASSE", "Straße"),
        ("ΟΔΟΣ", "οδος"),
        ("“Don’t stop…”", '"Don\'t stop..."'),
        ("The children 's toys do n't break .", "The children's toys don't break."),
        ("a well-known man", "A WELL – KNOWN MAN!"),
        ("ﬁne ２", "fine 2"),
        ("日本語", "日 本 語"),
    ],
)
def test_what_does_not_count(one, other):
    assert words(one) == words(other) != []


def test_accents_and_digits_count():
    assert words("resume 1") != words("résumé 1") != words("résumé 2")


def test_a_null_stays_null_and_the_callers_series_is_as_it_was():
    given_texts = pl.Series(["É", None, "b"])

    assert normalize(given_texts).to_list() == ["é", None, "b"]
    assert given_texts.to_list() == ["É", None, "b"]


@given(st.text())
def test_composed_and_decomposed_texts_are_equal(text):
    assert words(unicodedata.normalize("NFD", text)) == words(unicodedata.normalize("NFC", text))


@given(st.text(st.characters(min_codepoint=9, max_codepoint=0x45F, exclude_categories=["Cs"])))
def test_a_character_that_needs_nfkc_changes_no_other_word(text):
    assert words(f"{text} ①") == [*words(text), "1"]
