"""The one writer of Arrow files, and the row schemas.

Files are Arrow IPC *file* format with a fixed schema and no metadata, so equal rows are equal bytes whatever
the thread count was. Nothing is half-written: a file is written beside its place and renamed, and so is a
folder (`staged`).
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.ipc

from flanbuild.errors import ArtifactError, ExecutionError

Compression = Literal["none", "lz4", "zstd"]
ZSTD_LEVEL = 3
BATCH_ROWS = 2048

_TEXT = [("prompt", pa.string()), ("completion", pa.string())]
_NAMES = [("task", pa.string()), ("dataset", pa.string()), ("cluster", pa.string())]
_PLACE = [("template", pa.int16()), ("row", pa.int64())]
_OPTIONS = [("options", pa.list_(pa.string()))]

TRAIN = pa.schema([*_TEXT, *_NAMES, *_PLACE, ("repeat", pa.int16()), *_OPTIONS])
"""Shards of a mixture. `row` counts the rows of the source split after preprocessing; `repeat` counts from 0."""

EVALUATION = pa.schema(
    [*_TEXT, *_NAMES, *_PLACE, *_OPTIONS, ("answer", pa.string()), ("answers", pa.list_(pa.string()))]
)
"""Rows of test.arrow, each under every forward template."""

RENDERED = pa.schema([("prompt", pa.large_string()), ("completion", pa.large_string()), *_PLACE, *_OPTIONS])
"""Rows of a rendered split of one task, in keyed order; one record batch a file, so that `take` is cheap."""


def write_table(path: Path, table: pa.Table, *, rows_per_batch: int | None = None) -> None:
    """The table as one record batch, or as batches of `rows_per_batch`."""
    table = table.combine_chunks()
    with _atomic(path) as part, _writer(part, table.schema, "none") as writer:
        writer.write_table(table, max_chunksize=rows_per_batch or max(table.num_rows, 1))


def write_batches(
    path: Path, schema: pa.Schema, tables: Iterable[pa.Table], compression: Compression = "none"
) -> None:
    """Tables as record batches of BATCH_ROWS, as they come; every table but the last is a multiple of it."""
    with _atomic(path) as part, _writer(part, schema, compression) as writer:
        for table in tables:
            writer.write_table(table.combine_chunks(), max_chunksize=BATCH_ROWS)


def read_table(path: Path) -> pa.Table:
    """The file's table, memory-mapped: pages are read when touched. Raises ArtifactError if it is no such file."""
    try:
        with pa.memory_map(str(path)) as source:
            return pa.ipc.open_file(source).read_all()
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file.") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise ArtifactError(f"{path}: not a whole Arrow file ({str(error).splitlines()[0]}).") from None


def sha256(path: Path) -> str:
    """The digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, value: Any) -> None:
    """Sorted keys, two blanks, a newline at the end."""
    with _atomic(path) as part:
        part.write_text(dump_json(value), encoding="utf-8")


def dump_json(value: Any) -> str:
    """The one spelling of a value, so that equal values are equal bytes."""
    return json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False) + "\n"


def read_json(path: Path) -> Any:
    """Raises ArtifactError with the path if the file is missing or not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file.") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ArtifactError(f"{path}: not whole JSON ({error}).") from None


def digest(value: Any) -> str:
    """sha256 of a value of plain JSON types."""
    return hashlib.sha256(dump_json(value).encode()).hexdigest()


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A folder beside `folder` to fill; it takes its place when the block ends well, and is gone if not.

    A killed run leaves the old folder or none, and a staging folder that the next run sweeps away.
    """
    staging = folder.parent / f".{folder.name}.staging"
    old = folder.parent / f".{folder.name}.old"
    with disk_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        for leftover in (staging, old):
            shutil.rmtree(leftover, ignore_errors=True)
        staging.mkdir()
        try:
            yield staging
            if folder.exists():
                folder.rename(old)
            staging.rename(folder)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """A full or read-only disk as one sentence."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise ExecutionError(f"{path}: {os.strerror(error.errno)}; nothing was left half-written.") from error


@contextmanager
def _atomic(path: Path) -> Iterator[Path]:
    part = path.with_name(f".{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _writer(
    path: Path, schema: pa.Schema, compression: Compression
) -> Iterator[pa.ipc.RecordBatchFileWriter]:
    """The file is closed even where a full disk lets the writer fail."""
    codec = (
        None
        if compression == "none"
        else pa.Codec(compression, ZSTD_LEVEL if compression == "zstd" else None)
    )
    options = pa.ipc.IpcWriteOptions(compression=codec)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema, options=options) as writer:
        yield writer


@contextmanager
def parquet_writer(path: Path, schema: pa.Schema) -> Iterator[Any]:
    """As `_writer`, for raw rows (a pyarrow.parquet.ParquetWriter)."""
    from pyarrow.parquet import ParquetWriter

    options = {"compression": "zstd", "compression_level": ZSTD_LEVEL}
    with pa.OSFile(str(path), "wb") as file, ParquetWriter(file, schema, **options) as writer:
        yield writer
