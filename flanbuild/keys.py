"""Keyed order: every choice among rows is a hash of names, so no choice depends on another.

>>> import numpy as np
>>> np.argsort(row_keys(task_key(0, "order", "rte"), np.arange(4)))
array([0, 1, 3, 2])

A task key is blake2b of (seed, purpose, task); a row's key is splitmix64 of the task key, the row and the
repeat. Both are plain integer arithmetic, the same on every machine and in every version, which polars',
DuckDB's and Python's own hashes are not.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def task_key(seed: int, purpose: str, name: str) -> int:
    """64 bits for one purpose ("order", "carve", "place") of one task under one seed."""
    return int.from_bytes(
        hashlib.blake2b(f"{seed}\0{purpose}\0{name}".encode(), digest_size=8).digest(), "little"
    )


def row_keys(
    key: int, rows: NDArray[np.integer], repeat: NDArray[np.integer] | int = 0
) -> NDArray[np.uint64]:
    """A 64-bit key for each (row, repeat); `rows` and `repeat` broadcast."""
    with np.errstate(over="ignore"):
        first = _splitmix64(np.asarray(rows).astype(np.uint64) * _GOLDEN + np.uint64(key))
        return _splitmix64(first ^ np.asarray(repeat).astype(np.uint64))


def keyed_order(key: int, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """`rows` in the order of their keys. Of two rows, the order stays whatever other rows there are."""
    return rows[np.argsort(row_keys(key, rows), kind="stable")]


def _splitmix64(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    # Steele, Lea, Flood 2014; the finaliser of Java's SplittableRandom.
    x = x + _GOLDEN
    x = (x ^ (x >> np.uint64(30))) * _MIX_1
    x = (x ^ (x >> np.uint64(27))) * _MIX_2
    return x ^ (x >> np.uint64(31))
