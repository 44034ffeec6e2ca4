"""The strict reader of text: CSV, TSV, JSON lines, JSON, and text files with one line per row.

Every value becomes a value of its declared type as `artifacts.values` describes it, and each fault is a SourceError
with the file, its line, the column and the value. A row has as many cells as the header. Quotation marks quote in CSV;
in TSV they do only if the task file declares so (`source.csv`). Cells and lines may have any length.

pyarrow reads CSV and TSV without quotation marks. Where it stops, and for all other files, the readers of Python's
standard library read on, and these know the lines.
"""

import codecs
import csv
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from flanbuild.artifacts.values import Misfit, sentence, show, to_array, to_labels
from flanbuild.declare.task import CsvDialect
from flanbuild.errors import SourceError, nearest
from flanbuild.progress import log
from flanbuild.sources.archives import Open, file_errors, file_kind, open_bytes, open_text

ROWS = 10_000
"""Maximum rows of a table that is read from text."""
CHARACTERS = 1 << 25
"""Characters after which a table ends, so that few long rows need little memory."""
BLOCK = 1 << 22
"""Bytes that the fast reader reads at once."""
KINDS = ("csv", "json", "jsonl", "ndjson", "tsv")

csv.field_size_limit(min(sys.maxsize, 2**31 - 1))


@dataclass(frozen=True)
class Declared:
    """What a task file declares about its text files."""

    columns: pa.Schema
    classes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """label column → class names, for files with names instead of ids"""
    rename: Mapping[str, str] = field(default_factory=dict)
    """names in files → columns"""
    csv: CsvDialect = field(default_factory=CsvDialect)


@dataclass
class _Batch:
    """Some rows, with the line that each begins on (0 in JSON files, whose rows have no lines)."""

    rows: list[Any] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    characters: int = 0
    first: int = 0
    """the number of the first row in its file"""

    def add(self, row: Any, line: int, characters: int) -> bool:
        """Whether the batch is full with this row."""
        self.rows.append(row)
        self.lines.append(line)
        self.characters += characters
        return len(self.rows) >= ROWS or self.characters >= CHARACTERS

    def next(self) -> "_Batch":
        return _Batch(first=self.first + len(self.rows))


def read_rows(path: str, open_file: Open, declared: Declared) -> Iterator[pa.Table]:
    """The rows of a file of one of KINDS. Raises SourceError for a file that is damaged or not of its format."""
    kind = file_kind(path)
    if kind in ("csv", "tsv"):
        return _delimited(path, open_file, declared)
    return _objects(path, open_file, declared, _json if kind == "json" else _json_lines)


def read_lines(files: Mapping[str, str], open_file: Open, declared: Declared) -> Iterator[pa.Table]:
    """Row i is line i of every file, a file for each column. Only a newline, or CR and newline, ends a line."""
    names = list(files)
    for name in names:
        if name.partition(".")[0] not in declared.columns.names:
            hint = nearest(name.partition(".")[0], declared.columns.names)
            raise SourceError(f"{files[name]}: column '{name}' is not declared.{hint}")
    _check_columns(", ".join(files.values()), names, declared.columns)
    with ExitStack() as stack:
        streams = [stack.enter_context(open_text(path, open_file, "\n")) for path in files.values()]
        batch = _Batch()
        for line, texts in enumerate(_together(list(files.values()), streams), start=1):
            if batch.add(texts, line, sum(map(len, texts))):
                yield _table(list(files.values()), names, batch, declared)
                batch = batch.next()
        if batch.rows:
            yield _table(list(files.values()), names, batch, declared)


def check_header(path: str, open_file: Open, declared: Declared) -> None:
    """Raises SourceError if the header of a CSV or TSV file lacks a declared column; reads one row of other files."""
    if file_kind(path) in ("csv", "tsv"):
        with open_text(path, open_file, _newline(path, declared)) as file, file_errors(path):
            _header(path, _cells(path, file, declared), declared)
        return
    for table in read_rows(path, open_file, declared):
        del table
        return


# --- CSV and TSV -----------------------------------------------------------------------------------------------------


def _delimited(path: str, open_file: Open, declared: Declared) -> Iterator[pa.Table]:
    """The fast reader as far as it comes, then the exact one, which finds the fault or reads on."""
    rows = 0
    try:
        for table in _fast_delimited(path, open_file, declared):
            yield table
            rows += table.num_rows
    except (pa.ArrowException, Misfit):
        yield from _without(_exact_delimited(path, open_file, declared), rows)


def _fast_delimited(path: str, open_file: Open, declared: Declared) -> Iterator[pa.Table]:
    """pyarrow's reader. Raises ArrowInvalid or Misfit where the exact reader has to look."""
    delimiter, quote = _dialect(path, declared)
    if not (delimiter + quote).isascii():
        raise pa.ArrowInvalid("pyarrow takes delimiters and quotation marks of one byte")
    with open_text(path, open_file, _newline(path, declared)) as text, file_errors(path):
        header = _header(path, _cells(path, text, declared), declared)
        skipped = header.lines
    with open_bytes(path, open_file) as raw, file_errors(path):
        for block in _blocks(raw, quote):
            table = pa_csv.read_csv(
                pa.BufferReader(block),
                read_options=pa_csv.ReadOptions(
                    use_threads=False,
                    block_size=len(block),
                    column_names=[str(i) for i in range(len(header.names))],
                    skip_rows=skipped,
                ),
                parse_options=pa_csv.ParseOptions(delimiter=delimiter, quote_char=False, double_quote=False),
                convert_options=pa_csv.ConvertOptions(
                    include_columns=[str(i) for i in header.positions.values()],
                    column_types={str(i): pa.string() for i in header.positions.values()},
                    strings_can_be_null=False,
                ),
            )
            for batch in table.to_batches():
                columns = dict(zip(header.positions, batch.columns, strict=True))
                if not quote:
                    header.count_quoted(columns.values())
                yield _from_strings(columns, declared)
            skipped = 0
    header.warn(path)


def _exact_delimited(path: str, open_file: Open, declared: Declared) -> Iterator[pa.Table]:
    with open_text(path, open_file, _newline(path, declared)) as file, file_errors(path):
        cells = _cells(path, file, declared)
        header = _header(path, cells, declared)
        names, positions = list(header.positions), list(header.positions.values())
        quote = _dialect(path, declared)[1]
        batch = _Batch()
        for line, row in cells:
            if not row:
                continue  # an empty line
            if len(row) != len(header.names):
                raise SourceError(
                    f"{path}:{line}: {len(row)} cells, but the header has {len(header.names)}: "
                    f"{show(row[: len(header.names) + 2])}."
                )
            chosen = [row[i] for i in positions]
            header.count_spaced(chosen, quote)
            if batch.add(chosen, line, sum(map(len, chosen))):
                yield _table([path], names, batch, declared)
                batch = batch.next()
        if batch.rows:
            yield _table([path], names, batch, declared)
    header.warn(path)


@dataclass
class _Header:
    names: list[str]
    """all columns of the file, under their declared names"""
    positions: dict[str, int]
    """declared column or member → its position"""
    lines: int
    """lines that the header takes"""
    quoted: int = 0

    spaced: int = 0

    def count_quoted(self, columns: Any) -> None:
        """Counts cells that begin and end with a quotation mark in files that have no quoting."""
        for column in columns:
            marked = pc.match_substring_regex(column, '^".+"$')
            self.quoted += pc.sum(marked).as_py() or 0

    def count_spaced(self, row: Sequence[str], quote: str) -> None:
        """Counts cells with a space before their quotation marks, which are text then."""
        if quote:
            self.spaced += sum(cell[:1] == " " and cell.lstrip()[:1] == quote == cell[-1:] for cell in row)

    def warn(self, path: str) -> None:
        if self.quoted:
            log(
                f"{path}: {self.quoted:,} cells begin and end with a quotation mark, which is part of the text here; "
                "`csv: {quote: '\"'}` under `source` reads them as quoted."
            )
        if self.spaced:
            log(
                f"{path}: {self.spaced:,} cells have a space before their quotation marks, which are part of the text "
                "then; remove the spaces after the delimiter to have them quoted."
            )


def _header(path: str, cells: Iterator[tuple[int, list[str]]], declared: Declared) -> _Header:
    """The names of a file's columns. Raises SourceError for a name that is missing, ambiguous or used twice."""
    expected = list(declared.columns.names)
    if declared.csv.header is False or isinstance(declared.csv.header, tuple):
        names, lines = list(declared.csv.header or expected), 0
    else:
        line, names = next(((line, row) for line, row in cells if row and row != [""]), (0, []))
        lines = line + sum(name.count("\n") for name in names) if line else 0
        if not line:
            raise SourceError(f"{path}: the file is empty; expected a header with {', '.join(expected)}.")
    names = _renamed(path, names, declared.rename, names)
    for name in names:
        if names.count(name) > 1 and name.partition(".")[0] in expected:
            raise SourceError(f"{path}: the header has {names.count(name)} columns '{name}'.")
    _check_columns(path, names, declared.columns)
    positions = {name: i for i, name in enumerate(names) if name.partition(".")[0] in expected}
    for name in expected:
        if name in positions and any(other.startswith(f"{name}.") for other in positions):
            raise SourceError(f"{path}: the header has column '{name}' and members of it.")
    return _Header(names, positions, lines)


def _renamed(path: str, names: Sequence[str], rename: Mapping[str, str], known: Sequence[str]) -> list[str]:
    for old, new in rename.items():
        if old not in known:
            raise SourceError(f"{path}: source.rename: no column '{old}'.{nearest(old, known)}")
        if new in known and new not in rename:
            raise SourceError(
                f"{path}: source.rename: '{old}' cannot become '{new}', since the file has a column '{new}'."
            )
    return [rename.get(name, name) for name in names]


def _check_columns(path: str, names: Sequence[str], columns: pa.Schema) -> None:
    present = {name.partition(".")[0] for name in names}
    for name in columns.names:
        if name not in present and name not in names:
            raise SourceError(f"{path}: no column '{name}'.{_other_delimiter(names) or nearest(name, names)}")


def _other_delimiter(names: Sequence[str]) -> str:
    """A hint where a header is one cell that another delimiter would divide."""
    if len(names) != 1:
        return ""
    marks = {";": ";", "\t": r"\t", "|": "|", ",": ","}
    found = next((shown for mark, shown in marks.items() if mark in names[0]), "")
    return (
        f' The header is one cell; `csv: {{delimiter: "{found}"}}` under `source` divides it.'
        if found
        else ""
    )


def _dialect(path: str, declared: Declared) -> tuple[str, str]:
    """The delimiter, and the quotation mark or an empty text."""
    tsv = file_kind(path) == "tsv"
    quote = declared.csv.quote if declared.csv.quote is not None else "" if tsv else '"'
    return declared.csv.delimiter or ("\t" if tsv else ","), quote


def _newline(path: str, declared: Declared) -> str:
    return "" if _dialect(path, declared)[1] else "\n"


def _cells(path: str, file: IO[str], declared: Declared) -> Iterator[tuple[int, list[str]]]:
    """The cells of each row, with the line that it begins on."""
    delimiter, quote = _dialect(path, declared)
    if not quote:
        for line, text in enumerate(file, start=1):
            cells = _without_ending(text)
            yield line, cells.split(delimiter) if cells else []
        return
    rows = csv.reader(file, delimiter=delimiter, quotechar=quote, strict=True)
    line = 1
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            raise SourceError(f"{path}:{line}: {_csv_fault(error, quote, line, rows.line_num)}.") from None
        yield line, row
        line = rows.line_num + 1


def _csv_fault(error: csv.Error, quote: str, line: int, last: int) -> str:
    if "unexpected end of data" in str(error):
        return f"a quotation mark ({quote}) that opens in this row is never closed"
    if "expected after" in str(error):
        where = f", which runs to line {last}" if last > line else ""
        return f"text follows a closing quotation mark ({quote}) in this row{where}; a mark within a cell is doubled"
    return f"not a row of CSV ({error})"


def _blocks(raw: IO[bytes], quote: str) -> Iterator[bytes]:
    """The bytes of whole rows, about BLOCK at a time. Raises ArrowInvalid where pyarrow and the exact reader could differ.

    pyarrow's own reading of a stream is not used: its thread reads ahead through Python's file object, and ends the
    process if a fault stops the program meanwhile.
    """
    rest: list[bytes] = []
    blocks = 0
    while data := raw.read(BLOCK):
        whole, newline, tail = data.rpartition(b"\n")
        if newline:
            yield _plain(b"".join([*rest, whole, newline]), quote, blocks)
            rest = []
            blocks += 1
        rest.append(tail)
    if last := b"".join(rest):
        yield _plain(last, quote, blocks)


def _plain(block: bytes, quote: str, before: int) -> bytes:
    if before and block.startswith(codecs.BOM_UTF8):
        raise pa.ArrowInvalid("pyarrow drops a byte order mark wherever a block begins")
    if b"\x00" in block:
        raise pa.ArrowInvalid("a null byte")
    if quote and quote.encode() in block:
        raise pa.ArrowInvalid("a quotation mark")
    if not quote and block.count(b"\r") != block.count(b"\r\n"):
        raise pa.ArrowInvalid("a carriage return that ends no row")
    return block


# --- JSON ------------------------------------------------------------------------------------------------------------


def _objects(path: str, open_file: Open, declared: Declared, read: Any) -> Iterator[pa.Table]:
    """The rows of objects. A column may be missing in some of them, but not in all."""
    present: dict[str, None] = {}
    batch = _Batch()
    with open_text(path, open_file, "\n") as file, file_errors(path):
        for line, row, characters in read(path, file):
            if not isinstance(row, dict):
                raise SourceError(
                    f"{_at(path, line, batch)}: expected an object with {', '.join(declared.columns.names)}, "
                    f"found {show(row)}."
                )
            if not row.keys() <= present.keys():
                present |= dict.fromkeys(row)
            if batch.add(row, line, characters):
                yield _table_of_objects(path, batch, present, declared)
                batch = batch.next()
    if not batch.first and not batch.rows:
        return
    _check_columns(path, _renamed(path, list(present), declared.rename, list(present)), declared.columns)
    if batch.rows:
        yield _table_of_objects(path, batch, present, declared)


def _json_lines(path: str, file: IO[str]) -> Iterator[tuple[int, Any, int]]:
    for number, line in enumerate(file, start=1):
        if line.strip():
            yield number, _parsed(f"{path}:{number}", line), len(line)


def _json(path: str, file: IO[str]) -> Iterator[tuple[int, Any, int]]:
    """The items of a list of objects, or the values of an object of objects."""
    text = file.read()
    if not text.strip():
        return
    value = _parsed(path, text, lines=True)
    if isinstance(value, dict) and not all(isinstance(item, dict) for item in value.values()):
        name = next(name for name, item in value.items() if not isinstance(item, dict))
        raise SourceError(
            f"{path}: expected a list of objects, found an object whose '{name}' is {show(value[name])}."
        )
    if not isinstance(value, list | dict):
        raise SourceError(f"{path}: expected a list of objects, found {show(value)}.")
    average = len(text) // max(1, len(value))
    for row in value if isinstance(value, list) else value.values():
        yield 0, row, average


def _parsed(where: str, text: str, *, lines: bool = False) -> Any:
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        where = f"{where}:{error.lineno}" if lines else where
        raise SourceError(f"{where}: not JSON ({error.msg}, column {error.colno}).") from None
    except RecursionError:
        raise SourceError(f"{where}: the JSON is nested too deeply.") from None
    except ValueError as error:
        raise SourceError(f"{where}: {str(error).split(';')[0]}.") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"an object has the key '{twice}' twice")
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_object)


def _table_of_objects(path: str, batch: _Batch, present: Mapping[str, None], declared: Declared) -> pa.Table:
    expected = set(declared.columns.names)
    old = {new: name for name, new in declared.rename.items()}
    sources: dict[str, str] = {}
    for name in present:
        renamed = declared.rename.get(name, name)
        if renamed.partition(".")[0] not in expected:
            continue
        if renamed in sources or (renamed in old and renamed in present and renamed not in declared.rename):
            _renamed(path, list(present), declared.rename, list(present))
        sources[renamed] = name
    rows = [[row.get(name) for name in sources.values()] for row in batch.rows]
    batch = _Batch(rows, batch.lines, first=batch.first)
    return _table([path], list(sources), batch, declared)


# --- columns ---------------------------------------------------------------------------------------------------------


def _table(paths: Sequence[str], names: Sequence[str], batch: _Batch, declared: Declared) -> pa.Table:
    """The declared columns with the declared types. A name with a dot is a member of a struct."""
    cells = dict(zip(names, zip(*batch.rows, strict=True), strict=True)) if names else {}
    arrays = []
    for column in declared.columns:
        try:
            arrays.append(_array(column, cells, len(batch.rows), declared))
        except Misfit as misfit:
            sources = [
                path
                for path, name in zip(paths, names, strict=False)
                if name.partition(".")[0] == column.name
            ]
            path = sources[0] if len(paths) > 1 and sources else paths[0]
            at = _at(path, batch.lines[misfit.index], batch, misfit.index)
            raise SourceError(
                f"{at}: column {column.name}{misfit.member}: {sentence(misfit.sentence)}"
            ) from None
    return pa.table(arrays, schema=declared.columns)


def _array(column: pa.Field, cells: Mapping[str, Sequence[Any]], rows: int, declared: Declared) -> pa.Array:
    if column.name not in cells:
        prefix = f"{column.name}."
        members = {name[len(prefix) :]: values for name, values in cells.items() if name.startswith(prefix)}
        values: Sequence[Any] = (
            [dict(zip(members, row, strict=True)) for row in zip(*members.values(), strict=True)]
            if members
            else [None] * rows
        )
    else:
        values = cells[column.name]
    if names := declared.classes.get(column.name):
        values = to_labels(values, names)
    return to_array(values, column.type)


def _from_strings(columns: Mapping[str, pa.Array], declared: Declared) -> pa.Table:
    """The same for columns of strings, whose strings stay as they are."""
    rows = len(next(iter(columns.values()))) if columns else 0
    arrays = []
    for column in declared.columns:
        plain = pa.types.is_string(column.type) and column.name in columns
        if plain and column.name not in declared.classes:
            arrays.append(columns[column.name])
        else:
            own = {
                name: values.to_pylist()
                for name, values in columns.items()
                if name == column.name or name.startswith(f"{column.name}.")
            }
            arrays.append(_array(column, own, rows, declared))
    return pa.table(arrays, schema=declared.columns)


def _at(path: str, line: int, batch: _Batch, index: int | None = None) -> str:
    """The position of a row: its line, or in JSON its number."""
    number = batch.first + (len(batch.rows) if index is None else index)
    return f"{path}:{line}" if line else f"{path}: item {number}"


def _together(paths: Sequence[str], streams: Sequence[IO[str]]) -> Iterator[tuple[str, ...]]:
    for number, lines in enumerate(zip_longest(*streams, fillvalue="")):
        if "" in lines:  # the end of a file; a line has at least its newline
            short = paths[lines.index("")]
            raise SourceError(
                f"{' and '.join(paths)}: not line for line the same rows; {short} ends after {number:,} lines."
            )
        yield tuple(_without_ending(line) for line in lines)


def _without_ending(line: str) -> str:
    return line[:-2] if line.endswith("\r\n") else line.removesuffix("\n")


def _without(tables: Iterator[pa.Table], rows: int) -> Iterator[pa.Table]:
    """The tables without their first rows."""
    for table in tables:
        if rows < table.num_rows:
            yield table.slice(rows)
        rows = max(0, rows - table.num_rows)
