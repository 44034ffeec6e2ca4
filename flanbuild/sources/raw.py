"""The raw folder of a task: its upstream splits as canonical Parquet, and `source.json` which says whence."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from flanbuild import executor, shards
from flanbuild.columns import arrow_schema, check_schema, conform
from flanbuild.errors import SourceError
from flanbuild.sources import Source, Upstream
from flanbuild.tasks import Task

Missing = Literal["error", "skip"]
FORMAT = 1
_GROUP_ROWS = 65_536


def inputs(task: Task, source: Source, missing: Missing) -> str:
    """The digest of all that decides the raw folder's bytes."""
    splits = task.upstream_splits()
    declared = task.model_dump(mode="json", include={"source", "columns", "labels"})
    return shards.digest([FORMAT, source.kind, source.fingerprint(task.source, splits), declared, splits, missing])


def download(task: Task, source: Source, out: Path, missing: Missing) -> dict[str, Any]:
    """Writes the task's upstream splits and `source.json` into `out`; returns what `source.json` says.

    Only the declared columns are kept, in the declared types. Raises SourceError for a split that is missing
    (unless `missing` is skip) or a column that is not as declared.
    """
    schema = arrow_schema(task)
    splits: dict[str, Any] = {}
    absent = []
    with shards.staged(out) as staging:
        for name in task.upstream_splits():
            upstream = source.split(task.source, name, schema.names)
            if upstream is None:
                absent.append(name)
                continue
            place = f"{source.kind} {task.source.repo} ({task.source.config}) split '{name}'"
            check_schema(task, upstream.schema, place)
            path = staging / f"{name}.parquet"
            rows = _write(path, schema, _conformed(task, upstream, schema, place))
            splits[name] = {"rows": rows, "sha256": shards.sha256(path), "files": upstream.files}
        if absent and missing == "error":
            raise SourceError(_absent(task, source, absent))
        record = {
            "kind": source.kind,
            "repo": task.source.repo,
            "config": task.source.config,
            "commit": source.commit(task.source),
            "licence": task.source.licence,
            "schema": {field.name: str(field.type) for field in schema},
            "splits": splits,
            "missing": absent,
            "digest": shards.digest({name: split["sha256"] for name, split in splits.items()}),
            "inputs": inputs(task, source, missing),
        }
        shards.write_json(staging / "source.json", record)
    return record


def download_all(
    tasks: Iterable[Task],
    source: Source,
    out: Path,
    missing: Missing,
    *,
    jobs: int,
    done: Callable[[], None] = lambda: None,
) -> None:
    """Each task's raw folder below `out`, by cluster and name."""
    executor.run([(download, (task, source, out / task.cluster / task.name, missing)) for task in tasks], jobs=jobs, done=done)


def _absent(task: Task, source: Source, absent: list[str]) -> str:
    names = ", ".join(f"'{name}'" for name in absent)
    what = f"{task.page}: splits: the {source.kind} has no split {names} of {task.source.repo} ({task.source.config})"
    how = f" {' '.join(task.source.manual.split())}" if task.source.manual else ""
    return f"{what}.{how} `missing: skip` builds without."


def _conformed(task: Task, upstream: Upstream, schema: pa.Schema, place: str) -> Iterator[pa.Table]:
    for table in upstream.tables:
        try:
            yield conform(table, schema)
        except (pa.ArrowInvalid, KeyError) as error:
            raise SourceError(f"{task.page}: columns: {place}: {str(error).splitlines()[0]}.") from None


def _write(path: Path, schema: pa.Schema, tables: Iterable[pa.Table]) -> int:
    """Row groups of one size, however the tables come, so that equal rows are equal bytes."""
    rows = 0
    with pq.ParquetWriter(path, schema, compression="zstd", compression_level=shards.ZSTD_LEVEL) as writer:
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
