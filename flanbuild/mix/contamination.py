"""Whether rows that are trained on stand in what is held out: by id, by their whole input, by a long field.

Rendering keeps 64-bit keys of each row beside its prompts (marks.py); mixing compares those of train rows with those
of every held-out evaluation file.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from flanbuild.artifacts.arrow import read_table
from flanbuild.declare.mixture import HeldOut
from flanbuild.render.fingerprints import fingerprint_file

EXAMPLES = 3
KINDS = ("id", "input", "field")
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
    return read_table(rendered / record["cluster"] / record["task"] / fingerprint_file(split))
