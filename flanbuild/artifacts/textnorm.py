"""Texts as they are compared: without what typing, encoding and markup change.

>>> normalised(pl.Series(["“Straße”,\\u00a0it SAID!"])).to_list()
['strasse it said']
"""

from typing import TypeVar

import polars as pl

Texts = TypeVar("Texts", pl.Series, pl.Expr)

_QUOTES = "\"'`‘’‚‛“”„‟«»‹›"
_STOPS = ".,;:!?"
_SPACES = "\t\n\v\f\r\x85\u2028\u2029"  # NFKC has made a blank of each other one
_FOLDED = {**dict.fromkeys(f"{_QUOTES}{_STOPS}{_SPACES}", " "), "ß": "ss", "ς": "σ"}


def normalised(texts: Texts) -> Texts:
    """NFKC, lower case, one blank for each run of white space, quotation marks and sentence punctuation.

    Signs with a meaning of their own stay: `-`, `+`, `(`, `%`. Null stays null.
    """
    if isinstance(texts, pl.Expr):
        return texts.map_batches(normalised, return_dtype=pl.String, is_elementwise=True)
    other = texts.str.len_bytes() != texts.str.len_chars()
    if other.any():  # NFKC is slow, and ASCII needs none
        texts = texts.clone().scatter(other.arg_true(), texts.filter(other).str.normalize("NFKC"))
    folded = texts.str.to_lowercase().str.replace_many(_FOLDED)
    return folded.str.replace_all(" {2,}", " ").str.strip_chars(" ")
