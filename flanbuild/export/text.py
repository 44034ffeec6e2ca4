"""The rows of a mixture as text: Parquet, and JSON Lines under the column names of other trainers.

Each shard becomes one file with the same rows in the same order. Shards are read and written in blocks, so memory
holds one block for each file that is written at once.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from flanbuild.artifacts import executor
from flanbuild.artifacts.arrow import TRAIN_SCHEMA, parquet_writer
from flanbuild.artifacts.executor import Workers, WorkItem
from flanbuild.errors import DeclarationError, nearest
from flanbuild.export.pace import paced
from flanbuild.export.record import ExportedSplit
from flanbuild.export.view import SPLITS, ExportRequest, Written
from flanbuild.progress import Advance, Progress
from flanbuild.read import Examples, load

if TYPE_CHECKING:
    import polars as pl

_BLOCK_BATCHES = 16
"""Record batches of a Parquet row group, and of a block of JSON Lines: about 25 MB of text."""
_IDENTITY = ("task", "dataset", "cluster", "template", "row", "repeat")
"""Columns that say which example a row is."""
_TEXTS = ("prompt", "completion")
"""Columns that Parquet does not store as a dictionary: their values repeat too rarely to be worth the attempt."""

Tables = Iterator[pa.Table]
WriteFile = Callable[[Path, pa.Schema, Tables], None]
Select = Callable[["pl.DataFrame"], "pl.DataFrame"]


def parquet(request: ExportRequest, folder: Path, progress: Progress) -> Written:
    """Writes the columns of the mixture as Parquet, compressed with zstd."""
    return _write(request, folder, progress, ".parquet", _write_parquet)


def jsonl(request: ExportRequest, folder: Path, progress: Progress) -> Written:
    """Writes the columns of the mixture, each row as a line of JSON."""
    return _write(request, folder, progress, ".jsonl", partial(_write_jsonl, select=lambda rows: rows))


def messages(request: ExportRequest, folder: Path, progress: Progress) -> Written:
    """Writes prompt and completion as lists of messages, and `messages` with both.

    TRL prefers `prompt` and `completion` and trains on the completion only; with `messages` alone it would train on
    the prompt too.
    """
    return _write(request, folder, progress, ".jsonl", partial(_write_jsonl, select=_messages))


def alpaca(request: ExportRequest, folder: Path, progress: Progress) -> Written:
    """Writes `instruction`, an empty `input`, and `output`."""
    return _write(request, folder, progress, ".jsonl", partial(_write_jsonl, select=_alpaca))


def seq2seq(request: ExportRequest, folder: Path, progress: Progress) -> Written:
    """Writes `inputs` and `targets`, the names that FLAN and seqio give to the two sides."""
    return _write(request, folder, progress, ".jsonl", partial(_write_jsonl, select=_seq2seq))


def _write(
    request: ExportRequest, folder: Path, progress: Progress, suffix: str, write_file: WriteFile
) -> Written:
    schema = _renamed(request.rename)
    splits = [load(request.mixture, split) for split in SPLITS]
    total = sum(map(len, splits))
    items: list[WorkItem] = []
    with paced(progress)(total, "export") as done:
        for examples in splits:
            for number, shard in enumerate(examples.shards):
                path = (folder / shard.path).with_suffix(suffix)
                path.parent.mkdir(exist_ok=True)
                items.append((_write_shard, (write_file, path, schema, examples, number, done)))
        executor.run_in_threads(items, Workers(request.jobs))
    return Written(
        splits={examples.split: ExportedSplit(rows=len(examples)) for examples in splits},
        settings={f"rename {name}": new for name, new in sorted(request.rename.items())},
    )


def _renamed(names: Mapping[str, str]) -> pa.Schema:
    """The schema of the mixture with other names for some columns."""
    for name in names:
        if name not in TRAIN_SCHEMA.names:
            raise DeclarationError(f"--rename: no column '{name}'.{nearest(name, TRAIN_SCHEMA.names)}")
    columns = [names.get(name, name) for name in TRAIN_SCHEMA.names]
    for name in columns:
        if columns.count(name) > 1:
            raise DeclarationError(f"--rename: two columns would have the name '{name}'.")
    return pa.schema([field.with_name(names.get(field.name, field.name)) for field in TRAIN_SCHEMA])


def _write_shard(
    write_file: WriteFile, path: Path, schema: pa.Schema, examples: Examples, shard: int, done: Advance
) -> None:
    def tables() -> Tables:
        batches = examples.shard_batches(shard)
        while block := list(islice(batches, _BLOCK_BATCHES)):
            table = pa.Table.from_batches(block, examples.schema)
            yield table.rename_columns(schema.names)
            done(table.num_rows)

    write_file(path, schema, tables())


def _write_parquet(path: Path, schema: pa.Schema, tables: Tables) -> None:
    repeating = [
        f"{name}.list.element" if pa.types.is_list(schema.field(name).type) else name
        for name, original in zip(schema.names, TRAIN_SCHEMA.names, strict=True)
        if original not in _TEXTS
    ]
    with parquet_writer(path, schema, use_dictionary=repeating, write_statistics=repeating) as writer:
        for table in tables:
            writer.write_table(table)


def _write_jsonl(path: Path, _schema: pa.Schema, tables: Tables, *, select: Select) -> None:
    import polars as pl

    with path.open("wb") as file:
        for table in tables:
            select(pl.DataFrame(pl.from_arrow(table))).write_ndjson(file)


def _messages(rows: "pl.DataFrame") -> "pl.DataFrame":
    import polars as pl

    user, assistant = (
        pl.struct(pl.lit(role).alias("role"), pl.col(text).alias("content"))
        for role, text in (("user", "prompt"), ("assistant", "completion"))
    )
    return rows.select(
        pl.concat_list(user).alias("prompt"),
        pl.concat_list(assistant).alias("completion"),
        pl.concat_list(user, assistant).alias("messages"),
        *_IDENTITY,
    )


def _alpaca(rows: "pl.DataFrame") -> "pl.DataFrame":
    import polars as pl

    return rows.select(
        pl.col("prompt").alias("instruction"),
        pl.lit("").alias("input"),
        pl.col("completion").alias("output"),
        *_IDENTITY,
    )


def _seq2seq(rows: "pl.DataFrame") -> "pl.DataFrame":
    import polars as pl

    return rows.select(pl.col("prompt").alias("inputs"), pl.col("completion").alias("targets"), *_IDENTITY)
