"""Which examples share a sequence: best fit, longest first; no example is split or left out.

>>> pack(np.array([3, 5, 2, 5]), 8).tolist()
[[0, 1], [2, 3]]
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PackedIndex:
    """Examples grouped into sequences: `order[starts[i]:starts[i + 1]]` are the examples of sequence i."""

    order: NDArray[np.int64]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, index: int) -> NDArray[np.int64]:
        return self.order[self.starts[index] : self.starts[index + 1]]

    def tolist(self) -> list[list[int]]:
        """As plain lists, for tests and debugging."""
        return [self[i].tolist() for i in range(len(self))]


def one_each(count: int) -> PackedIndex:
    """No packing: every example is a sequence."""
    return PackedIndex(np.arange(count), np.arange(count + 1))


def pack(lengths: NDArray[np.int64], capacity: int) -> PackedIndex:
    """Groups examples so that no group is longer than `capacity`; within a group they keep their order.

    Best-fit decreasing: each example goes into the sequence where it leaves the least room. All examples of one
    length are placed together, which gives the same sequences in a time that grows with lengths, not with rows.
    """
    if len(lengths) and not 0 < lengths.min() <= lengths.max() <= capacity:
        raise ValueError(f"lengths go from {lengths.min()} to {lengths.max()}, allowed are 1 to {capacity}")
    home = np.empty(len(lengths), dtype=np.int64)
    rooms = _Rooms(capacity)
    for length, examples in _by_length(lengths):
        home[examples] = rooms.place(length, len(examples))
    order = np.argsort(home, kind="stable")
    return PackedIndex(order, np.searchsorted(home[order], np.arange(rooms.opened + 1)))


class _Rooms:
    """The open sequences, by how many tokens still fit."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._with_room: list[list[NDArray[np.int64]]] = [[] for _ in range(capacity + 1)]
        self.opened = 0

    def place(self, length: int, count: int) -> NDArray[np.int64]:
        """The sequence of each of `count` examples of one length."""
        placed: list[NDArray[np.int64]] = []
        while count:
            room, sequences = self._fullest(length, count)
            each = room // length
            full, rest = divmod(count, each)
            used, partly = sequences[:full], sequences[full : full + 1] if rest else sequences[:0]
            placed += [np.repeat(used, each), np.repeat(partly, rest)]
            self._keep(room - each * length, used)
            self._keep(room - rest * length, partly)
            self._keep(room, sequences[full + len(partly) :])
            count -= each * len(used) + rest * len(partly)
        return np.concatenate(placed)

    def _fullest(self, length: int, count: int) -> tuple[int, NDArray[np.int64]]:
        """The open sequences with the least room for `length`, or as many new ones as are needed."""
        for room in range(length, self._capacity + 1):
            if self._with_room[room]:
                sequences = np.concatenate(self._with_room[room])
                self._with_room[room] = []
                return room, sequences
        new = -(-count // (self._capacity // length))
        self.opened += new
        return self._capacity, np.arange(self.opened - new, self.opened)

    def _keep(self, room: int, sequences: NDArray[np.int64]) -> None:
        if len(sequences):
            self._with_room[room].append(sequences)


def _by_length(lengths: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """(length, its examples in order), longest first."""
    order = np.argsort(-lengths, kind="stable")
    borders = np.flatnonzero(np.diff(lengths[order])) + 1
    for examples in np.split(order, borders) if len(order) else []:
        yield int(lengths[examples[0]]), examples
