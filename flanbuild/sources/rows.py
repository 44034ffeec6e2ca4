"""The tables of an upstream split from its files, for all sources that have files."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from flanbuild.artifacts.columns import arrow_schema, check_schema, conform
from flanbuild.artifacts.records import SourceFile
from flanbuild.declare.task import Task
from flanbuild.errors import SourceError
from flanbuild.progress import log
from flanbuild.sources import Upstream, formats
from flanbuild.sources.archives import Open, is_parquet
from flanbuild.sources.layout import Location
from flanbuild.sources.row_groups import RowGroupSample
from flanbuild.sources.text import Declared


def declared_of(task: Task) -> Declared:
    """What the task file declares about text files."""
    return Declared(
        columns=arrow_schema(task),
        classes={task.label_column: task.labels} if task.label_column else {},
        rename=task.source.rename,
        csv=task.source.csv,
    )


def read_places(
    task: Task,
    split: str,
    locations: Sequence[Location],
    open_file: Open,
    files: Sequence[SourceFile],
) -> Upstream:
    """The rows of the locations in their order, as declared; `files` are the records of the files that were read.

    Raises SourceError with the file for a column that is not as declared: at once for a file with a schema, else with
    its rows.
    """
    declared = declared_of(task)

    def tables() -> Iterator[pa.Table]:
        for location in locations:
            rows = 0
            with _task_errors(task, split):
                for table in formats.tables_of(location, open_file, declared):
                    yield conform(task, table, _position(task, split, location), rows)
                    rows += table.num_rows
            if not rows:
                log(f"{task.path}: split '{split}': {_name(location)} has no row.")

    with _task_errors(task, split):
        schemas = [formats.schema_of(location, open_file, declared.columns) for location in locations]
    for location, schema in zip(locations, schemas, strict=True):
        check_schema(task, schema, _position(task, split, location))
    return Upstream(schemas, tables(), files)


def check_places(task: Task, split: str, locations: Sequence[Location], open_file: Open) -> None:
    """Raises SourceError if a header or a schema lacks a declared column. Reads no more than the first rows."""
    declared = declared_of(task)
    for location in locations:
        with _task_errors(task, split):
            schema = formats.schema_of(location, open_file, declared.columns)
            check_schema(task, schema, _position(task, split, location))
            formats.check_file(location, open_file, declared)


def excerpt_upstream(
    task: Task, sample: RowGroupSample, files: Sequence[SourceFile], expected: str | None
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
    return pa.memory_map(str(path)) if is_parquet(path.name) else path.open("rb")


@contextmanager
def _task_errors(task: Task, split: str) -> Iterator[None]:
    """Puts the task file and the split before the sentence of a reader, which names the file."""
    try:
        yield
    except SourceError as error:
        known = str(error).startswith(str(task.path))
        raise SourceError(str(error) if known else f"{task.path}: split '{split}': {error}") from None


def _position(task: Task, split: str, location: Location) -> str:
    repo = "" if task.local else f"{task.source.repo} ({task.source.config}) "
    return f"{repo}split '{split}' file {_name(location)}"


def _name(location: Location) -> str:
    return location if isinstance(location, str) else ", ".join(location.values())
