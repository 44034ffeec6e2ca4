"""Ordered examples -> shards. Texts are copied once, from the memory-mapped rendered files.

A shard is one item of work. Memory holds 8 bytes for each example of the mixture, 16 bytes for each text (pointers
into the files) of ROWS_AT_ONCE rows, and the block of rows that each worker writes.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from flanbuild.artifacts import executor
from flanbuild.artifacts.arrow import (
    BATCH_ROWS,
    RENDERED_SCHEMA,
    TRAIN_SCHEMA,
    Compression,
    read_table,
    write_batches,
)
from flanbuild.artifacts.digests import RowsDigest, part_digests
from flanbuild.artifacts.executor import Workers, WorkItem
from flanbuild.artifacts.files import sha256_of
from flanbuild.artifacts.records import Shard
from flanbuild.progress import Advance

BLOCK_ROWS = 8 * BATCH_ROWS
"""Rows whose texts a shard copies at once. It decides bytes: the last batch of a block has other padding."""
ROWS_AT_ONCE = 2_000_000
"""Rows that shards written together point to, 60 to 100 bytes each. It does not change any byte."""
EXAMPLES = {"of": pl.Int16, "index": pl.UInt32, "repeat": pl.Int32}
"""An example: the number of its task, the index of its row among the rows of all files end to end, the repeat."""


class TaskRef(NamedTuple):
    """A task, as shards and mixtures name it."""

    name: str
    dataset: str
    cluster: str


def write_shards(
    folder: Path,
    names: Sequence[str],
    examples: pl.DataFrame,
    files: Sequence[Path],
    tasks: Sequence[TaskRef],
    compression: Compression,
    workers: Workers,
    *,
    done: Advance = lambda *_: None,
) -> list[Shard]:
    """Writes the examples in their order into as many shards as there are names; returns what the manifest says.

    `names` are relative to `folder`; `files` are the rendered files of `tasks`. Threads share the rows: pyarrow,
    polars and hashlib release the interpreter. Workers of a Dask scheduler open the files themselves.
    """
    cuts = [examples.height * i // len(names) for i in range(len(names) + 1)]
    parts = [examples[start:end] for start, end in pairwise(cuts)]
    if workers.elsewhere:
        items: list[WorkItem] = [
            (open_and_write_shard, (folder, name, part, files, tasks, compression))
            for name, part in zip(names, parts, strict=True)
        ]
        return executor.run(items, workers, done=done)
    written: list[Shard] = []
    together = max(workers.jobs, ROWS_AT_ONCE * len(names) // max(examples.height, 1))
    for first in range(0, len(names), together):
        group = parts[first : first + together]
        rows, placed = read_rows(files, pl.concat(group))
        starts = accumulate((part.height for part in group), initial=0)
        items = [
            (write_shard, (folder, name, placed[start : start + part.height], rows, tasks, compression))
            for name, part, start in zip(names[first:], group, starts, strict=False)
        ]
        written += executor.run_in_threads(items, workers, done=done)
    return written


def read_rows(files: Sequence[Path], examples: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows of the examples, their texts as pointers into the mapped files; the examples with `index` among these."""
    order = examples["index"].arg_sort().to_numpy()
    wanted = examples["index"].to_numpy()[order]
    rows = [pl.DataFrame(pl.from_arrow(RENDERED_SCHEMA.empty_table()))]
    start = 0
    for file in files:
        table = read_table(file)
        first, last = np.searchsorted(wanted, [start, start + table.num_rows])
        if first < last:
            rows.append(pl.DataFrame(pl.from_arrow(table))[wanted[first:last] - start])
        start += table.num_rows
    index = np.empty(len(order), np.uint32)
    index[order] = np.arange(len(order), dtype=np.uint32)
    return pl.concat(rows, rechunk=True), examples.with_columns(index=index)


def write_shard(
    folder: Path,
    name: str,
    examples: pl.DataFrame,
    rows: pl.DataFrame,
    tasks: Sequence[TaskRef],
    compression: Compression,
) -> Shard:
    """Writes one shard; returns what the manifest says of it."""
    digest = RowsDigest()

    def blocks() -> Iterator[pa.Table]:
        for block in examples.iter_slices(BLOCK_ROWS):
            table = _take_block(rows, tasks, block)
            digest.update(table)
            yield table

    path = folder / name
    edges = write_batches(path, TRAIN_SCHEMA, blocks(), compression)
    return Shard(
        path=name,
        rows=digest.rows,
        bytes=path.stat().st_size,
        sha256=sha256_of(path),
        rows_digest=digest.hexdigest(),
        edges=tuple(edges),
        digests=part_digests(path, edges),
    )


def open_and_write_shard(
    folder: Path,
    name: str,
    examples: pl.DataFrame,
    files: Sequence[Path],
    tasks: Sequence[TaskRef],
    compression: Compression,
) -> Shard:
    """The same as `write_shard`, for a worker that has yet to open the files."""
    rows, placed = read_rows(files, examples)
    return write_shard(folder, name, placed, rows, tasks, compression)


def _take_block(rows: pl.DataFrame, tasks: Sequence[TaskRef], examples: pl.DataFrame) -> pa.Table:
    """Polars puts the pointers in order, and the cast copies the texts once.

    Measured: pyarrow's own `take` copies each text three times.
    """
    taken = rows[examples["index"]].to_arrow(compat_level=pl.CompatLevel.newest())
    columns = {name: taken.column(name) for name in RENDERED_SCHEMA.names}
    of = pa.array(examples["of"].to_numpy())
    for column, values in zip(("task", "dataset", "cluster"), zip(*tasks, strict=True), strict=True):
        columns[column] = pc.take(pa.array(values, pa.string()), of)
    columns["repeat"] = pa.array(examples["repeat"].to_numpy())
    return pa.table([columns[field.name].cast(field.type) for field in TRAIN_SCHEMA], schema=TRAIN_SCHEMA)
