"""Hashes of words and n-grams depend on the words alone, wherever they stand."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from flanbuild.mix import words as module
from flanbuild.mix.lookup import Lookup
from flanbuild.mix.words import Grams, words_of

WORD = st.sampled_from(["a", "cat", "internationalization", "of", "élan", "x" * 40])


def grams(texts: list[str | None], n: int) -> list[list[int]]:
    """Of each text the hashes of its n-grams."""
    found: list[list[int]] = [[] for _ in texts]
    for words in words_of(pl.Series(texts, dtype=pl.String)):
        starts, hashes = Grams(words).of(n)
        for text, value in zip(words.texts()[starts], hashes, strict=True):
            found[text].append(int(value))
    return found


@given(st.lists(st.lists(WORD, max_size=8), min_size=1, max_size=5), st.integers(1, 4))
def test_ngrams_are_equal_exactly_where_their_words_are(texts, n):
    expected = [[tuple(text[i : i + n]) for i in range(len(text) - n + 1)] for text in texts]

    found = grams([" ".join(text) for text in texts], n)

    assert [len(each) for each in found] == [len(each) for each in expected]
    pairs = {
        (gram, value) for a, b in zip(expected, found, strict=True) for gram, value in zip(a, b, strict=True)
    }
    assert len(pairs) == len({gram for gram, _ in pairs}) == len({value for _, value in pairs})


def test_no_ngram_spans_two_texts():
    assert grams(["one two", None, "", "three four"], 3) == [[], [], [], []]


def test_hashes_do_not_depend_on_how_texts_are_cut_into_chunks(monkeypatch):
    texts = [f"the cat number {i} sat on the mat" for i in range(50)]
    whole = grams(texts, 3)
    monkeypatch.setattr(module, "CHUNK_BYTES", 64)

    assert grams(texts, 3) == whole


def test_hashes_are_the_same_for_ever():
    # Kept pairs are found again by them; a change needs a new VERSION of the rules of matching.
    assert grams(["the cat sat"], 2) == [[8830993550162596617, 60488979238203517]]


@given(st.sets(st.integers(0, 2**64 - 1)), st.lists(st.integers(0, 2**64 - 1)))
def test_a_lookup_finds_what_it_has(keys, others):
    import numpy as np

    ordered = np.array(sorted(keys), np.uint64)
    asked = np.array([*others, *keys], np.uint64)

    where, index = Lookup(ordered).find(asked)

    assert where.tolist() == [i for i, value in enumerate(asked.tolist()) if value in keys]
    assert ordered[index].tolist() == asked[where].tolist()
