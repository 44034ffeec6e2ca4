"""Readers of rows, chosen by file extension: Parquet, JSON lines, JSON, CSV, TSV, text, also inside gz and zip.

Parquet files contain their types. Other files get the types of the task file: text that is not of the declared type
is an error, and an object for a declared list of {key, value} becomes the list of its items in their order.
"""

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from fnmatch import fnmatchcase
from itertools import islice
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from flanbuild.errors import SourceError, nearest
from flanbuild.sources.layout import MEMBER, Location

Open = Callable[[str], IO[bytes]]
"""Opens a file of the repository as a seekable stream."""

ROWS = 10_000
"""Maximum rows of a table that is read from text."""


def schema_of(location: Location, open_file: Open, columns: pa.Schema) -> pa.Schema:
    """The schema in a Parquet file; `columns`, the declared ones, for a file without a schema."""
    if not _is_parquet(location):
        return columns
    with _parquet(location, open_file) as file:
        return file.schema_arrow


def tables_of(
    location: Location,
    open_file: Open,
    columns: pa.Schema,
    rename: Mapping[str, str],
    classes: Mapping[str, Sequence[str]],
) -> Iterator[pa.Table]:
    """The rows of a location in their order. Raises SourceError for a file that is damaged or not of its format.

    `rename` maps column names in files to declared names, except in Parquet files. `classes` maps a label column to
    its class names, for files with names instead of ids.
    """
    if _is_parquet(location):
        with _parquet(location, open_file) as file:
            for group in range(file.num_row_groups):
                yield file.read_row_group(group, columns=columns.names)
        return
    rows = (
        _lines(location, open_file)
        if isinstance(location, Mapping)
        else _records(location, open_file, rename)
    )
    while batch := list(islice(rows, ROWS)):
        yield _table(location, batch, columns, classes)


def _is_parquet(location: Location) -> bool:
    return isinstance(location, str) and location.endswith(".parquet")


def _parquet(location: Location, open_file: Open) -> pq.ParquetFile:
    assert isinstance(location, str)
    try:
        return pq.ParquetFile(open_file(location))
    except (pa.ArrowInvalid, OSError) as error:
        raise SourceError(f"{location}: not a whole Parquet file ({str(error).splitlines()[0]}).") from None


def _lines(location: Mapping[str, str], open_file: Open) -> Iterator[dict[str, Any]]:
    """Row i is line i of every file. Only a newline ends a line, since texts contain other separators."""
    with ExitStack() as stack:
        files = [stack.enter_context(_text(path, open_file, newline="\n")) for path in location.values()]
        try:
            for lines in zip(*files, strict=True):
                yield dict(zip(location, (line.rstrip("\n") for line in lines), strict=True))
        except ValueError as error:
            names = " and ".join(location.values())
            raise SourceError(f"{names}: not line for line the same rows ({error}).") from None


def _records(path: str, open_file: Open, rename: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """The rows of a file with the declared column names."""
    extension = path.removesuffix(".gz").rpartition(".")[2].lower()
    if extension not in _READERS:
        raise SourceError(
            f"{path}: no way to read rows from it. Allowed: {', '.join(sorted(_READERS))}, gz, zip."
        )
    with _text(path, open_file, newline="" if extension in ("csv", "tsv") else "\n") as file:
        try:
            for row in _READERS[extension](file):
                yield {rename.get(name, name): value for name, value in row.items()}
        except (ValueError, csv.Error, AttributeError, EOFError, gzip.BadGzipFile) as error:
            raise SourceError(f"{path}: not whole {extension.upper()} rows ({error}).") from None


def _json_lines(file: IO[str]) -> Iterator[dict[str, Any]]:
    return (json.loads(line) for line in file if line.strip())


def _json(file: IO[str]) -> Iterator[dict[str, Any]]:
    value = json.load(file)
    return iter(value if isinstance(value, list) else value.values())


def _csv(file: IO[str]) -> Iterable[dict[str, Any]]:
    return csv.DictReader(file)


def _tsv(file: IO[str]) -> Iterable[dict[str, Any]]:
    return csv.DictReader(file, delimiter="\t")


_READERS: dict[str, Callable[[IO[str]], Iterable[dict[str, Any]]]] = {
    "jsonl": _json_lines,
    "json": _json,
    "csv": _csv,
    "tsv": _tsv,
}


def _text(path: str, open_file: Open, newline: str) -> IO[str]:
    archive, _, member = path.partition(MEMBER)
    try:
        raw = open_file(archive)
        if member:
            raw = _member(archive, raw, member)
        if (member or archive).endswith(".gz"):
            raw = gzip.GzipFile(fileobj=raw)  # type: ignore[assignment]
    except (zipfile.BadZipFile, OSError) as error:
        raise SourceError(f"{path}: not a whole archive ({error}).") from None
    return io.TextIOWrapper(raw, encoding="utf-8-sig", newline=newline)


def _member(archive: str, raw: IO[bytes], pattern: str) -> IO[bytes]:
    zip_file = zipfile.ZipFile(raw)
    matches = [name for name in zip_file.namelist() if fnmatchcase(name, pattern)]
    if len(matches) != 1:
        names = ", ".join(zip_file.namelist()[:8])
        raise SourceError(f"{archive}: {len(matches)} members match '{pattern}', expected one of: {names}.")
    return zip_file.open(matches[0])


def _table(
    location: Location, rows: list[dict[str, Any]], columns: pa.Schema, classes: Mapping[str, Sequence[str]]
) -> pa.Table:
    """The declared columns with the declared types, other columns as nulls. A name with a dot is a member of a struct."""
    name = location if isinstance(location, str) else ", ".join(location.values())
    present = {key.partition(".")[0] for row in rows for key in row}
    arrays, fields = [], []
    for field in columns:
        if field.name not in present:
            continue  # check_schema reports it with the nearest name
        values = [_value(row, field.name) for row in rows]
        try:
            if names := classes.get(field.name):
                values = [_class_id(value, names) for value in values]
            arrays.append(pa.array([_as(value, field.type) for value in values], field.type))
        except (pa.ArrowInvalid, pa.ArrowTypeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise SourceError(f"{name}: column {field.name}: expected {field.type}: {reason}.") from None
        fields.append(field)
    others = sorted(present - set(columns.names))
    return pa.table(
        [*arrays, *(pa.nulls(len(rows)) for _ in others)],
        schema=pa.schema([*fields, *(pa.field(other, pa.null()) for other in others)]),
    )


def _value(row: Mapping[str, Any], name: str) -> Any:
    if name in row:
        return row[name]
    members = {key.partition(".")[2]: value for key, value in row.items() if key.startswith(f"{name}.")}
    return members or None


def _class_id(value: Any, names: Sequence[str]) -> Any:
    """The id of a class for its name; other values unchanged."""
    if not isinstance(value, str) or not value.strip():
        return value
    if value in names:
        return names.index(value)
    if not value.strip().lstrip("-").isdecimal():
        raise ValueError(f"no class '{value}'.{nearest(value, names)}")
    return value


def _as(value: Any, kind: pa.DataType) -> Any:
    """The value for a type that JSON or CSV lacks: a number from text, a list of items from an object."""
    if isinstance(value, str) and (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return None if not value.strip() else int(value) if pa.types.is_integer(kind) else float(value)
    if isinstance(value, str) and pa.types.is_boolean(kind):
        return {"true": True, "false": False, "1": True, "0": False}.get(value.strip().lower(), value)
    if isinstance(value, Mapping) and pa.types.is_list(kind):
        return [{"key": str(key), "value": item} for key, item in value.items()]
    return value
