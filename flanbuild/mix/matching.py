"""Which training rows carry items of an index: whole parts by hash, longer ones by weighted n-grams.

    matches = find_matches(index, {"text": pl.Series([...])}, threshold=0.3)

A part of SHORT words and more is found in a row where the n-grams that both have come to `threshold` of the part's,
each n-gram weighted by its inverse document frequency. A shorter part is found where all its words stand in the row one
after the other. An item is found where all its parts are, a question where its own words suffice, and a passage where
only a longer part is. Nothing depends on names or order of texts, nor on other items of the index.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from flanbuild.mix.index import MIDDLE, PAIRS, SCALE, SHORT, SHORTEST, Group, Index, Postings
from flanbuild.mix.lookup import groups
from flanbuild.mix.words import Grams, Integers, words_of

VERSION = 1
"""The number of the rules of matching; the manifest records it, and other rules have another number."""

PASSAGE, QUESTION, ITEM = 1, 2, 3
"""Kinds of match; a higher one includes more of the item."""
KINDS: Final = {PASSAGE: "passage", QUESTION: "question", ITEM: "item"}
ROLES: Final = ("passage", "question", "text")

MATCH_SCHEMA: Final = {
    "row": pl.Int64,
    "item": pl.Int64,
    "kind": pl.Int8,
    "exact": pl.Boolean,
    "score": pl.Float64,
}
"""A training row and an item that it carries, both as positions; exact: all parts are whole texts of the row."""

LEAST_WORDS = 6
"""Words of an item that is found inside a longer text; fewer are common phrases."""
LEAST_EQUAL_WORDS = 4
"""Words of an item whose parts are whole texts of the row."""
LEAST_QUESTION_WORDS = 8
"""Words of a question that is found without its passage."""
MOST_WORDS = 0.8
"""Share of the words of an item's passages, or of its questions if it has no passage, that must be found."""
MOST_PAIRS = 0.81
"""Share of the pairs of words of a part below MIDDLE words that must be found: one word in eleven may be another."""
SUPPORT = 0.5
"""Share of the pairs of words of a short part that suffices where the rest of its item is found."""
LEAST_PAIRS = 2
"""Pairs of words of a question that its passage does not have; with fewer, only the whole question is evidence, or all
of its pairs where it is too short to be looked for as a whole."""
SUPPORT_OF_THRESHOLD = 0.75
"""The same for longer parts, as a share of their threshold."""
_COMMON_ROWS, _COMMON_SHARE = 20, 500
"""A short text in more rows than this, or than one in so many, is a common phrase."""
_COMMON_PAIRS = 1 << 12
"""An n-gram that gives more pairs of a row and a part than this is no evidence of either."""
_BLOCK = 1 << 21
"""Pairs that are compared at once; it changes no result."""

Flags = NDArray[np.bool_]


class _Hits(NamedTuple):
    """Rows and what stands in them, as pairs; a pair may come several times."""

    rows: Integers
    keys: Integers


class _Found(NamedTuple):
    """Parts that are found in rows, by sorted key row * parts + part."""

    keys: Integers
    score: NDArray[np.float64]
    equal: Flags
    """the part is a whole text of the row"""
    alone: Flags
    """the part is evidence by itself"""
    common: Flags


def find_matches(
    index: Index, texts: Mapping[str, pl.Series], *, threshold: float
) -> dict[str, pl.DataFrame]:
    """For each reference of the index the matches with rows of MATCH_SCHEMA, sorted.

    `texts` are columns of equal length, one string a row. Of all matches those are kept that are the best of their
    row or the best of their item: all rows and all items that match are there, but not each pair of them.
    """
    rows = max((len(column) for column in texts.values()), default=0)
    equal, short, grams = _scan(index, texts)
    found = _found(index, rows, equal, short, grams, threshold)
    strong = found.keys[found.alone & ~found.common]
    pairs = _row_pairs(index, texts, _distinct(strong // max(len(index.words), 1)))
    found = _without_few_pairs(index, found, pairs)
    anchors = found.alone & ~found.common
    row, part = np.divmod(found.keys[anchors], max(len(index.words), 1))
    parts = [_empty() for _ in index.groups]
    for block_row, block_item in _candidates(index, row, part):
        for number, group in enumerate(index.groups):
            first, end = index.first_items[number : number + 2]
            here = (block_item >= first) & (block_item < end)
            if here.any():
                judged = _judged(index, group, block_row[here], block_item[here] - first, found, pairs)
                parts[number] = _best(pl.concat([parts[number], judged]))
    return {group.items.name: frame for group, frame in zip(index.groups, parts, strict=True)}


def _scan(index: Index, texts: Mapping[str, pl.Series]) -> tuple[_Hits, _Hits, dict[int, _Hits]]:
    """One pass over all texts: parts that equal a text, short parts inside a text, n-grams of longer parts."""
    equal: list[_Hits] = []
    short: list[_Hits] = []
    grams: dict[int, list[_Hits]] = {n: [] for n in index.grams if n != PAIRS}
    for column in texts.values():
        for words in words_of(column):
            of_words, text = Grams(words), words.texts()
            filled = np.flatnonzero(words.counts)
            where, keys = index.whole.lookup.find(of_words.whole()[filled])
            of, parts = index.whole.expand(keys)
            equal.append(_Hits(words.first + filled[where][of], parts))
            starts, parts = _short_parts(index, of_words)
            short.append(_Hits(text[starts], parts))
            for n, hits in grams.items():
                starts, keys = of_words.find(n, index.grams[n].lookup)
                hits.append(_Hits(text[starts], keys))
    return _joined(equal), _joined(short), {n: _joined(hits) for n, hits in grams.items()}


def _short_parts(index: Index, of_words: Grams) -> tuple[Integers, Integers]:
    """The positions of short parts that stand in a text, and the parts; they are looked for by their first words."""
    starts, keys = of_words.find(SHORTEST, index.opening.lookup)
    of, sizes = index.opening.expand(keys)
    starts = starts[of]
    fits = of_words.fits(starts, sizes)
    starts, sizes = starts[fits], sizes[fits]
    where, keys = index.whole.lookup.find(of_words.at(starts, sizes))
    of, parts = index.whole.expand(keys)
    return starts[where][of], parts


def _joined(hits: list[_Hits]) -> _Hits:
    empty = np.zeros(0, np.int64)
    return _Hits(
        np.concatenate([empty, *(hit.rows for hit in hits)]),
        np.concatenate([empty, *(hit.keys for hit in hits)]),
    )


def _found(
    index: Index,
    rows: int,
    equal: _Hits,
    short: _Hits,
    grams: Mapping[int, _Hits],
    threshold: float,
) -> _Found:
    """All parts that are found in rows, whole or by n-grams."""
    count = max(len(index.words), 1)
    frames = [
        pl.DataFrame({"key": hits.rows * count + hits.keys}).select(
            "key", score=pl.lit(1.0), equal=pl.lit(value)
        )
        for hits, value in ((equal, True), (short, False))
    ]
    for n, hits in grams.items():
        frames += list(_scores(index, n, hits, rows, threshold))
    merged = pl.concat(frames).group_by("key").agg(pl.col("score").max(), pl.col("equal").any()).sort("key")
    keys, score, is_equal = (merged[name].to_numpy() for name in ("key", "score", "equal"))
    part = keys % count
    sizes, words = index.sizes[part], index.words[part]
    needed = np.where(sizes > 0, threshold, 1.0)
    times = np.bincount(part, minlength=count)[part]
    common = (
        (words < SHORT)
        & ~(is_equal & (words >= LEAST_WORDS))
        & (times > max(_COMMON_ROWS, rows // _COMMON_SHARE))
    )
    return _Found(keys, score, is_equal, score >= needed, common)


def _without_few_pairs(index: Index, found: _Found, pairs: Integers) -> _Found:
    """Parts of SHORT to MIDDLE words stay only where the row has MOST_PAIRS of their pairs of words.

    A wording that is filled with other names shares most n-grams, but loses two pairs for each name.
    """
    row, part = np.divmod(found.keys, max(len(index.words), 1))
    doubtful = np.flatnonzero((index.words[part] >= SHORT) & (index.words[part] < MIDDLE) & (found.score < 1))
    bounds, grams, _ = index.pairs
    of, place = groups(bounds[part[doubtful] + 1] - bounds[part[doubtful]])
    gram = grams[bounds[part[doubtful]][of] + place]
    keys = max(len(index.grams[PAIRS].lookup.keys), 1)
    there = _position(pairs, row[doubtful][of] * keys + gram) >= 0
    have, wanted = (np.bincount(of, each, minlength=len(doubtful)) for each in (there, np.ones(len(of))))
    stay = np.ones(len(found.keys), np.bool_)
    stay[doubtful[have < MOST_PAIRS * wanted]] = False
    return _Found(
        found.keys[stay], found.score[stay], found.equal[stay], found.alone[stay], found.common[stay]
    )


def _scores(index: Index, n: int, hits: _Hits, rows: int, threshold: float) -> Iterator[pl.DataFrame]:
    """Of parts with n-grams of size n the weighted share found in each row, where it is enough to support an item."""
    if not len(hits.rows):
        return
    postings = index.grams[n]
    count = len(postings.lookup.keys)
    row, gram = np.divmod(_distinct(hits.rows * count + hits.keys), count)
    postings, weights = _weighted(index, postings, np.bincount(gram, minlength=count), rows)
    total = np.bincount(postings.parts, weights, minlength=len(index.words))
    needed = SUPPORT_OF_THRESHOLD * threshold
    sizes = postings.starts[gram + 1] - postings.starts[gram]
    for start, end in _blocks(row, sizes):
        of, place = groups(sizes[start:end])
        posting = postings.starts[gram[start:end]][of] + place
        key = row[start:end][of] * max(len(index.words), 1) + postings.parts[posting]
        sums = (
            pl.DataFrame({"key": key, "weight": weights[posting]}).group_by("key").agg(pl.col("weight").sum())
        )
        part = sums["key"].to_numpy() % max(len(index.words), 1)
        score = sums["weight"].to_numpy() / total[part]
        enough = score >= needed
        yield pl.DataFrame({"key": sums["key"].to_numpy()[enough], "score": score[enough]}).with_columns(
            equal=pl.lit(False)
        )


def _weighted(
    index: Index, postings: Postings, times: Integers, rows: int
) -> tuple[Postings, NDArray[np.int64]]:
    """Postings of the parts that any row shares an n-gram with, and the inverse document frequency of each.

    N-grams that are too common are left out. The frequency counts the training rows of this task and the parts of one
    reference.
    """
    of_key = np.repeat(times, np.diff(postings.starts))
    touched = np.zeros(len(index.words), np.bool_)
    touched[postings.parts[of_key > 0]] = True
    kept = touched[postings.parts] & (postings.times * of_key <= _COMMON_PAIRS)
    starts = np.concatenate([[0], np.cumsum(kept)])[postings.starts]
    parts, frequency = postings.parts[kept], postings.times[kept]
    sizes = np.array([group.count for group in index.groups], np.int64)[index.group_of[parts]]
    weights = np.log1p((rows + sizes) / (of_key[kept] + frequency)) * SCALE
    return Postings(postings.lookup, starts, parts, frequency), weights.round().astype(np.int64)


def _blocks(row: Integers, sizes: Integers) -> Iterator[tuple[int, int]]:
    """Bounds of consecutive entries that come to about _BLOCK members, without cutting a row in two."""
    begins = np.flatnonzero(np.diff(row, prepend=-1))
    members = np.concatenate([[0], np.cumsum(sizes)])[begins]
    starts = begins[np.flatnonzero(np.diff(members // _BLOCK, prepend=-1))] if len(begins) else begins
    yield from zip(starts.tolist(), [*starts[1:].tolist(), len(row)], strict=False)


def _candidates(index: Index, row: Integers, part: Integers) -> Iterator[tuple[Integers, Integers]]:
    """The pairs of a row and an item one of whose parts is found in it."""
    bounds, items = index.owners
    sizes = bounds[part + 1] - bounds[part]
    for start, end in _blocks(row, sizes):
        of, place = groups(sizes[start:end])
        item = items[bounds[part[start:end]][of] + place]
        pairs = pl.DataFrame({"row": row[start:end][of], "item": item}).unique().sort("row", "item")
        yield pairs["row"].to_numpy(), pairs["item"].to_numpy()


def _row_pairs(index: Index, texts: Mapping[str, pl.Series], rows: Integers) -> Integers:
    """Sorted keys (row * pairs + pair) of the pairs of words of short parts that stand in these rows."""
    lookup = index.grams[PAIRS].lookup
    keys = [np.zeros(0, np.int64)]
    for column in texts.values() if len(lookup.keys) and len(rows) else ():
        for words in words_of(column.gather(rows)):
            starts, pair = Grams(words).find(PAIRS, lookup)
            keys.append(rows[words.texts()[starts]] * len(lookup.keys) + pair)
    return _distinct(np.concatenate(keys))


def _judged(
    index: Index, group: Group, rows: Integers, items: Integers, found: _Found, pairs: Integers
) -> pl.DataFrame:
    """The kind of match of each pair of a row and an item, and its score; pairs that are no match are left out."""
    parts = group.parts[items]
    present = parts >= 0
    words = np.where(present, index.words[parts], 0)
    roles = np.array([column.role for column in group.items.columns])
    asks = (roles == "question") & bool((roles == "passage").any())
    evidence = words > 1  # one word is none, neither for an item nor against it
    place = _position(found.keys, rows[:, None] * max(len(index.words), 1) + parts)
    is_found = evidence & (place >= 0)
    score = np.where(is_found, found.score[place], 0.0)
    alone = is_found & found.alone[place]
    exact = is_found & found.equal[place]
    rare = alone & ~found.common[place]
    passages = np.flatnonzero(roles == "passage")
    for column in range(parts.shape[1]):
        whole = is_found[:, column] & (found.score[place[:, column]] == 1)
        doubtful = ~is_found[:, column] & (words[:, column] < MIDDLE) | bool(asks[column])
        weak = np.flatnonzero(evidence[:, column] & ~whole & doubtful & (words[:, column] > 1))
        if len(weak):
            share = _support(index, rows[weak], parts[weak, column], parts[weak][:, passages], pairs)
            score[weak, column] = np.where(share >= SUPPORT, share, 0.0)
    judged = [
        _view(view, group, words * evidence, score, exact, rare)
        for view in sorted({column.view for column in group.items.columns})
    ]
    kind, mean, equal = (np.stack(arrays) for arrays in zip(*judged, strict=True))
    best = np.argmax(kind + mean / 2, axis=0), np.arange(len(rows))
    kept = kind[best] > 0
    columns = (rows, items, kind[best], equal[best], mean[best].round(6))
    frame = dict(zip(MATCH_SCHEMA, (column[kept] for column in columns), strict=True))
    return pl.DataFrame(frame, schema=MATCH_SCHEMA)


def _view(
    view: int, group: Group, words: Integers, score: NDArray[np.float64], exact: Flags, rare: Flags
) -> tuple[NDArray[np.int8], NDArray[np.float64], Flags]:
    """For each pair the kind of match by the parts of one view, its score, and whether it is exact.

    `words`, `score`, `exact` and `rare` (found by itself, and no common phrase) have a column for each part.
    """
    columns = [(column.view == view, column.role) for column in group.items.columns]
    passages, asked, others = (
        words * np.array([mine and role == name for mine, role in columns]) for name in ROLES
    )
    all_words = passages + asked + others
    have = score > 0
    has_passage = passages.any(1)
    item = _mostly(passages, have) & ~((others > 0) & ~have).any(1) & ((all_words > 0) & rare).any(1)
    item &= np.where(has_passage, ~((asked > 0) & ~have).any(1), _mostly(asked, have))
    all_equal = ~((all_words > 0) & ~exact).any(1)
    size = (all_words * have).sum(1)
    item &= (size >= LEAST_WORDS) | (all_equal & (size >= LEAST_EQUAL_WORDS))
    question = ~item & has_passage & asked.any(1) & ~((asked > 0) & ~rare).any(1)
    question &= asked.sum(1) >= LEAST_QUESTION_WORDS
    long = all_words * ((all_words >= SHORT) & rare)
    kind = np.select([item, question, long.any(1)], [ITEM, QUESTION, PASSAGE], 0).astype(np.int8)
    counted = np.where(item[:, None], all_words, np.where(question[:, None], asked, long))
    mean = (score * counted).sum(1) / np.maximum(counted.sum(1), 1)
    return kind, mean, ~((counted > 0) & ~exact).any(1)


def _mostly(words: Integers, have: Flags) -> Flags:
    """Whether the parts that are found have nearly all words of these; a title may be missing."""
    found: Flags = (words * have).sum(1) >= MOST_WORDS * words.sum(1)
    return found


def _support(
    index: Index, rows: Integers, parts: Integers, passages: Integers, pairs: Integers
) -> NDArray[np.float64]:
    """The share of the pairs of words of a part that a row has, without those of the item's passages.

    What the passage says too is no evidence that a row has the question. `passages` has a row for each of `parts`.
    """
    bounds, grams, weights = index.pairs
    of, place = groups(bounds[parts + 1] - bounds[parts])
    posting = bounds[parts][of] + place
    gram, weight = grams[posting], weights[posting]
    keys = max(len(index.grams[PAIRS].lookup.keys), 1)
    own = np.ones(len(gram), np.bool_)
    for passage in passages.T:
        own &= (passage[of] < 0) | (_position(index.inner, passage[of] * keys + gram) < 0)
    there = _position(pairs, rows[of] * keys + gram) >= 0
    count = np.bincount(of, own, minlength=len(rows))
    all_of = np.bincount(of, weight * own, minlength=len(rows))
    have = np.bincount(of, weight * (own & there), minlength=len(rows))
    share = np.where(count > 0, have / np.maximum(all_of, 1), 1.0)
    few = (count < LEAST_PAIRS) & (count < bounds[parts + 1] - bounds[parts])
    return np.where(few & ((share < 1) | (index.words[parts] >= SHORTEST)), 0.0, share)


def _distinct(numbers: Integers) -> Integers:
    """The numbers sorted, each once; `np.unique` hashes, which is slower where most are distinct."""
    ordered = np.sort(numbers)
    return ordered[np.diff(ordered, prepend=ordered[:1] - 1) > 0]


def _position(keys: Integers, wanted: Integers) -> Integers:
    """The index of each wanted key among sorted keys, or -1."""
    if not len(keys):
        return np.full(wanted.shape, -1)
    place = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
    return np.where(keys[place] == wanted, place, -1)


def _best(matches: pl.DataFrame) -> pl.DataFrame:
    """The best match of each row and the best of each item, sorted by row and item."""
    strength = ["kind", "exact", "score"]
    by_row = matches.sort(*strength, "item", descending=[True, True, True, False]).unique("row", keep="first")
    by_item = matches.sort(*strength, "row", descending=[True, True, True, False]).unique(
        "item", keep="first"
    )
    return pl.concat([by_row, by_item]).unique().sort("row", "item")


def _empty() -> pl.DataFrame:
    return pl.DataFrame(schema=MATCH_SCHEMA)
