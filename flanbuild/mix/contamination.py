"""Checks whether training rows also occur in held-out test rows: by id, by their whole input, by a long field.

Rendering writes 64-bit keys of rows beside the prompts (render/fingerprints.py); this compares those of training rows
with those of all test rows of every held-out task, however many of them are evaluated.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from flanbuild.artifacts import artifact
from flanbuild.artifacts.arrow import read_table
from flanbuild.artifacts.records import ContaminationMatch, TaskRecord, fingerprint_file
from flanbuild.declare.mixture import HeldOut

MAX_EXAMPLES = 3
KINDS = ("id", "input", "field")
Keys = NDArray[np.uint64]
Places = NDArray[np.int64]
Keyed = tuple[Places, Keys]
"""Positions of rows, and a key of each."""
_BITMAP_BITS = 22
_LOW = np.uint64((1 << _BITMAP_BITS) - 1)


@dataclass(frozen=True)
class Contamination:
    """What was found, and by task the positions of training rows that `drop` removes: matches by id and input."""

    matches: tuple[ContaminationMatch, ...]
    positions: Mapping[str, Places]

    def dropped(self) -> dict[str, int]:
        """How many rows each task loses."""
        return {name: len(positions) for name, positions in self.positions.items()}


def find(
    folders: Mapping[str, Path], records: Mapping[str, TaskRecord], held: Mapping[str, HeldOut]
) -> Contamination:
    """Compares the training rows of all tasks that stay with the test rows of every held-out task.

    `folders` gives the folder of each task's record. Raises DamagedError if a file is not as its record names it.
    """
    out = sorted({name for group in held.values() for name in group.tasks} & records.keys())
    tested = {name: keys for name in out if (keys := _read(folders[name], records[name], "test")) is not None}
    lookups = {kind: _Lookup({name: _flat(keys, kind) for name, keys in tested.items()}) for kind in KINDS}
    matches: list[ContaminationMatch] = []
    positions: dict[str, Places] = {}
    for name in sorted(records.keys() - set(out)):
        train = _read(folders[name], records[name], "train")
        if train is None or not tested:
            continue
        # Few rows match, so each held-out task is compared with those that match any of them.
        candidates = {kind: lookups[kind].candidates(*_flat(train, kind)) for kind in KINDS}
        found = [
            pair
            for other in tested
            for kind in KINDS
            for pair in _between(name, other, kind, candidates[kind], lookups[kind].keys[other])
        ]
        matches += [match for match, _ in found]
        if dropped := [hits for match, hits in found if match.kind != "field"]:
            positions[name] = np.unique(np.concatenate(dropped))
    return Contamination(tuple(matches), positions)


class _Lookup:
    """The keys of one kind of all held-out tasks, and a bitmap of their low bits that rules out most others."""

    def __init__(self, keys: Mapping[str, Keyed]) -> None:
        self.keys = keys
        self._all = np.unique(np.concatenate([np.empty(0, np.uint64), *(k for _, k in keys.values())]))
        self._bitmap = np.zeros(1 << _BITMAP_BITS, np.bool_)
        self._bitmap[self._all & _LOW] = True

    def candidates(self, positions: Places, keys: Keys) -> Keyed:
        """The positions and keys, in their order, of keys that any held-out task has."""
        near = self._bitmap[keys & _LOW]
        positions, keys = positions[near], keys[near]
        if not len(keys):
            return positions, keys
        nearest = np.searchsorted(self._all, keys).clip(max=len(self._all) - 1)
        exact = self._all[nearest] == keys
        return positions[exact], keys[exact]


def _between(
    name: str, other: str, kind: str, train: Keyed, test: Keyed
) -> Iterator[tuple[ContaminationMatch, Places]]:
    """A match if the two share a key of this kind, with the positions of the training rows."""
    (positions, keys), (test_positions, test_keys) = train, test
    hits = np.isin(keys, test_keys) if len(keys) else np.zeros(0, np.bool_)
    if not hits.any():
        return
    rows = np.unique(positions[hits])
    order = np.argsort(test_keys, kind="stable")
    first_rows, first_keys = positions[hits][:MAX_EXAMPLES], keys[hits][:MAX_EXAMPLES]
    matched = test_positions[order[np.searchsorted(test_keys[order], first_keys)]]
    pairs = tuple((int(a), int(b)) for a, b in zip(first_rows, matched, strict=True))
    yield ContaminationMatch(task=name, held_out=other, kind=kind, rows=len(rows), examples=pairs), rows


def _flat(fingerprints: pa.Table, kind: str) -> Keyed:
    """(position of the row, key) of each key of a kind."""
    column = fingerprints.column(kind).combine_chunks()
    if kind != "field":
        return np.arange(len(column)), column.to_numpy()
    return np.repeat(np.arange(len(column)), np.diff(column.offsets.to_numpy())), column.flatten().to_numpy()


def _read(folder: Path, record: TaskRecord, split: str) -> pa.Table | None:
    name = fingerprint_file(split)
    if name not in record.files():
        return None
    artifact.check_files(folder, record, {name})
    return read_table(folder / name)
