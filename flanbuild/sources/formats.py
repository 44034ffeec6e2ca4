"""Rows out of files, by the ending of their name: Parquet, JSON lines, JSON, CSV, TSV, text; gz and zip around them.

Parquet carries its own types. The others get those of the page: text that can't be read as the declared type
is a fault, and an object where the page declares a list of {key, value} is its items in their order.
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
"""Opens a file of the repository, seekable."""

ROWS = 10_000
"""Rows of a table that is made from text."""


def schema_of(place: Location, open_file: Open, columns: pa.Schema) -> pa.Schema:
    """What the file says of itself; `columns`, as declared, for files that say nothing."""
    if not _is_parquet(place):
        return columns
    with _parquet(place, open_file) as file:
        return file.schema_arrow


def tables_of(
    place: Location,
    open_file: Open,
    columns: pa.Schema,
    rename: Mapping[str, str],
    classes: Mapping[str, Sequence[str]],
) -> Iterator[pa.Table]:
    """The place's rows in their order. Raises SourceError for a file that is damaged or not what its name says.

    `classes` holds the class names of label columns, for files that write a name instead of its number.
    """
    if _is_parquet(place):
        with _parquet(place, open_file) as file:
            for group in range(file.num_row_groups):
                yield file.read_row_group(group, columns=columns.names)
        return
    rows = _lines(place, open_file) if isinstance(place, Mapping) else _records(place, open_file, rename)
    while batch := list(islice(rows, ROWS)):
        yield _table(place, batch, columns, classes)


def _is_parquet(place: Location) -> bool:
    return isinstance(place, str) and place.endswith(".parquet")


def _parquet(place: Location, open_file: Open) -> pq.ParquetFile:
    assert isinstance(place, str)
    try:
        return pq.ParquetFile(open_file(place))
    except (pa.ArrowInvalid, OSError) as error:
        raise SourceError(f"{place}: not a whole Parquet file ({str(error).splitlines()[0]}).") from None


def _lines(place: Mapping[str, str], open_file: Open) -> Iterator[dict[str, Any]]:
    """Row i is line i of every file. Lines end at a newline only: texts may hold other separators."""
    with ExitStack() as stack:
        files = [stack.enter_context(_text(path, open_file, newline="\n")) for path in place.values()]
        try:
            for lines in zip(*files, strict=True):
                yield dict(zip(place, (line.rstrip("\n") for line in lines), strict=True))
        except ValueError as error:
            names = " and ".join(place.values())
            raise SourceError(f"{names}: not line for line the same rows ({error}).") from None


def _records(path: str, open_file: Open, rename: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Each row under the names of our columns."""
    kind = path.removesuffix(".gz").rpartition(".")[2].lower()
    if kind not in _READERS:
        raise SourceError(
            f"{path}: no way to read rows from it. Allowed: {', '.join(sorted(_READERS))}, gz, zip."
        )
    with _text(path, open_file, newline="" if kind in ("csv", "tsv") else "\n") as file:
        try:
            for row in _READERS[kind](file):
                yield {rename.get(name, name): value for name, value in row.items()}
        except (ValueError, csv.Error, AttributeError, EOFError, gzip.BadGzipFile) as error:
            raise SourceError(f"{path}: not whole {kind.upper()} rows ({error}).") from None


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
    opened = zipfile.ZipFile(raw)
    found = [name for name in opened.namelist() if fnmatchcase(name, pattern)]
    if len(found) != 1:
        names = ", ".join(opened.namelist()[:8])
        raise SourceError(f"{archive}: {len(found)} members match '{pattern}', expected one of: {names}.")
    return opened.open(found[0])


def _table(
    place: Location, rows: list[dict[str, Any]], columns: pa.Schema, classes: Mapping[str, Sequence[str]]
) -> pa.Table:
    """The declared columns in the declared types; a name with a dot is a member of a struct."""
    name = place if isinstance(place, str) else ", ".join(place.values())
    found = {key.partition(".")[0] for row in rows for key in row}
    arrays, fields = [], []
    for field in columns:
        if field.name not in found:
            continue  # check_schema says what is missing, and what is near
        values = [_value(row, field.name) for row in rows]
        try:
            if names := classes.get(field.name):
                values = [_class_id(value, names) for value in values]
            arrays.append(pa.array([_as(value, field.type) for value in values], field.type))
        except (pa.ArrowInvalid, pa.ArrowTypeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise SourceError(f"{name}: column {field.name}: expected {field.type}: {reason}.") from None
        fields.append(field)
    others = sorted(found - set(columns.names))
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
    """The number of a class that is written as its name."""
    if not isinstance(value, str) or not value.strip():
        return value
    if value in names:
        return names.index(value)
    if not value.strip().lstrip("-").isdecimal():
        raise ValueError(f"no class '{value}'.{nearest(value, names)}")
    return value


def _as(value: Any, kind: pa.DataType) -> Any:
    """What JSON and CSV can't say: numbers as text, items as an object."""
    if isinstance(value, str) and (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return None if not value.strip() else int(value) if pa.types.is_integer(kind) else float(value)
    if isinstance(value, str) and pa.types.is_boolean(kind):
        return {"true": True, "false": False, "1": True, "0": False}.get(value.strip().lower(), value)
    if isinstance(value, Mapping) and pa.types.is_list(kind):
        return [{"key": str(key), "value": item} for key, item in value.items()]
    return value
