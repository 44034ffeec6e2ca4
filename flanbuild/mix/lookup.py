"""A set of 64-bit hashes that answers for whole arrays which of them it has."""

import numpy as np
from numpy.typing import NDArray

from flanbuild.mix.words import Hashes, Integers

_MIN_BITS, _MAX_BITS = 10, 26


class Lookup:
    """Sorted distinct hashes; a bitmap of their high bits rules out most others before the exact comparison."""

    def __init__(self, keys: Hashes) -> None:
        self.keys = keys
        bits = len(keys).bit_length()
        self._near = np.uint64(64 - min(max(bits + 3, _MIN_BITS), _MAX_BITS))
        self._bitmap = np.zeros(1 << int(64 - self._near), np.bool_)
        self._bitmap[keys >> self._near] = True
        self._bucket = np.uint64(64 - max(bits, 1))
        edges = np.arange(1 << int(64 - self._bucket), dtype=np.uint64) << self._bucket
        self._starts = np.append(np.searchsorted(keys, edges), len(keys))

    def find(self, hashes: Hashes) -> tuple[Integers, Integers]:
        """The positions in `hashes` of those that the set has, in order, and the index of each in `keys`."""
        high = (hashes >> self._near).view(
            np.int64
        )  # signed and clipped, so that numpy neither casts nor checks
        where = np.flatnonzero(self._bitmap.take(high, mode="clip"))
        wanted = hashes[where]
        bucket = wanted >> self._bucket
        index, end = self._starts[bucket], self._starts[bucket + np.uint64(1)]
        found = np.full(len(where), -1)
        waiting = np.flatnonzero(index < end)
        while len(waiting):
            key = self.keys[index[waiting]]
            equal = key == wanted[waiting]
            found[waiting[equal]] = index[waiting[equal]]
            waiting = waiting[key < wanted[waiting]]
            index[waiting] += 1
            waiting = waiting[index[waiting] < end[waiting]]
        kept = found >= 0
        return where[kept], found[kept]


def groups(sizes: NDArray[np.integer]) -> tuple[Integers, Integers]:
    """Of groups of these sizes, end to end: for each member its group, and its place in the group."""
    group = np.repeat(np.arange(len(sizes)), sizes)
    return group, np.arange(len(group)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
