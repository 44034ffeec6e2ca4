"""The one normal form of texts that are compared: case, white space, quotes and punctuation do not count.

    normalize(pl.Series(["“STRASSE” – 2", "'Straße', 2"]))        # twice "strasse" and "2", with blanks around them

A text becomes words, in this order: NFKC; lower case; the letters that only Unicode's case folding adds (ß and ẞ become
ss, ς becomes σ, and the Greek letters with iota); apostrophes and quotation marks are removed ("don't" is
"dont", and so is "do n't" of tokenized corpora); every other character that is no letter, mark or number separates
words. Letters of Chinese, Japanese, Thai, Lao, Khmer and Burmese, which are written without blanks, are words of their
own. Accents stay.
"""

import polars as pl

VERSION = 1
"""The number of the rules above; the manifest records it, and other rules have another number."""

_FOLDED = {
    letter: letter.casefold()
    for letter in map(chr, [0xDF, 0x3C2, *range(0x1C80, 0x1C89), *range(0x1F80, 0x1FFD)])
    if letter.casefold() != letter.lower()
}
_QUOTES = r"[\u{2018}-\u{201F}\u{2032}-\u{2037}\u{2039}\u{203A}\u{AB}\u{BB}\u{2BC}\u{2B9}\u{A8}\u{B4}'\x22`]+"
_SEPARATORS = r"[^\p{L}\p{M}\p{N}' ]+"
_CLITICS = r" (n't|'(?:s|re|ve|ll|d|m))\b"
_UNSPACED = r"([\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}])"


def normalize(texts: pl.Series) -> pl.Series:
    """Words in the normal form, with any ASCII characters but letters and digits between them; null stays null.

    Only texts that are not ASCII go through most regular expressions, so that English costs little. What separates
    words is blanks in those, and left as it is in ASCII texts: compare words, not strings.
    """
    frame = texts.alias("text").to_frame()
    is_wide = pl.col("text").str.len_bytes() != pl.col("text").str.len_chars()
    places = frame.select(pl.arg_where(is_wide)).to_series()
    if len(places):
        wide = frame[places].select(_wide(pl.col("text"))).to_series()
        frame = frame.with_columns(frame["text"].clone().scatter(places, wide))
    normal = pl.col("text").str.to_lowercase().str.replace_all(_CLITICS, "$1")
    for quote in "'`\"":
        normal = normal.str.replace_all(quote, "", literal=True)
    return frame.select(normal).to_series().alias(texts.name)


def _wide(text: pl.Expr) -> pl.Expr:
    text = text.str.replace_all(_QUOTES, "'").str.normalize("NFKC").str.to_lowercase()
    text = text.str.replace_many(list(_FOLDED), list(_FOLDED.values())).str.normalize("NFKC")
    return text.str.replace_all(_UNSPACED, " $1 ").str.replace_all(_SEPARATORS, " ")
