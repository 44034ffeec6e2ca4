"""Whether rows that are trained on stand in what is held out: by id, by their whole input, by a long field.

Rendering keeps 64-bit keys of each row beside its prompts (`row_marks`); mixing compares those of train rows with
those of every held-out evaluation file (`find`). Texts are compared in lower case and without white space.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from flanbuild import shards
from flanbuild.keys import row_keys, task_key
from flanbuild.mixtures import HeldOut
from flanbuild.preprocessors import SOURCE_ROW
from flanbuild.tasks import ANSWER, OPTIONS, Task, placeholders

LONG = 40
"""Characters from which an input field on its own, such as a premise or a passage, is looked for too."""
EXAMPLES = 3
MARKED = ("train", "test")
KINDS = ("id", "input", "field")
MARKS = pa.schema([("id", pa.uint64()), ("input", pa.uint64()), ("field", pa.list_(pa.uint64()))])

Keys = NDArray[np.uint64]


@dataclass(frozen=True)
class Leak:
    """Train rows of `task` that stand in the evaluation file of `held_out`; the first few as (train, test) rows."""

    task: str
    held_out: str
    kind: str
    rows: int
    examples: tuple[tuple[int, int], ...]

    def document(self) -> dict[str, Any]:
        """As the manifest has it."""
        return {**vars(self), "examples": [list(pair) for pair in self.examples]}


@dataclass(frozen=True)
class Leaks:
    """What was found, and by task the places of train rows that `drop` takes out: those of kind id and input."""

    found: tuple[Leak, ...]
    places: Mapping[str, NDArray[np.int64]]

    def dropped(self) -> dict[str, int]:
        """How many rows each task loses."""
        return {name: len(places) for name, places in self.places.items()}


def file_name(split: str) -> str:
    """Beside the split's rendered rows."""
    return f"{split}.marks.arrow"


def row_marks(task: Task, of: Sequence[str], frame: pl.DataFrame) -> pa.Table:
    """A row of keys for each row: of its place upstream, of all its input fields, of each long one."""
    names = sorted(
        {name for i in task.forward for name in placeholders(task.templates[i].inputs)} - {OPTIONS, ANSWER}
    )
    texts = frame.select(_normal(name) for name in names)
    hashed = [_hashes(texts[name]) for name in names]
    whole = np.zeros(frame.height, np.uint64)
    for key in hashed:
        whole = row_keys(0, whole ^ key)
    long = [(texts[name].str.len_chars() >= LONG).to_numpy() for name in names]
    origin = task_key(0, "id", "\0".join((task.source.repo, task.source.config, *of)))
    identity = row_keys(origin, frame[SOURCE_ROW].to_numpy())
    return pa.table([pa.array(identity), pa.array(whole), _lists(hashed, long, frame.height)], schema=MARKS)


def find(rendered: Path, records: Mapping[str, Mapping[str, Any]], held: Mapping[str, HeldOut]) -> Leaks:
    """Compares the train rows of all tasks that stay with every held-out evaluation file."""
    out = sorted({name for held_out in held.values() for name in held_out.tasks})
    tested = {name: marks for name in out if (marks := _read(rendered, records[name], "test")) is not None}
    found: list[Leak] = []
    places: dict[str, NDArray[np.int64]] = {}
    for name in sorted(records.keys() - set(out)):
        marks = _read(rendered, records[name], "train")
        if marks is None or not tested:
            continue
        leaks = [leak for other in tested for leak in _between(name, marks, other, tested[other])]
        found += [leak for leak, _ in leaks]
        dropped = [hits for leak, hits in leaks if leak.kind != "field"]
        if dropped:
            places[name] = np.unique(np.concatenate(dropped))
    return Leaks(tuple(found), places)


def _between(
    name: str, train: pa.Table, other: str, test: pa.Table
) -> Iterator[tuple[Leak, NDArray[np.int64]]]:
    """A leak for each kind of key that the two share, with the places of the train rows."""
    for kind in KINDS:
        (places, keys), (test_places, test_keys) = _flat(train, kind), _flat(test, kind)
        hits = np.isin(keys, test_keys)
        if not hits.any():
            continue
        rows = np.unique(places[hits])
        order = np.argsort(test_keys, kind="stable")
        first = places[hits][:EXAMPLES], keys[hits][:EXAMPLES]
        matches = test_places[order[np.searchsorted(test_keys[order], first[1])]]
        pairs = tuple((int(a), int(b)) for a, b in zip(first[0], matches, strict=True))
        yield Leak(name, other, kind, len(rows), pairs), rows


def _flat(marks: pa.Table, kind: str) -> tuple[NDArray[np.int64], Keys]:
    """(place of the row, key) of each key of a kind."""
    column = marks.column(kind).combine_chunks()
    if kind != "field":
        return np.arange(len(column)), column.to_numpy()
    return np.repeat(np.arange(len(column)), np.diff(column.offsets.to_numpy())), column.flatten().to_numpy()


def _read(rendered: Path, record: Mapping[str, Any], split: str) -> pa.Table | None:
    if not record["splits"].get(split, {}).get("rows"):
        return None
    return shards.read_table(rendered / record["cluster"] / record["task"] / file_name(split))


def _normal(name: str) -> pl.Expr:
    text = pl.col(name).str.to_lowercase()
    for blank in (" ", "\n", "\t", "\r"):
        text = text.str.replace_all(blank, "", literal=True)
    return text


def _hashes(texts: pl.Series) -> Keys:
    """xxh3, whose values are published and fixed, which those of polars' own hash are not."""
    each = map(xxhash.xxh3_64_intdigest, texts.cast(pl.Binary).to_list())
    return np.fromiter(each, np.uint64, len(texts))


def _lists(keys: Sequence[Keys], which: Sequence[NDArray[np.bool_]], rows: int) -> pa.ListArray:
    """For each row the keys that `which` picks."""
    if not keys:
        return pa.array([[]] * rows, MARKS.field("field").type)
    picked = np.stack(which, axis=1)
    offsets = np.concatenate([[0], np.cumsum(picked.sum(axis=1))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.stack(keys, axis=1)[picked]))
