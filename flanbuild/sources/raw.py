"""The raw folder of a task: its upstream splits as canonical Parquet, and `source.json` which says whence."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any, Literal

import pyarrow as pa
from filelock import FileLock

from flanbuild.artifacts import executor
from flanbuild.artifacts.arrow import parquet_writer
from flanbuild.artifacts.columns import arrow_schema, check_schema, conform
from flanbuild.artifacts.executor import WorkItem
from flanbuild.artifacts.files import digest_of, disk_errors, read_json, sha256_of, staged, write_json
from flanbuild.declare.task import Task
from flanbuild.errors import ArtifactError, SourceError
from flanbuild.sources import Source, Upstream, source_of

Missing = Literal["error", "skip"]
Advance = Callable[..., None]
"""console.progress's: count of pieces done, and a note."""
FORMAT = 1
_GROUP_ROWS = 65_536


def inputs(task: Task, source: Source, missing: Missing) -> str:
    """The digest of all that decides the raw folder's bytes."""
    source = source_of(task, source)
    declared = task.model_dump(mode="json", include={"source", "columns", "labels"})
    said = [FORMAT, source.kind, source.fingerprint(task), declared, task.upstream_splits(), missing]
    return digest_of(said)


def download(task: Task, source: Source, out: Path, missing: Missing) -> dict[str, Any]:
    """Writes the task's upstream splits and `source.json` into `out`; returns what `source.json` says.

    Only the declared columns are kept, in the declared types. Raises SourceError for a split that is missing
    (unless `missing` is skip), has fewer rows than declared, or has a column that is not as declared.
    """
    source = source_of(task, source)
    schema = arrow_schema(task)
    splits: dict[str, Any] = {}
    absent = []
    with staged(out) as staging:
        for name in task.upstream_splits():
            upstream = source.split(task, name)
            if upstream is None:
                absent.append(name)
                continue
            place = f"{source.kind} {task.source.repo} ({task.source.config}) split '{name}'"
            path = staging / f"{name}.parquet"
            rows = _write(path, schema, _conformed(task, upstream, schema, place))
            _check_rows(task, source, name, upstream.of or rows, place)
            splits[name] = {"rows": rows, "sha256": sha256_of(path), "files": upstream.files}
            splits[name] |= {} if upstream.of is None else {"excerpt_of": upstream.of}
        if absent and missing == "error":
            raise SourceError(_absent(task, source, absent))
        record = {
            "kind": source.kind,
            "repo": task.source.repo,
            "config": task.source.config,
            "commit": source.commit(task),
            "license": task.source.license,
            "schema": {field.name: str(field.type) for field in schema},
            "splits": splits,
            "missing": absent,
            "digest": digest_of({name: split["sha256"] for name, split in splits.items()}),
            "inputs": inputs(task, source, missing),
        }
        write_json(staging / "source.json", record)
    return record


def download_all(
    tasks: Sequence[Task],
    source: Source,
    out: Path,
    missing: Missing,
    *,
    jobs: int,
    done: Advance = lambda *_: None,
) -> None:
    """Each task's raw folder below `out`, by cluster and name, as far as it is missing or stale.

    Another process that downloads the same clusters into `out` waits for this one, and then finds them done.
    """
    pieces: list[WorkItem] = [
        (_download_stale, (task, source, out / task.cluster / task.name, missing)) for task in tasks
    ]
    with _alone(out, sorted({task.cluster for task in tasks})):
        if source.threads:
            source.watch(Meter(done).add)
            executor.run_in_threads(pieces, jobs=jobs, done=done, stop=source.close)
        else:
            executor.run(pieces, jobs=jobs, done=done)


def is_current(task: Task, source: Source, out: Path, missing: Missing) -> bool:
    """Whether `out` holds what `download` would write."""
    try:
        said = read_json(out / "source.json")
    except ArtifactError:
        return False
    return (
        isinstance(said, dict)
        and said.get("inputs") == inputs(task, source, missing)
        and all((out / f"{name}.parquet").is_file() for name in said["splits"])
    )


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


def _download_stale(task: Task, source: Source, out: Path, missing: Missing) -> None:
    if not is_current(task, source, out, missing):
        download(task, source, out, missing)


@contextmanager
def _alone(out: Path, clusters: Sequence[str]) -> Iterator[None]:
    """One process at a time a cluster. The lock files lie beside the clusters' folders, which are outputs."""
    with ExitStack() as stack, disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        for cluster in clusters:
            stack.enter_context(FileLock(out / f".{cluster}.lock"))
        yield


def _check_rows(task: Task, source: Source, split: str, found: int, place: str) -> None:
    expected = task.source.rows.get(split)
    if source.kind == "hub" and expected and found < expected:
        raise SourceError(
            f"{task.path}: source.rows.{split}: expected {expected:,} rows, but {place} has {found:,}."
        )


def _absent(task: Task, source: Source, absent: list[str]) -> str:
    names = ", ".join(f"'{name}'" for name in absent)
    what = f"{task.path}: splits: the {source.kind} has no split {names} of {task.source.repo} ({task.source.config})"
    how = f" {' '.join(task.source.manual.split())}" if task.source.manual else ""
    return f"{what}.{how} `missing: skip` builds without."


def _conformed(task: Task, upstream: Upstream, schema: pa.Schema, place: str) -> Iterator[pa.Table]:
    """Every file's schema is checked before any row is read; files of text show theirs with their rows."""
    for found in upstream.schemas:
        check_schema(task, found, place)
    for table in upstream.tables:
        check_schema(task, table.schema, place)
        try:
            yield conform(table, schema)
        except (pa.ArrowInvalid, KeyError) as error:
            raise SourceError(f"{task.path}: columns: {place}: {str(error).splitlines()[0]}.") from None


def _write(path: Path, schema: pa.Schema, tables: Iterable[pa.Table]) -> int:
    """Row groups of one size, however the tables come, so that equal rows are equal bytes."""
    rows = 0
    with parquet_writer(path, schema) as writer:
        for table in _regrouped(tables, schema):
            writer.write_table(table, row_group_size=_GROUP_ROWS)
            rows += table.num_rows
    return rows


def _regrouped(tables: Iterable[pa.Table], schema: pa.Schema) -> Iterator[pa.Table]:
    waiting = schema.empty_table()
    for table in tables:
        waiting = pa.concat_tables([waiting, table])
        while waiting.num_rows >= _GROUP_ROWS:
            yield waiting.slice(0, _GROUP_ROWS).combine_chunks()
            waiting = waiting.slice(_GROUP_ROWS)
    yield waiting.combine_chunks()
