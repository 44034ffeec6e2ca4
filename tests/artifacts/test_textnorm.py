"""Texts that a reader takes for the same compare as equal; texts that mean something else do not."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flanbuild.artifacts.textnorm import normalised


def form(text: str) -> str:
    return normalised(pl.Series([text]))[0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The Cat  sat\n", "the cat sat"),
        ("a\u00a0b", "a b"),
        ("caf\u00e9", "cafe\u0301"),
        ("STRASSE", "Straße"),
        ("“Yes”, he said…", '"Yes" he said'),
        ("don’t", "don't"),
        ("ＡＢＣ", "abc"),
    ],
)
def test_these_are_the_same_text(one, other):
    assert form(one) == form(other)


@pytest.mark.parametrize(
    ("one", "other"), [("3 - 5", "3 + 5"), ("(2+3)*4", "2+3*4"), ("1.5", "15"), ("ab", "a b"), ("-2", "2")]
)
def test_these_are_not(one, other):
    assert form(one) != form(other)


@given(st.lists(st.one_of(st.none(), st.text(max_size=20)), max_size=10))
def test_a_row_is_the_same_alone_and_among_others_and_as_an_expression(texts):
    series = pl.Series(texts, dtype=pl.String)

    together = normalised(series).to_list()

    assert together == [normalised(pl.Series([text], dtype=pl.String))[0] for text in texts]
    assert together == pl.DataFrame({"t": series}).select(normalised(pl.col("t")))["t"].to_list()


def test_the_texts_themselves_stay_as_they_are():
    texts = pl.Series(["ＡＢＣ", "x"])

    normalised(texts)

    assert texts.to_list() == ["ＡＢＣ", "x"]
