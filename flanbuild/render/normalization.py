"""The one normal form of texts that are compared: case, white space, quotes and punctuation do not count.

    normalize(pl.Series(["“STRASSE” – 2", "'Straße', 2"]))        # twice "strasse" and "2", with blanks around them

A text becomes words, in this order: NFKC; lower case; the letters that only Unicode's case folding adds (ß and ẞ become
ss, ς becomes σ, and the Greek letters with iota); apostrophes and quotation marks are removed ("don't" is
"dont", and so is "do n't" of tokenized corpora); every other character that is no letter, mark or number separates
words. Letters of Chinese, Japanese, Thai, Lao, Khmer and Burmese, which are written without blanks, are words of their
own. Accents stay.
"""

from collections.abc import Callable

import polars as pl

VERSION = 1
"""The number of the rules above; the manifest records it, and other rules have another number."""

_FOLDED = {
    letter: letter.casefold()
    for letter in map(chr, [0xDF, 0x3C2, *range(0x1C80, 0x1C89), *range(0x1F80, 0x1FFD)])
    if letter.casefold() != letter.lower()
}
_MARKS = r"\u{2018}-\u{201F}\u{2032}-\u{2037}\u{2039}\u{203A}\u{AB}\u{BB}\u{2BC}\u{2B9}\u{A8}\u{B4}'\x22`"
_QUOTES = f"[{_MARKS}]+"
_COMPOSED = (
    r"\x00-\x7F\u{A1}-\u{A7}\u{A9}\u{AC}-\u{AE}\u{B0}\u{B1}\u{B6}\u{B7}\u{BF}-\u{12F}\u{141}-\u{148}\u{14A}-\u{17E}"
    r"\u{400}-\u{45F}\u{2010}\u{2012}-\u{2015}\u{20AC}"
)
"""Characters of European texts that are in NFKC alone, in any sequence and in lower case."""
_OTHER = f"[^{_COMPOSED}{_MARKS}]"
_SEPARATORS = r"[^\p{L}\p{M}\p{N}' ]+"
_CLITICS = r" (n't|'(?:s|re|ve|ll|d|m))\b"
_UNSPACED = r"([\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}])"


def normalize(texts: pl.Series) -> pl.Series:
    """Words in the normal form, with any ASCII characters but letters and digits between them; null stays null.

    Most steps change only some texts and are left out for the others, so that English costs little. What separates
    words is blanks in texts that are not ASCII, and left as it is in ASCII texts: compare words, not strings.
    """
    wide = texts.str.len_bytes() != texts.str.len_chars()
    other = texts.str.contains(_OTHER)
    normal = _changed(_changed(texts, wide & ~other, _european), other, _composed).str.to_lowercase()
    quoted = normal.str.contains_any(["'", "`", '"'])
    return _changed(normal, quoted, _without_quotes).alias(texts.name)


def _changed(texts: pl.Series, where: pl.Series, change: Callable[[pl.Expr], pl.Expr]) -> pl.Series:
    """The texts, those changed for which `where` is true."""
    places = where.arg_true()
    if not len(places):
        return texts
    changed = texts.gather(places).alias("text").to_frame().select(change(pl.col("text")))
    return texts.clone().scatter(places, changed.to_series())


def _without_quotes(text: pl.Expr) -> pl.Expr:
    text = text.str.replace_all(_CLITICS, "$1")
    for quote in "'`\"":
        text = text.str.replace_all(quote, "", literal=True)
    return text


def _european(text: pl.Expr) -> pl.Expr:
    text = text.str.replace_all(_QUOTES, "'").str.to_lowercase()
    text = text.str.replace_many(list(_FOLDED), list(_FOLDED.values()))
    return text.str.replace_all(_SEPARATORS, " ")


def _composed(text: pl.Expr) -> pl.Expr:
    text = text.str.replace_all(_QUOTES, "'").str.normalize("NFKC").str.to_lowercase()
    text = text.str.replace_many(list(_FOLDED), list(_FOLDED.values())).str.normalize("NFKC")
    return text.str.replace_all(_UNSPACED, " $1 ").str.replace_all(_SEPARATORS, " ")
