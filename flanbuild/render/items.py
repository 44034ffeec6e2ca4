"""Which rows are the same item: a 64-bit key for each upstream row, of all its text columns.

Two rows with equal texts, apart from case, white space, quotation marks and punctuation, are one item, whatever their
labels and numbers. Only equality of keys counts, and keys are not stored, so polars' own hash is good enough here.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from flanbuild.artifacts.textnorm import normalised
from flanbuild.declare.task import Task
from flanbuild.render.preprocessors import SOURCE_ROW

ItemKeys = NDArray[np.uint64]
_BETWEEN = "\x1f"
"""Separates the texts of a list or a struct; occurs in no text."""


def item_keys(task: Task, raw: pl.LazyFrame) -> ItemKeys:
    """A key for each row, in order. In a task without text columns each row is an item of its own."""
    texts = list(_texts(task))
    hashed = [normalised(text).hash().alias(str(number)) for number, text in enumerate(texts)]
    rows = raw.with_row_index(SOURCE_ROW).select(SOURCE_ROW, *hashed).collect(engine="streaming")
    keys = rows.sort(SOURCE_ROW).select(pl.struct(pl.exclude(SOURCE_ROW) if texts else SOURCE_ROW).hash())
    return np.asarray(keys.to_series().to_numpy(), np.uint64)


def _texts(task: Task) -> Iterator[pl.Expr]:
    """The text of each column that has some."""
    for name, kind in task.columns.items():
        if (text := _text(kind, pl.col(name))) is not None:
            yield text.fill_null("")


def _text(kind: Any, value: pl.Expr) -> pl.Expr | None:
    """All texts in a value of a declared type as one string, or None if the type has no text."""
    if kind == "string":
        return value
    if isinstance(kind, list):
        inner = _text(kind[0], pl.element())
        return None if inner is None else value.list.eval(inner.fill_null("")).list.join(_BETWEEN)
    if isinstance(kind, dict):
        members = (_text(inner, value.struct.field(name)) for name, inner in kind.items())
        parts = [part.fill_null("") for part in members if part is not None]
        return pl.concat_str(parts, separator=_BETWEEN) if parts else None
    return None
