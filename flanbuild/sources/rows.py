"""The tables of an upstream split from its files, for all sources that have files."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from flanbuild.artifacts.columns import arrow_schema
from flanbuild.declare.task import Task
from flanbuild.errors import SourceError
from flanbuild.sources import Upstream, formats
from flanbuild.sources.layout import Location
from flanbuild.sources.row_groups import RowGroupSample


def read_places(
    task: Task,
    locations: Sequence[Location],
    open_file: Callable[[str], IO[bytes]],
    files: list[dict[str, Any]],
) -> Upstream:
    """The rows of the locations in their order; `files` are the records of the files that were read."""
    columns = arrow_schema(task)
    classes = {task.label_column: task.labels} if task.label_column else {}

    def tables() -> Iterator[pa.Table]:
        for location in locations:
            yield from formats.tables_of(location, open_file, columns, task.source.rename, classes)

    schemas = [formats.schema_of(location, open_file, columns) for location in locations]
    return Upstream(schemas, tables(), files)


def excerpt_upstream(
    task: Task, sample: RowGroupSample, files: list[dict[str, Any]], expected: str | None
) -> Upstream:
    """The rows of the chosen row groups. Raises SourceError after the last row if their digest is not `expected`."""

    def tables() -> Iterator[pa.Table]:
        yield from sample.tables()
        if expected is not None and sample.sha256 != expected:
            raise SourceError(
                f"{task.source.repo}: the row groups that came are not the locked ones: expected sha256 "
                f"{expected[:12]}…, found {sample.sha256[:12]}…; no rows were kept."
            )

    return Upstream(sample.schemas, tables(), files, of=sample.of)


def excerpt_name(task: Task, split: str) -> str:
    """The key of the choice of row groups: the split, not the task, so that its tasks read the same row groups."""
    return f"{task.source.repo}/{task.source.config}/{split}"


def open_local(path: Path) -> Any:
    """Opens a local file; Parquet files are memory-mapped, so that threads read them independently."""
    return pa.memory_map(str(path)) if path.suffix == ".parquet" else path.open("rb")
