"""The random choices of a generated row: each is a keyed hash of (dataset, split, purpose, row number).

>>> row = next(sample_rows("rte", "train", 0, 1))
>>> row.one("colour", ("red", "blue")) == row.one("colour", ("red", "blue"))
True

A choice does not depend on other choices or rows. numpy hashes a batch of rows when a purpose is first used, so a
choice costs one lookup in a list.
"""

from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from flanbuild.keys import row_keys, task_key

T = TypeVar("T")

_MASK = (1 << 64) - 1
_DUPLICATES = 400  # one row in this number repeats an earlier row, as in every real corpus


def sample_rows(name: str, split: str, start: int, stop: int) -> Iterator["SampleRow"]:
    """The rows from `start` to `stop` - 1 of a split."""
    batch = _Batch(f"{name}/{split}", np.arange(start, stop, dtype=np.int64))
    return (SampleRow(batch, index, start + index, split) for index in range(stop - start))


class SampleRow:
    """The number, split and choices of one row."""

    __slots__ = ("_batch", "_bits", "_index", "number", "split")

    def __init__(self, batch: "_Batch", index: int, number: int, split: str, size: int = 1) -> None:
        self._batch = batch
        self._index = index
        self._bits = batch.bits(size)
        self.number = number
        self.split = split

    def group(self, size: int) -> "SampleRow":
        """A row that `size` successive rows share: a passage with its questions, concepts with their sentences."""
        return SampleRow(self._batch, self._index, self.number // size, self.split, size)

    def position(self, size: int) -> int:
        """The index of this row in its group of `size` rows."""
        return self._batch.content(self._index) % size

    def bits(self, purpose: str) -> int:
        """53 random bits."""
        return self._bits[purpose][self._index]

    def below(self, purpose: str, count: int) -> int:
        """A number from 0 to `count` - 1."""
        return self.bits(purpose) % count

    def between(self, purpose: str, low: int, high: int) -> int:
        """A number from `low` to `high`, both included."""
        return low + self.bits(purpose) % (high - low + 1)

    def chance(self, purpose: str, percent: float) -> bool:
        """True for this percentage of rows."""
        return self.bits(purpose) % 10_000 < percent * 100

    def one(self, purpose: str, options: Sequence[T]) -> T:
        """One of the options."""
        return options[self.bits(purpose) % len(options)]

    def other(self, purpose: str, options: Sequence[T], than: T) -> T:
        """One of the options that are not equal to `than`."""
        start = self.bits(purpose)
        for step in range(len(options)):
            option = options[(start + step) % len(options)]
            if option != than:
                return option
        raise AssertionError(f"{purpose}: every option is {than!r}")

    def some(self, purpose: str, options: Sequence[T], count: int) -> list[T]:
        """`count` options without replacement, in random order."""
        state = self.bits(purpose)
        size = len(options)
        chosen: list[int] = []
        while len(chosen) < count:
            state = (state * 6364136223846793005 + 1442695040888963407) & _MASK
            index = (state >> 33) % size
            if index not in chosen:
                chosen.append(index)
        return [options[index] for index in chosen]

    def shuffled(self, purpose: str, options: Sequence[T]) -> list[T]:
        """All options in random order."""
        return self.some(purpose, options, len(options))

    def hexadecimal(self, purpose: str, digits: int) -> str:
        """An identifier of hexadecimal digits; a duplicate of the row has another one."""
        bits = self._batch.own_bits[purpose][self._index]
        return f"{bits * 0x9E3779B97F4A7C15F39CC0605CEDC834 & ((1 << 4 * digits) - 1):0{digits}x}"


class _Batch:
    """The random bits of successive rows of one split."""

    def __init__(self, name: str, numbers: NDArray[np.int64]) -> None:
        self._name = name
        self._contents = _contents(name, numbers)
        self._by_size: dict[int, _Bits] = {}
        self.own_bits = _Bits(name, numbers, 0)

    def bits(self, size: int) -> "_Bits":
        """The bits of the groups of `size` rows to which the rows belong."""
        bits = self._by_size.get(size)
        if bits is None:
            bits = self._by_size[size] = _Bits(self._name, self._contents // size, size)
        return bits

    def content(self, index: int) -> int:
        """The number of the row whose content the row repeats: its own, unless it is a duplicate."""
        return int(self._contents[index])


class _Bits(dict[str, list[int]]):
    """53 random bits for each row, by purpose. The bits of a purpose are computed on first use."""

    def __init__(self, name: str, numbers: NDArray[np.int64], size: int) -> None:
        super().__init__()
        self._name = name
        self._numbers = numbers
        self._size = size

    def __missing__(self, purpose: str) -> list[int]:
        # The size of the group replaces the seed: group 3 of four rows must differ from row 3.
        keys = row_keys(task_key(self._size, f"sample {purpose}", self._name), self._numbers)
        bits: list[int] = (keys >> np.uint64(11)).tolist()
        self[purpose] = bits
        return bits


def _contents(name: str, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """The number of the row whose content each row has: its own, but an earlier one for a few duplicates."""
    keys = row_keys(task_key(0, "sample duplicate", name), numbers)
    distance = 1 + (keys >> np.uint64(40)).astype(np.int64) % 60
    is_duplicate = (keys % np.uint64(_DUPLICATES) == 0) & (distance <= numbers)
    return np.where(is_duplicate, numbers - distance, numbers)
