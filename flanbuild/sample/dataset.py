"""A generated dataset: its splits, and the function that makes one of its rows."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from flanbuild.sample.rows import SampleRow, sample_rows

SampleRecord = dict[str, Any]
"""One generated row: a value for every upstream column."""

_BATCH = 4096  # rows whose choices are hashed together: a few MB


@dataclass(frozen=True, slots=True)
class SampleDataset:
    """One config of a hub repository.

    `splits` maps each upstream split to its upstream number of rows, which is the maximum here too. `hidden` holds
    the values that upstream withholds, by split (`{"test": {"label": -1}}`). `order` is the integer column by which
    upstream sorts its files, if any. Datasets with the same `name` have the same rows: the same data in two
    repositories, or a part and the whole.
    """

    name: str
    splits: Mapping[str, int]
    make: Callable[[SampleRow], SampleRecord]
    hidden: Mapping[str, SampleRecord] = field(default_factory=dict)
    order: str | None = None

    def batches(self, split: str, count: int) -> Iterator[list[SampleRecord]]:
        """The first `count` rows of a split by row number, so not yet sorted by `order`."""
        hidden = self.hidden.get(split, {})
        for start in range(0, count, _BATCH):
            rows = sample_rows(self.name, split, start, min(start + _BATCH, count))
            yield [self.make(row) | hidden for row in rows]

    def records(self, split: str, count: int) -> list[SampleRecord]:
        """The first `count` rows of a split, sorted by `order`, with all columns."""
        records = [record for batch in self.batches(split, count) for record in batch]
        order = self.order
        return records if order is None else sorted(records, key=lambda record: record[order])

    def table(self, split: str, count: int, schema: pa.Schema) -> pa.Table:
        """The rows of `records` with the columns of `schema`, which every record has to contain."""
        tables = [schema.empty_table()]
        keys: list[int] = []
        for records in self.batches(split, count):
            columns = [
                pa.array([record[column.name] for record in records], column.type) for column in schema
            ]
            tables.append(pa.Table.from_arrays(columns, schema=schema))
            keys += [] if self.order is None else [record[self.order] for record in records]
        table = pa.concat_tables(tables).combine_chunks()
        return table.take(np.argsort(keys, kind="stable")) if keys else table
