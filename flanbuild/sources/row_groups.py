"""A sample of the row groups of a split that is far larger than any cap, without reading the other row groups.

WMT-14 has 40 million training pairs, and a mixture takes 30,000 of them. The cap takes rows in keyed order, and such
rows are in nearly every row group, so reading exactly these rows would download everything. Instead, whole row
groups are read, in the keyed order of the groups, until there are `max_rows` rows (`source.max_rows` of the task
file); the cap then takes from these rows as usual. Every row group has the same probability, so no part of the corpus
is preferred. Since the rows of a group come together, a task file sets `max_rows` to many times its cap, and at least
GROUPS groups are read.
"""

import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from flanbuild.errors import SourceError
from flanbuild.keys import row_keys, task_key

GROUPS = 32
"""Minimum number of row groups, whatever their rows: fewer would represent too few parts of a corpus."""
_TAIL = 8  # bytes at the end of a Parquet file: the length of the footer, and PAR1


class Ranges(Protocol):
    """A file that can be read by range of bytes."""

    @property
    def name(self) -> str:
        """The name in error messages."""

    @property
    def size(self) -> int:
        """The size in bytes."""

    def read(self, start: int, stop: int) -> bytes:
        """The bytes from `start` to `stop`, the latter excluded."""


@dataclass(frozen=True)
class _Group:
    file: int
    index: int
    rows: int


class RowGroupSample:
    """The chosen row groups of the files of a split: their schemas, their tables and a digest of the bytes read.

    `of` is the number of rows of the whole split, `rows` that of the chosen row groups.
    """

    def __init__(self, files: Sequence[Ranges], name: str, columns: Sequence[str], max_rows: int) -> None:
        """Reads the footers only. `name` is the name of the split and the key of the choice."""
        self.columns = list(columns)
        self._files = [_RangeFile(file) for file in files]
        self._parquet = [_parquet(file) for file in self._files]
        groups = [
            _Group(i, g, file.metadata.row_group(g).num_rows)
            for i, file in enumerate(self._parquet)
            for g in range(file.num_row_groups)
        ]
        self.of = sum(group.rows for group in groups)
        self._chosen = [groups[g] for g in choose([group.rows for group in groups], name, max_rows)]
        self.rows = sum(group.rows for group in self._chosen)
        self.schemas: list[pa.Schema] = [file.schema_arrow for file in self._parquet]
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """The digest of footers and row groups in reading order; complete after all tables are read."""
        return self._digest.hexdigest()

    def tables(self) -> Iterator[pa.Table]:
        """The row groups in the order of the files. Each is read with one request and not kept."""
        for file in self._files:
            self._digest.update(file.footer())
        for group in self._chosen:
            file, parquet = self._files[group.file], self._parquet[group.file]
            extent = _extent(file.file.name, parquet.metadata.row_group(group.index), self.columns)
            self._digest.update(file.prefetch(*extent))
            try:
                table = parquet.read_row_group(group.index, columns=self.columns)
            except (pa.ArrowException, OSError, ValueError) as error:
                raise SourceError(
                    f"{file.file.name}: row group {group.index} is damaged ({_first_line(error)})."
                ) from None
            yield table


def count_rows(file: Ranges) -> int:
    """The rows of a Parquet file; reads its footer only."""
    return int(_parquet(_RangeFile(file)).metadata.num_rows)


def choose(rows: Sequence[int], name: str, max_rows: int) -> list[int]:
    """The indices of the chosen groups, sorted; `rows` has the rows of each group.

    Groups are taken in keyed order until they have `max_rows` rows and are at least GROUPS.
    """
    order = np.argsort(row_keys(task_key(0, "excerpt", name), np.arange(len(rows))), kind="stable")
    totals = np.cumsum(np.asarray(rows, np.int64)[order])
    count = max(int(np.searchsorted(totals, max_rows)) + 1, GROUPS)
    return sorted(int(group) for group in order[:count])


class _RangeFile(io.RawIOBase):
    """A stream over `Ranges` that reads the footer and the prefetched bytes from memory."""

    def __init__(self, file: Ranges) -> None:
        self.file = file
        self._position = 0
        self._prefetched: tuple[int, bytes] = (0, b"")
        length = int.from_bytes(self.file.read(max(0, file.size - _TAIL), file.size)[:4], "little")
        start = max(0, file.size - _TAIL - length)
        self._footer = (start, self.file.read(start, file.size))

    def footer(self) -> bytes:
        return self._footer[1]

    def prefetch(self, start: int, stop: int) -> bytes:
        self._prefetched = (start, self.file.read(start, stop))
        return self._prefetched[1]

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = (
            offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.file.size}[whence]
        )
        return self._position

    def readinto(self, buffer: Any) -> int:
        stop = min(self._position + len(buffer), self.file.size)
        data = self._bytes(self._position, stop) if stop > self._position else b""
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _bytes(self, start: int, stop: int) -> bytes:
        for first, data in (self._footer, self._prefetched):
            if first <= start and stop <= first + len(data):
                return data[start - first : stop - first]
        return self.file.read(start, stop)


def _parquet(file: _RangeFile) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(file, pre_buffer=False)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise SourceError(f"{file.file.name}: not a whole Parquet file ({_first_line(error)}).") from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _extent(name: str, group: Any, columns: Sequence[str]) -> tuple[int, int]:
    """The range of bytes in the file that contains all columns. Raises SourceError if it has none of them."""
    extents = []
    for i in range(group.num_columns):
        column = group.column(i)
        if column.path_in_schema.partition(".")[0] in columns:
            offsets = (column.dictionary_page_offset, column.data_page_offset)
            start = min(offset for offset in offsets if offset)
            extents.append((start, start + column.total_compressed_size))
    if not extents:
        raise SourceError(f"{name}: has none of the columns {', '.join(columns)}.")
    return min(start for start, _ in extents), max(stop for _, stop in extents)
