"""Which rows each of our splits has: filter, carve, cap. The order is a keyed hash, so no row depends on another.

Carving and the order of evaluation rows depend on the task's own name and on nothing that a mixture says, so that all
mixtures are evaluated on the same rows and no mixture trains on another's validation rows.
"""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from flanbuild.artifacts import artifact
from flanbuild.artifacts.files import digest_of
from flanbuild.artifacts.records import RawRecord, SplitCounts
from flanbuild.declare.task import SPLITS, SplitName, Task
from flanbuild.keys import keyed_order, row_keys, task_key
from flanbuild.render.examples import DROPPED, ROW, check_ranges, examples, row_errors
from flanbuild.render.items import ItemKeys, item_keys
from flanbuild.render.preprocessors import SOURCE_ROW

RowIndices = NDArray[np.int64]

OWN_SEED = 2021
"""Keys what belongs to a task and not to a mixture: carving, and the order of evaluation rows."""

KEPT_BYTES = 32 << 20
"""Parquet bytes of a split up to which its evaluated fields are kept in memory (three to five times as much)."""


class Examples:
    """`examples` over the upstream rows of a split: all rows, or those at the given indices; and their content keys."""

    def __init__(self, task: Task, raw: pl.LazyFrame, *, keep: bool) -> None:
        """With `keep`, all rows are evaluated once and kept in memory."""
        self._task, self._raw = task, raw
        self._kept = examples(task, raw).collect().lazy() if keep else None

    def __call__(self, rows: pl.Series | None) -> pl.LazyFrame:
        """The examples, those whose index is in `rows` where it is given."""
        if self._kept is None:
            return examples(self._task, self._raw, rows)
        return self._kept if rows is None else self._kept.filter(pl.col(ROW).is_in(rows.implode()))

    @cached_property
    def reasons(self) -> pl.DataFrame:
        """Of each row, in order: its index, that of its source row, and why it is left out."""
        return self(None).select(ROW, SOURCE_ROW, DROPPED).collect(engine="streaming").sort(ROW)

    @cached_property
    def items(self) -> ItemKeys:
        """Of each row, in order: the key of the item that it comes from."""
        keys: ItemKeys = item_keys(self._task, self._raw)[self.reasons[SOURCE_ROW].to_numpy()]
        return keys

    @cached_property
    def contents(self) -> ItemKeys:
        """Of each row, in order: the key of what it holds. It differs among the rows of one source row."""
        source = self.reasons[SOURCE_ROW].to_numpy()
        turn = np.arange(len(source)) - np.searchsorted(source, source)
        return row_keys(0, self.items, turn)


class Selection:
    """The rows of one split that stay, in ascending order, and the counts of those that do not."""

    def __init__(self, rows: RowIndices, counts: SplitCounts) -> None:
        self.rows = rows
        self.counts = counts

    def ordered(self, seed: int, split: str, task: Task, limit: int | None = None) -> "Selection":
        """The same rows in keyed order, cut to `limit`."""
        order = keyed_order(task_key(seed, f"order {split}", task.name), self.rows)
        kept = order[:limit]
        counts = {"rows": len(kept), "capped": len(order) - len(kept)}
        return Selection(kept, self.counts.model_copy(update=counts))


def declaration(task: Task) -> str:
    """The digest of what the task file says of the task; comments and layout do not count."""
    return digest_of(task.model_dump(mode="json", exclude={"path", "flan"}))


def by_upstream(task: Task, names: Iterable[SplitName] = SPLITS) -> dict[tuple[str, ...], list[SplitName]]:
    """Our splits by the upstream splits that they share, in the order train, validation, test.

    A group is there if any of its splits is in `names`.
    """
    groups: dict[tuple[str, ...], list[SplitName]] = {}
    for name in SPLITS:
        if name in task.splits:
            groups.setdefault(task.splits[name].of, []).append(name)
    return {of: group for of, group in groups.items() if set(group) & set(names)}


def open_examples(task: Task, raw: Path, record: RawRecord, of: Iterable[str]) -> Examples:
    """The examples of upstream splits. Small splits are evaluated once and kept; of large ones only what is asked for.

    Raises DamagedError if a raw file is not as the record names it.
    """
    of = tuple(of)
    names = [f"{name}.parquet" for name in of]
    artifact.check_files(raw, record, set(names))
    paths = [raw / name for name in names]
    size = sum(path.stat().st_size for path in paths)
    return Examples(task, scan(raw, of), keep=size <= KEPT_BYTES)


def split_errors(task: Task, raw: Path, of: Iterable[str]) -> AbstractContextManager[None]:
    """Turns errors of polars over these upstream splits into a sentence with the first row that fails."""
    of = tuple(of)
    names = " + ".join(f"'{name}'" for name in of)
    return row_errors(task, names, lambda: scan(raw, of))


def scan(raw: Path, of: Iterable[str]) -> pl.LazyFrame:
    """The raw rows of upstream splits, one after the other. `raw`: the task's raw folder."""
    return pl.concat([pl.scan_parquet(raw / f"{name}.parquet", glob=False) for name in of])


def select(
    task: Task, opened: Examples, of: tuple[str, ...], names: list[SplitName]
) -> dict[SplitName, Selection]:
    """Filters, then carves. The cap comes later (`ordered`), so it is filled with rows that stay.

    FLAN's code cuts first and filters afterwards. Raises SourceError for labels and answers out of their range.
    """
    reasons = opened.reasons
    dropped = dict(sorted(reasons.filter(pl.col(DROPPED).is_not_null())[DROPPED].value_counts().iter_rows()))
    check_ranges(task, " + ".join(f"'{name}'" for name in of), dropped)
    stay = reasons.filter(pl.col(DROPPED).is_null())
    kept = stay[ROW].to_numpy()
    carved = any(task.splits[name].rows for name in names)
    items = opened.items[kept] if carved else kept.astype(np.uint64)
    selected: dict[SplitName, Selection] = {}
    for name, rows in carve(task, kept, stay[SOURCE_ROW].to_numpy(), items, names).items():
        counts = SplitCounts(
            of=of,
            upstream=reasons.height,
            dropped=dropped,
            to_other_splits=len(kept) - len(rows),
            rows=len(rows),
        )
        selected[name] = Selection(rows, counts)
    return selected


def carve(
    task: Task, kept: RowIndices, source: RowIndices, items: ItemKeys, names: list[SplitName]
) -> Mapping[SplitName, RowIndices]:
    """Kept rows by split: those with `rows` take that many in keyed order, at most an even share; one takes the rest.

    `source` and `items` are of the kept rows. Rows that come from one source row (the turns of a dialogue) stay
    together, and so do rows of one item, in the place of the first of them. The key is the dataset's, so that tasks
    which share their rows (MNLI's two) set the same ones aside.
    """
    order = np.argsort(row_keys(task_key(OWN_SEED, "carve", task.dataset), source), kind="stable")
    _, first, item = np.unique(items[order], return_index=True, return_inverse=True)
    order = order[np.argsort(first[item], kind="stable")]
    begins = np.append(np.flatnonzero(np.diff(np.sort(first[item]), prepend=-1)), len(order))
    share = len(kept) // len(names)
    carved: dict[SplitName, RowIndices] = {}
    start = 0
    for name in names:
        if (rows := task.splits[name].rows) is not None:
            end = _whole(begins, start, start + min(rows, share), start + share)
            carved[name] = np.sort(kept[order[start:end]])
            start = end
    rest = np.sort(kept[order[start:]])
    return {name: carved.get(name, rest) for name in names}


def _whole(begins: RowIndices, start: int, end: int, most: int) -> int:
    """`end`, moved so that no item is divided: forward if that stays within `most`, else back."""
    later, earlier = begins[begins >= end], begins[begins <= end]
    if len(later) and later[0] <= most:
        return int(later[0])
    return max(start, int(earlier[-1])) if len(earlier) else start
