"""The one writer of Arrow and Parquet files, and the row schemas."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.ipc
from numpy.typing import NDArray

from flanbuild.artifacts.files import atomic_path
from flanbuild.errors import ArtifactError

Compression = Literal["none", "lz4", "zstd"]
ZSTD_LEVEL = 3
BATCH_ROWS = 2048
_TEXT = [("prompt", pa.string()), ("completion", pa.string())]
_NAMES = [("task", pa.string()), ("dataset", pa.string()), ("cluster", pa.string())]
_PLACE = [("template", pa.int16()), ("row", pa.int64())]
_OPTIONS = [("options", pa.list_(pa.string()))]


TRAIN_SCHEMA = pa.schema([*_TEXT, *_NAMES, *_PLACE, ("repeat", pa.int32()), *_OPTIONS])
"""Shards of a mixture. `row` counts the rows of the source split after preprocessing; `repeat` counts from 0."""


EVALUATION_SCHEMA = pa.schema(
    [*_TEXT, *_NAMES, *_PLACE, *_OPTIONS, ("answer", pa.string()), ("answers", pa.list_(pa.string()))]
)
"""Rows of test.arrow, each under every forward template."""


ROWS_SCHEMA = pa.schema([("row", pa.int64())])
"""The training rows that can be drawn, in keyed order, for those who read their raw texts (mix/contamination.py)."""


RENDERED_SCHEMA = pa.schema(
    [("prompt", pa.large_string()), ("completion", pa.large_string()), *_PLACE, *_OPTIONS]
)
"""Rows of a rendered split of one task, in keyed order; one record batch a file, so that `take` is cheap."""


def rendered_position(rank: NDArray[np.int64], version: NDArray[np.int64], rows: int) -> NDArray[np.int64]:
    """Where version v of the row at rank r stands in a rendered file of so many rows: all first versions come first."""
    return version * rows + rank


def write_table(path: Path, table: pa.Table, *, rows_per_batch: int | None = None) -> None:
    """The table as one record batch, or as batches of `rows_per_batch`."""
    table = table.combine_chunks()
    with atomic_path(path) as part, _writer(part, table.schema, "none") as (writer, _):
        writer.write_table(table, max_chunksize=rows_per_batch or max(table.num_rows, 1))


def write_batches(
    path: Path, schema: pa.Schema, tables: Iterable[pa.Table], compression: Compression = "none"
) -> list[int]:
    """Writes tables as record batches of BATCH_ROWS; every table but the last has a multiple of it as rows.

    Returns the byte positions at which the batches begin, and the one at which the last ends.
    """
    edges = []
    with atomic_path(path) as part, _writer(part, schema, compression) as (writer, file):
        for table in tables:
            for batch in table.combine_chunks().to_batches(max_chunksize=BATCH_ROWS):
                edges.append(
                    file.tell()
                )  # the first batch is preceded by the header, which is written with it
                writer.write_batch(batch)
        edges.append(file.tell())
    return edges


def read_table(path: Path) -> pa.Table:
    """Reads a table, memory-mapped: pages are read when touched. Raises ArtifactError for any other file."""
    try:
        with pa.memory_map(str(path)) as source:
            return pa.ipc.open_file(source).read_all()
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file.") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise ArtifactError(f"{path}: not a whole Arrow file ({str(error).splitlines()[0]}).") from None


@contextmanager
def _writer(
    path: Path, schema: pa.Schema, compression: Compression
) -> Iterator[tuple[pa.ipc.RecordBatchFileWriter, pa.NativeFile]]:
    """The file is closed even where a full disk lets the writer fail."""
    codec = (
        None
        if compression == "none"
        else pa.Codec(compression, ZSTD_LEVEL if compression == "zstd" else None)
    )
    options = pa.ipc.IpcWriteOptions(compression=codec)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema, options=options) as writer:
        yield writer, file


@contextmanager
def parquet_writer(path: Path, schema: pa.Schema, **options: Any) -> Iterator[Any]:
    """As `_writer`, for raw rows and exports (a pyarrow.parquet.ParquetWriter, which takes further `options`)."""
    from pyarrow.parquet import ParquetWriter

    options = {"compression": "zstd", "compression_level": ZSTD_LEVEL, **options}
    with pa.OSFile(str(path), "wb") as file, ParquetWriter(file, schema, **options) as writer:
        yield writer
