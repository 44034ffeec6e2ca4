"""From ordered examples to shards: texts are gathered from the memory-mapped rendered files.

A shard is one piece of work. In memory are 8 bytes for each example of the mixture, 16 bytes for each text that point
into the files, for so many rows at a time, and the block of rows that each worker is at.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, NamedTuple

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
from flanbuild.artifacts.digests import RowsDigest
from flanbuild.artifacts.executor import WorkItem
from flanbuild.mix import manifest

BLOCK_ROWS = 8 * BATCH_ROWS
"""Rows whose texts a shard gathers at once. Part of the bytes: each block's last batch is padded otherwise than the
ones before it."""
ROWS_AT_ONCE = 2_000_000
"""Rows that shards written together point to: 60 to 100 bytes each. No part of the bytes."""
EXAMPLES = {"of": pl.Int16, "index": pl.UInt32, "repeat": pl.Int16}
"""An example: the number of its task, the place of its row among the rows of all files end to end, the repeat."""


class TaskRef(NamedTuple):
    """A task, as shards and mixtures name it."""

    name: str
    dataset: str
    cluster: str


def write_shards(
    paths: Sequence[Path],
    examples: pl.DataFrame,
    files: Sequence[Path],
    tasks: Sequence[TaskRef],
    compression: Compression,
    *,
    jobs: int,
    scheduler: str = "",
    done: Callable[[], None] = lambda: None,
) -> list[dict[str, Any]]:
    """Writes the examples in their order into as many shards as there are paths; returns rows, bytes, digests of each.

    `files` are the rendered files of `tasks`. Threads share the rows: pyarrow, polars and hashlib let go of the
    interpreter. Workers of a Dask `scheduler` open the files themselves.
    """
    cuts = [examples.height * i // len(paths) for i in range(len(paths) + 1)]
    parts = [examples[start:end] for start, end in pairwise(cuts)]
    if scheduler:
        pieces: list[WorkItem] = [
            (open_and_write_shard, (path, part, files, tasks, compression))
            for path, part in zip(paths, parts, strict=True)
        ]
        return executor.run(pieces, jobs=jobs, scheduler=scheduler, done=done)
    described: list[dict[str, Any]] = []
    together = max(jobs, ROWS_AT_ONCE * len(paths) // max(examples.height, 1))
    for first in range(0, len(paths), together):
        group = parts[first : first + together]
        rows, placed = read_rows(files, pl.concat(group))
        starts = accumulate((part.height for part in group), initial=0)
        pieces = [
            (write_shard, (path, placed[start : start + part.height], rows, tasks, compression))
            for path, part, start in zip(paths[first:], group, starts, strict=False)
        ]
        described += executor.run_in_threads(pieces, jobs=jobs, done=done)
    return described


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
    path: Path,
    examples: pl.DataFrame,
    rows: pl.DataFrame,
    tasks: Sequence[TaskRef],
    compression: Compression,
) -> dict[str, Any]:
    """Writes one shard; returns what the manifest says of it."""
    digest = RowsDigest()

    def blocks() -> Iterator[pa.Table]:
        for block in examples.iter_slices(BLOCK_ROWS):
            table = _take_block(rows, tasks, block)
            digest.update(table)
            yield table

    write_batches(path, TRAIN_SCHEMA, blocks(), compression)
    return manifest.describe_shard(path, digest)


def open_and_write_shard(
    path: Path,
    examples: pl.DataFrame,
    files: Sequence[Path],
    tasks: Sequence[TaskRef],
    compression: Compression,
) -> dict[str, Any]:
    """As `write_shard`, for a worker that has yet to open the files."""
    rows, placed = read_rows(files, examples)
    return write_shard(path, placed, rows, tasks, compression)


def _take_block(rows: pl.DataFrame, tasks: Sequence[TaskRef], examples: pl.DataFrame) -> pa.Table:
    """Polars puts the pointers in order, and the cast copies the texts, once.

    Measured: pyarrow's own `take` copies each text three times, file by file and then into place.
    """
    taken = rows[examples["index"]].to_arrow(compat_level=pl.CompatLevel.newest())
    columns = {name: taken.column(name) for name in RENDERED_SCHEMA.names}
    of = pa.array(examples["of"].to_numpy())
    for column, values in zip(("task", "dataset", "cluster"), zip(*tasks, strict=True), strict=True):
        columns[column] = pc.take(pa.array(values, pa.string()), of)
    columns["repeat"] = pa.array(examples["repeat"].to_numpy())
    return pa.table([columns[field.name].cast(field.type) for field in TRAIN_SCHEMA], schema=TRAIN_SCHEMA)
