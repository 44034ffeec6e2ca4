"""Keyed order: every choice among rows is a hash of names, so that no choice depends on another one.

>>> import numpy as np
>>> np.argsort(row_keys(task_key(0, "order", "rte"), np.arange(4)))
array([0, 1, 3, 2])

A task's key is blake2b of (seed, purpose, task). A row's key is splitmix64 of the task's key, the row and the repeat.
Both give the same values on every machine and in every version, unlike the hashes of polars, DuckDB and Python.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def task_key(seed: int, purpose: str, name: str) -> int:
    """A 64-bit key for one purpose ("order train", "carve", "place train") of one task under one seed."""
    return int.from_bytes(
        hashlib.blake2b(f"{seed}\0{purpose}\0{name}".encode(), digest_size=8).digest(), "little"
    )


def row_keys(
    key: int, rows: NDArray[np.integer], repeat: NDArray[np.integer] | int = 0
) -> NDArray[np.uint64]:
    """A 64-bit key for each pair of row and repeat, which broadcast against each other."""
    with np.errstate(over="ignore"):
        first = splitmix64(np.asarray(rows).astype(np.uint64) * _GOLDEN + np.uint64(key))
        return splitmix64(first ^ np.asarray(repeat).astype(np.uint64))


def keyed_order(key: int, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """`rows` sorted by their keys. The order of two rows does not depend on the other rows."""
    return rows[np.argsort(row_keys(key, rows), kind="stable")]


def splitmix64(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Mixes each 64-bit number so that every bit of it depends on every bit of the input; arithmetic wraps around."""
    # Steele, Lea, Flood 2014; the finaliser of Java's SplittableRandom.
    x = x + _GOLDEN
    x = (x ^ (x >> np.uint64(30))) * _MIX_1
    x = (x ^ (x >> np.uint64(27))) * _MIX_2
    return x ^ (x >> np.uint64(31))
