"""From located files to an upstream split's tables, for every kind of source that has files."""

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
    task: Task, places: Sequence[Location], open_file: Callable[[str], IO[bytes]], files: list[dict[str, Any]]
) -> Upstream:
    """The rows of the places one after the other."""
    columns = arrow_schema(task)
    classes = {task.label_column: task.labels} if task.label_column else {}

    def tables() -> Iterator[pa.Table]:
        for place in places:
            yield from formats.tables_of(place, open_file, columns, task.source.rename, classes)

    return Upstream([formats.schema_of(place, open_file, columns) for place in places], tables(), files)


def excerpt_upstream(
    task: Task, excerpt: RowGroupSample, files: list[dict[str, Any]], expected: str | None
) -> Upstream:
    """The excerpt's rows; its digest is compared once the last of them was read."""

    def tables() -> Iterator[pa.Table]:
        yield from excerpt.tables()
        if expected is not None and excerpt.sha256 != expected:
            raise SourceError(
                f"{task.source.repo}: the row groups that came are not the locked ones: expected sha256 "
                f"{expected[:12]}…, found {excerpt.sha256[:12]}…; nothing of it was kept."
            )

    return Upstream(excerpt.schemas, tables(), files, of=excerpt.of)


def excerpt_name(task: Task, split: str) -> str:
    """What keys the choice: the split, not the task, so that tasks of one split choose the same groups."""
    return f"{task.source.repo}/{task.source.config}/{split}"


def open_local(path: Path) -> Any:
    """Parquet memory-mapped, which threads read without getting in each other's way."""
    return pa.memory_map(str(path)) if path.suffix == ".parquet" else path.open("rb")
