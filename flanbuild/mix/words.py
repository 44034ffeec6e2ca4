"""Texts -> 64-bit hashes of their words and word n-grams, over whole buffers of text.

Hashes depend on the normal form of a text alone (render/normalization.py), so they are the same on every machine.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from flanbuild.keys import splitmix64
from flanbuild.render.normalization import normalize

if TYPE_CHECKING:
    from flanbuild.mix.lookup import Lookup

Hashes = NDArray[np.uint64]
Integers = NDArray[np.int64]

CHUNK_BYTES = 4 << 20
"""Bytes of text that are hashed at once, unless one text has more; memory is about six times as much."""

_LETTER_A, _DIGIT_0 = np.uint8(ord("a")), np.uint8(ord("0"))
_MASKS = np.array([(1 << (8 * n)) - 1 for n in range(9)], np.uint64)
_BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2 ** 64


class Words(NamedTuple):
    """The words of some texts, end to end."""

    first: int
    """index of the first of these texts"""
    hashes: Hashes
    """of each word"""
    bounds: Integers
    """words of text i are those from bounds[i] to bounds[i + 1]; one longer than the texts"""

    @property
    def counts(self) -> Integers:
        """The number of words of each text."""
        return np.diff(self.bounds)

    def texts(self) -> Integers:
        """The index of the text that each word is in."""
        return self.first + np.repeat(np.arange(len(self.bounds) - 1), self.counts)


def words_of(texts: pl.Series) -> Iterator[Words]:
    """The words of texts, in chunks of about CHUNK_BYTES; a null has none."""
    sizes = texts.str.len_bytes().fill_null(0).to_numpy().astype(np.int64)
    if not len(sizes):
        return
    chunk = (np.cumsum(sizes) - sizes) // CHUNK_BYTES
    edges = [*np.flatnonzero(np.diff(chunk, prepend=-1)), len(sizes)]
    for start, end in pairwise(edges):
        yield _words(texts[int(start) : int(end)], int(start))


def _words(texts: pl.Series, first: int) -> Words:
    """Words lie between bytes that are no letter or digit; each text is followed by such a byte."""
    ended = (
        normalize(texts).to_frame("text").select(pl.concat_str(pl.col("text").fill_null(""), pl.lit("\n")))
    )
    array = ended.to_series().rechunk().to_arrow().cast("large_string")
    offsets = np.frombuffer(array.buffers()[1], np.int64)[array.offset : array.offset + len(array) + 1]
    data = np.frombuffer(array.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
    inside = np.zeros(len(data) + 1, np.bool_)
    inside[1:] = (
        (data - _LETTER_A < 26) | (data - _DIGIT_0 < 10) | (data > 127)
    )  # unsigned: below wraps to above
    edges = np.flatnonzero(inside[1:] != inside[:-1])
    starts, ends = edges[0::2], edges[1::2]
    bounds = np.searchsorted(starts, offsets - offsets[0])
    return Words(first, _hashes(data, starts, ends), bounds)


def _hashes(data: NDArray[np.uint8], starts: Integers, ends: Integers) -> Hashes:
    """Of the bytes of each word, eight at a time."""
    padded = np.concatenate([data, np.zeros(8, np.uint8)])
    blocks = np.ndarray(len(data) + 1, "<u8", padded, strides=(1,))  # the eight bytes from each position
    lengths = ends - starts
    hashes = splitmix64((blocks[starts] & _MASKS[np.minimum(lengths, 8)]) ^ lengths.astype(np.uint64))
    done, waiting = 8, np.flatnonzero(lengths > 8)
    while len(waiting):
        rest = _MASKS[np.minimum(lengths[waiting] - done, 8)]
        hashes[waiting] = splitmix64(hashes[waiting] ^ (blocks[starts[waiting] + done] & rest))
        done += 8
        waiting = waiting[lengths[waiting] > done]
    return hashes


class Grams:
    """The n-grams of some words for any n: differences of one running sum of word hashes times powers of a base."""

    def __init__(self, words: Words) -> None:
        self._words = words
        count = len(words.hashes)
        powers, self._inverse = _powers(count)
        self._sums = np.zeros(count + 1, np.uint64)
        np.cumsum(words.hashes * powers, out=self._sums[1:])
        self._room = np.repeat(words.bounds[1:], words.counts) - np.arange(count)

    def find(self, n: int, lookup: "Lookup") -> tuple[Integers, Integers]:
        """Which n-grams within one text `lookup` has: (position of the first word, index of the hash)."""
        count = len(self._words.hashes) - n + 1
        if count <= 0 or not len(lookup.keys):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        hashes = (self._sums[n:] - self._sums[:count]) * self._inverse[:count]
        starts, index = lookup.find(hashes)
        within = self._room[starts] >= n
        return starts[within], index[within]

    def of(self, n: int) -> tuple[Integers, Hashes]:
        """The position of the first word of each n-gram that lies within one text, and its hash."""
        starts = np.flatnonzero(self._room >= n)
        return starts, self.at(starts, np.full(len(starts), n))

    def at(self, starts: Integers, sizes: Integers) -> Hashes:
        """The hash of as many words from each of these positions."""
        hashes: Hashes = (self._sums[starts + sizes] - self._sums[starts]) * self._inverse[starts]
        return hashes

    def fits(self, starts: Integers, sizes: Integers) -> NDArray[np.bool_]:
        """Whether as many words from each of these positions lie within one text."""
        enough: NDArray[np.bool_] = self._room[starts] >= sizes
        return enough

    def whole(self) -> Hashes:
        """The hash of all words of each text: that of its n-gram of as many words as it has."""
        bounds = self._words.bounds
        inverse = np.append(self._inverse, np.uint64(0))[bounds[:-1]]
        hashes: Hashes = (self._sums[bounds[1:]] - self._sums[bounds[:-1]]) * inverse
        return hashes


def _powers(count: int) -> tuple[Hashes, Hashes]:
    """The first powers of the base and of its inverse, modulo 2 ** 64."""
    bases = (np.uint64(_BASE), np.uint64(pow(_BASE, -1, 1 << 64)))
    powers, inverse = (np.cumprod(np.full(max(count, 1), base), dtype=np.uint64) for base in bases)
    return powers[:count], inverse[:count]
