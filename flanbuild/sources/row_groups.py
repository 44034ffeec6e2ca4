"""A part of a split that is far larger than any cap, without reading the rest.

WMT-14 has 40 million training pairs, and a mixture draws 30,000. Which rows those are is decided by keyed order,
and rows in keyed order lie in nearly every row group, so that drawing exactly them would mean to download
everything. Instead whole row groups are taken, in the keyed order of the groups, until there are `max_rows` rows
(a page's `source.max_rows`); the cap then draws from these by row, as ever. Every row group has the same chance, so
no part of the corpus is favoured; but rows of one group come together, so a page asks for many times its cap, and at least GROUPS groups are taken.
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
"""However many rows they have, fewer groups would stand for too few parts of a corpus."""
_TAIL = 8  # the length of the footer, and PAR1


class Ranges(Protocol):
    """A file that can be read by range."""

    @property
    def name(self) -> str:
        """For errors."""

    @property
    def size(self) -> int:
        """In bytes."""

    def read(self, start: int, stop: int) -> bytes:
        """The bytes from `start` up to `stop`."""


@dataclass(frozen=True)
class _Group:
    file: int
    index: int
    rows: int


class RowGroupSample:
    """The chosen row groups of a split's files: their schemas, their tables, and a digest of what was read."""

    def __init__(self, files: Sequence[Ranges], name: str, columns: Sequence[str], max_rows: int) -> None:
        """Reads the footers only. `name` is the split's, and keys the choice."""
        self.columns = list(columns)
        self._opened = [_Sparse(file) for file in files]
        self._parquet = [_parquet(opened) for opened in self._opened]
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
        """Of footers and row groups in reading order; final once the tables were read."""
        return self._digest.hexdigest()

    def tables(self) -> Iterator[pa.Table]:
        """The row groups in the order of the files, each fetched in one piece and let go of."""
        for opened in self._opened:
            self._digest.update(opened.footer())
        for group in self._chosen:
            opened, file = self._opened[group.file], self._parquet[group.file]
            self._digest.update(opened.hold(*_extent(file.metadata.row_group(group.index), self.columns)))
            yield file.read_row_group(group.index, columns=self.columns)


def choose(rows: Sequence[int], name: str, max_rows: int) -> list[int]:
    """Which groups of so many rows each: in keyed order, until they have `max_rows` and are GROUPS; in file order."""
    order = np.argsort(row_keys(task_key(0, "excerpt", name), np.arange(len(rows))), kind="stable")
    reached = np.cumsum(np.asarray(rows, np.int64)[order])
    count = max(int(np.searchsorted(reached, max_rows)) + 1, GROUPS)
    return sorted(int(group) for group in order[:count])


class _Sparse(io.RawIOBase):
    """A file whose reads are answered from what is held, and by range otherwise."""

    def __init__(self, file: Ranges) -> None:
        self.file = file
        self._at = 0
        self._held: tuple[int, bytes] = (0, b"")
        self._end = (file.size, b"")
        length = int.from_bytes(self.file.read(max(0, file.size - _TAIL), file.size)[:4], "little")
        start = max(0, file.size - _TAIL - length)
        self._end = (start, self.file.read(start, file.size))

    def footer(self) -> bytes:
        return self._end[1]

    def hold(self, start: int, stop: int) -> bytes:
        self._held = (start, self.file.read(start, stop))
        return self._held[1]

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.file.size}[whence]
        return self._at

    def readinto(self, buffer: Any) -> int:
        stop = min(self._at + len(buffer), self.file.size)
        data = self._bytes(self._at, stop) if stop > self._at else b""
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _bytes(self, start: int, stop: int) -> bytes:
        for first, held in (self._end, self._held):
            if first <= start and stop <= first + len(held):
                return held[start - first : stop - first]
        return self.file.read(start, stop)


def _parquet(opened: _Sparse) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(opened, pre_buffer=False)
    except (pa.ArrowInvalid, OSError) as error:
        raise SourceError(
            f"{opened.file.name}: not a whole Parquet file ({str(error).splitlines()[0]})."
        ) from None


def _extent(group: Any, columns: Sequence[str]) -> tuple[int, int]:
    """Where the columns' bytes lie in the file, from the first to the last."""
    extents = []
    for i in range(group.num_columns):
        column = group.column(i)
        if column.path_in_schema.partition(".")[0] in columns:
            offsets = (column.dictionary_page_offset, column.data_page_offset)
            start = min(offset for offset in offsets if offset)
            extents.append((start, start + column.total_compressed_size))
    return min(start for start, _ in extents), max(stop for _, stop in extents)
