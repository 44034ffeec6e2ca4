"""The 64-bit keys of a row by which leaks are found: of its place upstream, its whole input, each long field.

Texts are taken in lower case and without white space. The hash is xxh3, whose values are published and fixed.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from flanbuild.artifacts.arrow import FINGERPRINT_SCHEMA
from flanbuild.declare.task import ANSWER, OPTIONS, Task, placeholders
from flanbuild.keys import row_keys, task_key
from flanbuild.render.preprocessors import SOURCE_ROW

BLANKS = b" \n\t\r"
LONG = 40
"""Bytes from which an input field on its own, such as a premise or a passage, is looked for too."""

Keys = NDArray[np.uint64]


def row_fingerprints(task: Task, of: Sequence[str], frame: pl.DataFrame) -> pa.Table:
    """A row of keys for each row: of its place upstream, of all its input fields, of each long one."""
    names = sorted(
        {name for i in task.forward for name in placeholders(task.templates[i].inputs)} - {OPTIONS, ANSWER}
    )
    hashed, long = [], []
    whole = np.zeros(frame.height, np.uint64)
    for name in names:
        texts = _normal(frame[name])
        key = np.fromiter(map(xxhash.xxh3_64_intdigest, texts), np.uint64, len(texts))
        hashed.append(key)
        long.append(np.fromiter(map(len, texts), np.int64, len(texts)) >= LONG)
        whole = row_keys(0, whole ^ key)
    origin = task_key(0, "id", "\0".join((task.source.repo, task.source.config, *of)))
    identity = row_keys(origin, frame[SOURCE_ROW].to_numpy())
    return pa.table(
        [pa.array(identity), pa.array(whole), _lists(hashed, long, frame.height)], schema=FINGERPRINT_SCHEMA
    )


def _normal(texts: pl.Series) -> list[bytes]:
    """`translate` drops bytes in half the time that polars needs to replace each blank by nothing."""
    return [text.translate(None, BLANKS) for text in texts.str.to_lowercase().cast(pl.Binary).to_list()]


def _lists(keys: Sequence[Keys], which: Sequence[NDArray[np.bool_]], rows: int) -> pa.ListArray:
    """For each row the keys that `which` picks."""
    if not keys:
        return pa.array([[]] * rows, FINGERPRINT_SCHEMA.field("field").type)
    picked = np.stack(which, axis=1)
    offsets = np.concatenate([[0], np.cumsum(picked.sum(axis=1))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(np.stack(keys, axis=1)[picked]))
