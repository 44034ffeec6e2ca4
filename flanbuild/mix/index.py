"""Items to look for -> an index of their parts: whole texts, n-grams, and which item has which part.

An item is an evaluation row. Its parts are texts with a role; equal texts are one part. `n` of a part's n-grams shrinks
with its length, and a part below SHORT words is looked for as a whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from flanbuild.mix.lookup import Lookup, groups
from flanbuild.mix.words import Grams, Hashes, Integers, words_of

Role = Literal["passage", "question", "text"]
"""`text`: a text of an item whose roles nobody has declared."""

SHORT = 12
"""Words from which a part is found by its n-grams; a shorter one must stand in the row as a whole."""
MIDDLE = 40
"""Words below which a part that is found by its n-grams must have nearly all its pairs of words in the row too."""
SHORTEST = 4
"""Words of the shortest part that is looked for inside a longer text, and by which longer ones are looked for."""
_LADDER = ((20, 6), (SHORT, 5))
"""(words of a part, n): parts of 5 n words and more have the declared n."""
SCALE = 1 << 12
"""Weights are whole numbers of this unit, so that their sums do not depend on the order."""
PAIRS = 2
"""n of the n-grams that support a short part where the rest of its item is found."""


class PartColumn(NamedTuple):
    """One text of each item."""

    role: Role
    view: int
    """An item is found when all its parts of one view are."""
    texts: pl.Series


@dataclass(frozen=True)
class Items:
    """The evaluation rows of one task, or the rows of one file."""

    name: str
    rows: Integers
    """the place of each item: the row of its split after preprocessing, or the row of the file"""
    splits: NDArray[np.int8]
    """the split of each item, an index of SPLITS"""
    origin: Hashes
    """the key of each item's place upstream; empty where there is none"""
    columns: tuple[PartColumn, ...]


class Postings(NamedTuple):
    """For each of some hashes the parts that have it."""

    lookup: Lookup
    starts: Integers
    """parts of hash i are those from starts[i] to starts[i + 1]"""
    parts: Integers
    times: Integers
    """for each of these parts, how many parts of its group have the hash"""

    def expand(self, keys: Integers) -> tuple[Integers, Integers]:
        """For each of these keys all its parts: (index in `keys`, part)."""
        of, place = groups(self.starts[keys + 1] - self.starts[keys])
        return of, self.parts[self.starts[keys][of] + place]


@dataclass(frozen=True)
class Group:
    """The items of one reference inside an index."""

    items: Items
    parts: Integers
    """of each item and column the part, or -1 for a text without words"""
    first: int
    """the first of its parts; they are consecutive"""
    count: int


@dataclass(frozen=True)
class Index:
    """All items to look for in one pass over training rows."""

    groups: tuple[Group, ...]
    words: Integers
    """of each part, how many words it has"""
    sizes: Integers
    """of each part, the n of its n-grams; 0 for a short one"""
    group_of: Integers
    """of each part, the group it belongs to"""
    whole: Postings
    """of the hash of a part's words"""
    opening: Postings
    """of the first SHORTEST words of short parts the numbers of words of those parts, in place of parts"""
    grams: Mapping[int, Postings]
    """n -> n-grams of longer parts, and the pairs of words of short ones"""
    pairs: tuple[Integers, Integers, Integers]
    """for each short part its pairs of words: bounds, pairs, and their inverse frequency among the group's parts"""
    inner: Integers
    """sorted keys (part * pairs + pair) of the pairs of words that occur in longer parts"""
    owners: tuple[Integers, Integers]
    """for each part, the items that have it: bounds, and indices of items over all groups"""

    @property
    def first_items(self) -> Integers:
        """The index of the first item of each group, and of the end."""
        return np.cumsum([0, *(len(group.items.rows) for group in self.groups)])


def size_for(words: Integers, ngram: int) -> Integers:
    """The n for parts of so many words; 0 where a part is looked for as a whole.

    >>> size_for(np.array([11, 12, 20, 30, 40]), 8).tolist()
    [0, 5, 6, 6, 8]
    """
    sizes = np.zeros(len(words), np.int64)
    for least, n in reversed(_LADDER):
        sizes[words >= least] = min(n, ngram)
    sizes[words >= max(5 * ngram, SHORT)] = ngram
    return sizes


def build_index(references: Sequence[Items], ngram: int) -> Index:
    """The index of all items of `references`."""
    found, words, texts, wholes = [], [], [], []
    first = 0
    for items in references:
        parts, counts, unique, hashes = _distinct_parts(items)
        found.append(Group(items, np.where(parts >= 0, parts + first, -1), first, len(counts)))
        words.append(counts)
        texts.append(unique)
        wholes.append(hashes)
        first += len(counts)
    counts = _joined(words)
    hashes = np.concatenate([np.zeros(0, np.uint64), *wholes])
    sizes = size_for(counts, ngram)
    all_texts = pl.concat([pl.Series([], dtype=pl.String), *texts])
    part = np.arange(len(counts))
    group_of = np.repeat(np.arange(len(found)), [group.count for group in found]).astype(np.int64)
    grams = {
        int(n): _gram_postings(all_texts, np.flatnonzero(sizes == n), int(n), group_of)
        for n in np.unique(sizes[sizes > 0])
    }
    paired = np.flatnonzero(_asked(found, len(counts)) | ((counts < MIDDLE) & (counts >= PAIRS)))
    grams[PAIRS] = _gram_postings(all_texts, paired, PAIRS, group_of)
    return Index(
        groups=tuple(found),
        words=counts,
        sizes=sizes,
        group_of=group_of,
        whole=_postings(hashes, part, group_of),
        opening=_openings(all_texts, counts),
        grams=grams,
        pairs=_pairs(grams[PAIRS], group_of),
        inner=_inner(all_texts, np.flatnonzero(sizes > 0), grams[PAIRS].lookup),
        owners=_owners(found, len(counts)),
    )


def _asked(found: Sequence[Group], count: int) -> NDArray[np.bool_]:
    """Which parts are questions of items that have a passage too."""
    asked = np.zeros(count, np.bool_)
    for group in found:
        roles = np.array([column.role for column in group.items.columns])
        if "passage" in roles:
            parts = group.parts[:, roles == "question"]
            asked[parts[parts >= 0]] = True
    return asked


def _distinct_parts(items: Items) -> tuple[Integers, Integers, pl.Series, Hashes]:
    """Of each item and column the part or -1; of each part its number of words, a text and its hash."""
    hashes, counts = [], []
    for column in items.columns:
        chunks = list(words_of(column.texts))
        hashes.append(np.concatenate([np.zeros(0, np.uint64), *(Grams(words).whole() for words in chunks)]))
        counts.append(_joined([words.counts for words in chunks]))
    flat, count = np.concatenate([np.zeros(0, np.uint64), *hashes]), _joined(counts)
    filled = np.flatnonzero(count > 0)
    unique, where, inverse = np.unique(flat[filled], return_index=True, return_inverse=True)
    parts = np.full(len(flat), -1)
    parts[filled] = inverse
    texts = pl.concat([pl.Series([], dtype=pl.String), *(column.texts.alias("") for column in items.columns)])
    shape = (len(items.columns), len(items.rows))
    return parts.reshape(shape).T, count[filled][where], texts.gather(filled[where]), unique


def _openings(texts: pl.Series, counts: Integers) -> Postings:
    """The first words of short parts, with the numbers of words that parts which begin so have."""
    parts = np.flatnonzero((counts >= SHORTEST) & (counts < SHORT))
    hashes = [np.zeros(0, np.uint64)]
    for words in words_of(texts.gather(parts)):
        starts = words.bounds[:-1]
        hashes.append(Grams(words).at(starts, np.full(len(starts), SHORTEST)))
    return _postings(np.concatenate(hashes), counts[parts], np.zeros(SHORT, np.int64))


def _gram_postings(texts: pl.Series, parts: Integers, n: int, group_of: Integers) -> Postings:
    """The n-grams of the texts of these parts."""
    hashes, owners = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
    for words in words_of(texts.gather(parts)):
        starts, found = Grams(words).of(n)
        hashes.append(found)
        owners.append(parts[words.texts()[starts]])
    return _postings(np.concatenate(hashes), np.concatenate(owners), group_of)


def _postings(hashes: Hashes, parts: Integers, group_of: Integers) -> Postings:
    frame = pl.DataFrame({"hash": hashes, "part": parts}).unique()
    frame = frame.with_columns(group=group_of[frame["part"].to_numpy()])
    frame = frame.with_columns(times=pl.len().over("hash", "group").cast(pl.Int64)).sort("hash", "part")
    ordered = frame["hash"].to_numpy()
    starts = np.flatnonzero(np.diff(ordered, prepend=~ordered[:1]))
    lookup = Lookup(ordered[starts])
    return Postings(
        lookup, np.append(starts, len(ordered)), frame["part"].to_numpy(), frame["times"].to_numpy()
    )


def _pairs(postings: Postings, group_of: Integers) -> tuple[Integers, Integers, Integers]:
    """The pairs of words of each part, from the parts of each pair."""
    pair = np.repeat(np.arange(len(postings.lookup.keys)), np.diff(postings.starts))
    counts = np.bincount(group_of, minlength=1)
    weights = np.log1p(counts[group_of[postings.parts]] / postings.times) * SCALE
    order = np.argsort(postings.parts, kind="stable")
    bounds = np.searchsorted(postings.parts[order], np.arange(len(group_of) + 1))
    return bounds, pair[order], weights.round().astype(np.int64)[order]


def _inner(texts: pl.Series, parts: Integers, pairs: Lookup) -> Integers:
    """Which pairs of words of short parts occur in which longer parts."""
    keys = [np.zeros(0, np.int64)]
    for words in words_of(texts.gather(parts)):
        starts, pair = Grams(words).find(PAIRS, pairs)
        keys.append(parts[words.texts()[starts]] * len(pairs.keys) + pair)
    return np.unique(np.concatenate(keys))


def _owners(found: Sequence[Group], count: int) -> tuple[Integers, Integers]:
    parts, items, first = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], 0
    for group in found:
        item, column = np.nonzero(group.parts >= 0)
        parts.append(group.parts[item, column])
        items.append(first + item)
        first += len(group.items.rows)
    pairs = pl.DataFrame({"part": np.concatenate(parts), "item": np.concatenate(items)}).unique()
    pairs = pairs.sort("part", "item")
    return np.searchsorted(pairs["part"].to_numpy(), np.arange(count + 1)), pairs["item"].to_numpy()


def _joined(arrays: Sequence[Integers]) -> Integers:
    return np.concatenate([np.zeros(0, np.int64), *arrays])
