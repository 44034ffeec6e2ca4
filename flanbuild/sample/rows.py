"""The choices of one row: each is a keyed hash of (dataset, split, purpose, row), none the next of a sequence.

>>> row = next(sample_rows("rte", "train", 0, 1))
>>> row.one("colour", ("red", "blue")) == row.one("colour", ("red", "blue"))
True

numpy hashes a whole column when its purpose is first named, so a row costs a list lookup a choice.
"""

from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from flanbuild.keys import row_keys, task_key

T = TypeVar("T")

_MASK = (1 << 64) - 1
_DUPLICATES = 400  # one row in so many repeats an earlier one, as in every real corpus


def sample_rows(name: str, split: str, start: int, stop: int) -> Iterator["SampleRow"]:
    """Rows start..stop-1 of a split; a row's choices depend on its number alone."""
    draws = _Draws(f"{name}/{split}", np.arange(start, stop, dtype=np.int64))
    return (SampleRow(draws, at, start + at, split) for at in range(stop - start))


class SampleRow:
    """One row's number, split and choices."""

    __slots__ = ("_at", "_draws", "_size", "number", "split")

    def __init__(self, draws: "_Draws", at: int, number: int, split: str, size: int = 1) -> None:
        self._draws = draws
        self._at = at
        self._size = size
        self.number = number
        self.split = split

    def group(self, size: int) -> "SampleRow":
        """What `size` rows in succession share: a passage with its questions, a concept set with its sentences."""
        return SampleRow(self._draws, self._at, self.number // size, self.split, size)

    def place(self, size: int) -> int:
        """Which of its group's `size` rows this one is."""
        return self._draws.content(self._at) % size

    def bits(self, purpose: str) -> int:
        """53 keyed bits."""
        return self._draws.column(purpose, self._size)[self._at]

    def below(self, purpose: str, count: int) -> int:
        """A number from 0 to count - 1."""
        return self.bits(purpose) % count

    def between(self, purpose: str, low: int, high: int) -> int:
        """A number from low to high, both included."""
        return low + self.bits(purpose) % (high - low + 1)

    def chance(self, purpose: str, percent: float) -> bool:
        """True for so many rows in a hundred."""
        return self.bits(purpose) % 10_000 < percent * 100

    def one(self, purpose: str, options: Sequence[T]) -> T:
        """One of the options."""
        return options[self.bits(purpose) % len(options)]

    def other(self, purpose: str, options: Sequence[T], than: T) -> T:
        """One of the options that isn't `than`."""
        start = self.bits(purpose)
        for step in range(len(options)):
            option = options[(start + step) % len(options)]
            if option != than:
                return option
        raise AssertionError(f"{purpose}: every option is {than!r}")

    def some(self, purpose: str, options: Sequence[T], count: int) -> list[T]:
        """`count` different places of the options, in keyed order."""
        state = self.bits(purpose)
        chosen: list[int] = []
        while len(chosen) < count:
            state = (state * 6364136223846793005 + 1442695040888963407) & _MASK
            place = (state >> 33) % len(options)
            if place not in chosen:
                chosen.append(place)
        return [options[place] for place in chosen]

    def shuffled(self, purpose: str, items: Sequence[T]) -> list[T]:
        """All items in keyed order."""
        return self.some(purpose, items, len(items))

    def hexadecimal(self, purpose: str, digits: int) -> str:
        """An identifier such as upstream's hashes."""
        bits = self._draws.own(purpose)[self._at]
        return f"{bits * 0x9E3779B97F4A7C15F39CC0605CEDC834 & ((1 << 4 * digits) - 1):0{digits}x}"


class _Draws:
    """Every choice of a run of rows, a column at a time."""

    def __init__(self, name: str, own: NDArray[np.int64]) -> None:
        self._name = name
        self._own = own
        self._contents = _contents(name, own)
        self._columns: dict[tuple[str, int], list[int]] = {}

    def column(self, purpose: str, size: int) -> list[int]:
        column = self._columns.get((purpose, size))
        if column is None:
            rows = self._contents // size if size else self._own
            # The group's size takes the seed's place: group 3 of four rows isn't row 3.
            keys = row_keys(task_key(size, f"sample {purpose}", self._name), rows)
            column = self._columns[purpose, size] = (keys >> np.uint64(11)).tolist()
        return column

    def own(self, purpose: str) -> list[int]:
        """As `column`, but a row and its duplicate differ."""
        return self.column(purpose, 0)

    def content(self, at: int) -> int:
        return int(self._contents[at])


def _contents(name: str, own: NDArray[np.int64]) -> NDArray[np.int64]:
    """The row whose content each row has: itself, but for the few duplicates."""
    keys = row_keys(task_key(0, "sample duplicate", name), own)
    back = 1 + (keys >> np.uint64(40)).astype(np.int64) % 60
    return np.where((keys % np.uint64(_DUPLICATES) == 0) & (back <= own), own - back, own)
