"""What a sample dataset is: columns, splits, and the function that writes a row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from flanbuild.sample.features import Feature, schema
from flanbuild.sample.rows import Row, rows

Record = dict[str, Any]

_RUN = 4096  # rows whose choices are drawn together: a few MB


@dataclass(frozen=True, slots=True)
class Dataset:
    """One config of a hub repository.

    `splits` gives the rows of each split upstream, which we never exceed. `hidden` says what upstream
    withholds in a split (`{"test": {"label": -1}}`). `order` is the column by which upstream's files are
    sorted, if any. Datasets of one `name` draw the same rows: the same data under two repositories, or a part and its whole.
    """

    name: str
    features: Mapping[str, Feature]
    splits: Mapping[str, int]
    make: Callable[[Row], Record]
    hidden: Mapping[str, Record] = field(default_factory=dict)
    order: str | None = None

    def table(self, split: str, count: int) -> pa.Table:
        """The first `count` rows of a split."""
        hidden = self.hidden.get(split, {})
        layout = schema(self.features)
        parts = []
        for start in range(0, count, _RUN):
            run = rows(self.name, split, start, min(start + _RUN, count))
            records = [self.make(row) | hidden for row in run]
            columns = [pa.array([r[column.name] for r in records], column.type) for column in layout]
            parts.append(pa.Table.from_arrays(columns, schema=layout))
        table = pa.concat_tables(parts).combine_chunks() if parts else layout.empty_table()
        return table if self.order is None else _sorted(table, self.order)


def _sorted(table: pa.Table, column: str) -> pa.Table:
    # By (value, place), since Arrow does not promise a stable sort.
    places = pa.array(range(table.num_rows), pa.int64())
    keys = pa.table({"value": table[column], "place": places})
    order = [("value", "ascending"), ("place", "ascending")]
    return table.take(pc.sort_indices(keys, sort_keys=order))
