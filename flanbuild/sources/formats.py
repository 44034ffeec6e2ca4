"""Readers of rows, chosen by file extension: Parquet, JSON lines, JSON, CSV, TSV, text, also inside gz and zip.

Parquet files contain their types. Text gets the types of the task file (`sources.text`).
"""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq

from flanbuild.errors import SourceError
from flanbuild.sources.archives import PARQUET, Open, file_kind, is_parquet, open_bytes
from flanbuild.sources.layout import Location
from flanbuild.sources.patterns import split_member
from flanbuild.sources.text import KINDS, Declared, check_header, read_lines, read_rows


def schema_of(location: Location, open_file: Open, columns: pa.Schema) -> pa.Schema:
    """The schema in a Parquet file; `columns`, the declared ones, for a file without a schema."""
    if not isinstance(location, str) or not is_parquet(location):
        return columns
    with _parquet(location, open_file) as file:
        return file.schema_arrow


def tables_of(location: Location, open_file: Open, declared: Declared) -> Iterator[pa.Table]:
    """The rows of a location in their order. Raises SourceError for a file that is damaged or not of its format."""
    if isinstance(location, Mapping):
        return read_lines(location, open_file, declared)
    if is_parquet(location):
        return _row_groups(location, open_file, declared.columns)
    _check_kind(location)
    return read_rows(location, open_file, declared)


def check_file(location: Location, open_file: Open, declared: Declared) -> None:
    """Raises SourceError if the header of a text file does not have the declared columns."""
    if isinstance(location, str) and not is_parquet(location):
        _check_kind(location)
        check_header(location, open_file, declared)


def _check_kind(path: str) -> None:
    kind = file_kind(path)
    if kind in KINDS:
        return
    how = ""
    if kind == "zip":
        how = f" A file of an archive is named as {path}!member."
    elif kind == "txt":
        how = " Text with one line per row is named by column: {column: file}."
    raise SourceError(
        f"{path}: no reader for this kind of file. Allowed: {', '.join((*KINDS, *PARQUET))}, also in gz and zip.{how}"
    )


def _row_groups(path: str, open_file: Open, columns: pa.Schema) -> Iterator[pa.Table]:
    with _parquet(path, open_file) as file:
        for group in range(file.num_row_groups):
            try:
                table = file.read_row_group(group, columns=columns.names)
            except (pa.ArrowException, OSError, ValueError) as error:
                raise SourceError(f"{path}: row group {group} is damaged ({_first_line(error)}).") from None
            yield table


@contextmanager
def _parquet(path: str, open_file: Open) -> Iterator[pq.ParquetFile]:
    archive, member = split_member(path)
    if member or archive.lower().endswith(".gz"):
        with open_bytes(path, open_file) as raw:
            stream: object = io.BytesIO(raw.read())
    else:
        try:
            stream = open_file(path)
        except OSError as error:
            raise SourceError(f"{path}: cannot be read ({error.strerror or error}).") from None
    try:
        file = pq.ParquetFile(stream, page_checksum_verification=True)
        _ = file.schema_arrow.names
    except (pa.ArrowException, OSError, ValueError) as error:  # a name in the footer may be no text
        raise SourceError(f"{path}: not a whole Parquet file ({_first_line(error)}).") from None
    with file:
        yield file


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
