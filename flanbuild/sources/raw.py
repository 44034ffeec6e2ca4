"""Raw rows of a task: its upstream splits as canonical Parquet, and a record of where they come from."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from flanbuild.artifacts import artifact, executor
from flanbuild.artifacts.addresses import task_folder
from flanbuild.artifacts.arrow import parquet_writer
from flanbuild.artifacts.columns import arrow_schema, check_schema, conform
from flanbuild.artifacts.digests import RowsDigest
from flanbuild.artifacts.executor import Workers
from flanbuild.artifacts.files import digest_of, locked, xxh3_of
from flanbuild.artifacts.records import (
    RawRecord,
    RawSplit,
    SourceRecord,
    writer_versions,
)
from flanbuild.declare.task import Task
from flanbuild.errors import SourceError
from flanbuild.progress import Advance
from flanbuild.sources import MissingFile, Source, Upstream, source_of

Missing = Literal["error", "skip"]
_GROUP_ROWS = 65_536
_GROUP_BYTES = 1 << 30


def fingerprint(task: Task, source: Source, missing: Missing) -> str:
    """The digest of all inputs that decide the raw rows."""
    source = source_of(task, source)
    declared = task.model_dump(mode="json", include={"source", "columns", "labels"})
    splits = task.upstream_splits()
    return digest_of([RawRecord.FORMAT, source.kind, source.fingerprint(task), declared, splits, missing])


def download(task: Task, source: Source, missing: Missing, folder: Path) -> RawRecord:
    """Writes the task's upstream splits into `folder`, with the declared columns in the declared types.

    Raises SourceError for a split that is missing (unless `missing` is skip), that has fewer rows than declared, or
    that has a column which is not as declared. A mirror and the sample may have fewer rows than declared.
    """
    source = source_of(task, source)
    schema = arrow_schema(task)
    splits: dict[str, RawSplit] = {}
    absent = []
    unmatched = []
    for name in task.upstream_splits():
        try:
            upstream = source.split(task, name)
        except MissingFile as error:
            unmatched.append(str(error))
            upstream = None
        if upstream is None:
            absent.append(name)
            continue
        position = f"{source.kind} {task.source.repo} ({task.source.config}) split '{name}'"
        path = folder / f"{name}.parquet"
        rows = _write(path, schema, _conformed(task, upstream, position))
        _check_rows(task, source, name, upstream.of or rows.rows, position)
        if not rows.rows:
            files = ", ".join(file.path for file in upstream.files[:4])
            raise SourceError(f"{task.path}: splits: {position} has no row{f': {files}' if files else ''}.")
        splits[name] = RawSplit(
            rows=rows.rows,
            sample_of=upstream.of,
            rows_digest=rows.hexdigest(),
            file_digest=xxh3_of(path),
            files=tuple(upstream.files),
        )
    if absent and missing == "error":
        raise SourceError(_absent(task, source, absent, unmatched))
    return RawRecord.of(
        task=task.name,
        source=SourceRecord(
            kind=source.kind,
            repo=task.source.repo,
            config=task.source.config,
            commit=source.commit(task),
            license=task.source.license,
            digest=digest_of({name: split.rows_digest for name, split in splits.items()}),
        ),
        columns={field.name: str(field.type) for field in schema},
        splits=splits,
        missing=tuple(absent),
        fingerprint=fingerprint(task, source, missing),
        versions=writer_versions(),
    )


def download_all(
    tasks: Sequence[Task],
    source: Source,
    root: Path,
    missing: Missing,
    workers: Workers,
    *,
    check_bytes: bool = False,
    done: Advance = lambda *_: None,
) -> None:
    """Builds each task's raw folder below `root` as far as it is missing or stale.

    With `check_bytes` a folder is stale too when a file is not as its record names it. Another process that wants the
    same clusters waits for this one, and then finds them done.
    """
    items: list[executor.WorkItem] = [
        (_download_stale, (task, source, root, missing, check_bytes)) for task in tasks
    ]
    with ExitStack() as locks:
        for cluster in sorted({task.cluster for task in tasks}):
            locks.enter_context(locked(root / cluster))
        if source.threads:
            source.watch(Meter(done).add)
            executor.run_in_threads(items, workers, done=done, stop=source.close)
        else:
            executor.run(items, Workers(workers.jobs), done=done)


def is_current(task: Task, source: Source, root: Path, missing: Missing) -> bool:
    """Whether the task's raw folder below `root` holds what `download` would write."""
    return _current(task, source, root, missing) is not None


class Meter:
    """Bytes as they come from all threads, and their rate, as the progress display's note."""

    def __init__(self, show: Advance) -> None:
        self.show = show
        self.bytes = 0
        self.since = self.shown = monotonic()
        self._mutex = Lock()

    def add(self, count: int) -> None:
        """Shows at most five times a second."""
        with self._mutex:
            self.bytes += count
            now = monotonic()
            if now - self.shown < 0.2:
                return
            self.shown = now
            rate = self.bytes / (now - self.since)
        self.show(0, f"{self.bytes / 1e6:,.1f} MB, {rate / 1e6:,.1f} MB/s")


def _current(task: Task, source: Source, root: Path, missing: Missing) -> RawRecord | None:
    folder = task_folder(root, task.cluster, task.name)
    return artifact.current(folder, RawRecord, lambda _: fingerprint(task, source, missing))


def _download_stale(task: Task, source: Source, root: Path, missing: Missing, check_bytes: bool) -> None:
    folder = task_folder(root, task.cluster, task.name)
    record = _current(task, source, root, missing)
    if record is None or (check_bytes and not artifact.is_whole(folder, record)):
        artifact.build(folder, partial(download, task, source, missing))


def _check_rows(task: Task, source: Source, split: str, found: int, position: str) -> None:
    expected = task.source.rows.get(split)
    if source.kind in ("hub", "files") and expected and found < expected:
        raise SourceError(
            f"{task.path}: source.rows.{split}: expected {expected:,} rows, but {position} has {found:,}."
        )


def _absent(task: Task, source: Source, absent: list[str], unmatched: list[str]) -> str:
    """The sentence about missing splits: about the patterns that match nothing, if there are any."""
    names = ", ".join(f"'{name}'" for name in absent)
    what = f"splits: the {source.kind} has no split {names} of {task.source.repo} ({task.source.config})."
    how = f" {' '.join(task.source.manual.split())}" if task.source.manual else ""
    return f"{unmatched[0] if unmatched else f'{task.path}: {what}'}{how} `missing: skip` builds without."


def _conformed(task: Task, upstream: Upstream, position: str) -> Iterator[pa.Table]:
    """Every file's schema is checked before any row is read; files of text show theirs with their rows."""
    for schema in upstream.schemas:
        check_schema(task, schema, position)
    rows = 0
    for table in upstream.tables:
        yield conform(task, table, position, rows)
        rows += table.num_rows


def _write(path: Path, schema: pa.Schema, tables: Iterable[pa.Table]) -> RowsDigest:
    """Writes row groups of one size, however the tables are cut, so that equal rows are equal bytes."""
    rows = RowsDigest()
    with parquet_writer(path, schema) as writer:
        for table in _regrouped(tables, schema):
            writer.write_table(table, row_group_size=_GROUP_ROWS)
            rows.update(table)
    return rows


def _regrouped(tables: Iterable[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    waiting = schema.empty_table()
    for table in tables:
        waiting = pa.concat_tables([waiting, table])
        while waiting.num_rows >= _GROUP_ROWS:
            yield from _combined(waiting.slice(0, _GROUP_ROWS))
            waiting = waiting.slice(_GROUP_ROWS)
    yield from _combined(waiting)


def _combined(table: pa.Table) -> Iterator[pa.Table]:
    """The rows as one chunk, or as several of at most _GROUP_BYTES, since Arrow's offsets in a list end at 2 GiB.

    Where a table is cut depends on its rows alone.
    """
    if table.num_rows > 1 and table.nbytes > _GROUP_BYTES // 2 and _text_bytes(table) > _GROUP_BYTES:
        half = table.num_rows // 2
        yield from _combined(table.slice(0, half))
        yield from _combined(table.slice(half))
    else:
        yield table.combine_chunks()


def _text_bytes(table: pa.Table) -> int:
    return sum(_text_bytes_of(column) for column in table.columns)


def _text_bytes_of(column: pa.ChunkedArray) -> int:
    """Bytes of the strings and eight for each other value, the same however the column is chunked."""
    kind = column.type
    if pa.types.is_string(kind):
        return sum(pc.sum(pc.binary_length(chunk)).as_py() or 0 for chunk in column.chunks)
    if pa.types.is_list(kind):
        return sum(_text_bytes_of(pa.chunked_array([pc.list_flatten(chunk)])) for chunk in column.chunks)
    if pa.types.is_struct(kind):
        return sum(_text_bytes_of(part) for part in column.flatten())
    return 8 * len(column)
