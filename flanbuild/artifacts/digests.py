"""Digests of rows, which do not depend on the file format, the chunks or the writer."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash

from flanbuild.artifacts.files import digest_of


class RowsDigest:
    """xxh3 over rows column by column, lengths and values apart: not the layout of a file, nor how rows are cut.

    So rows can come in tables of any size. It tells equal rows that another compressor wrote; what guards the
    file is its sha256.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._streams: dict[str, Any] = {}

    def update(self, table: pa.Table) -> None:
        """Goes on with the table's rows."""
        for name in table.schema.names:
            for chunk in table.column(name).chunks:
                for stream, values in _streams(chunk, name):
                    if len(values):
                        self._streams.setdefault(stream, xxhash.xxh3_128()).update(values)
        self.rows += table.num_rows

    def hexdigest(self) -> str:
        """Of the rows so far."""
        return digest_of([self.rows, {name: of.hexdigest() for name, of in self._streams.items()}])


def rows_digest(table: pa.Table) -> str:
    """The digest of one table's rows."""
    digest = RowsDigest()
    digest.update(table)
    return digest.hexdigest()


def _streams(array: pa.Array, name: str) -> Iterator[tuple[str, bytes | memoryview]]:
    """(stream, bytes): the same for any offset or chunking. A null text or list has the length -1."""
    kind = array.type
    if pa.types.is_string(kind) or pa.types.is_list(kind):
        offsets = np.frombuffer(array.buffers()[1], np.int32)[array.offset : array.offset + len(array) + 1]
        lengths = np.diff(offsets)
        if array.null_count:
            lengths = np.where(array.is_valid().to_numpy(zero_copy_only=False), lengths, -1)
            array = array.fill_null("") if pa.types.is_string(kind) else array
        yield f"{name} lengths", lengths.astype("<i4").tobytes()
        if pa.types.is_list(kind):
            yield from _streams(array.flatten(), f"{name} item")
        else:
            yield f"{name} values", _text(array)
    else:
        values = array.fill_null(0).to_numpy()
        yield f"{name} values", values.astype(values.dtype.newbyteorder("<")).tobytes()


def _text(array: pa.StringArray) -> memoryview:
    """The bytes of all strings, one after the other."""
    _, offsets, text = array.buffers()
    first, last = np.frombuffer(offsets, np.int32)[[array.offset, array.offset + len(array)]]
    return memoryview(text or b"")[first:last]
