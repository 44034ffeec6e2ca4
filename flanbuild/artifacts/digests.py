"""Digests of rows, which do not depend on the file format, the chunks or the writer."""

import mmap
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from flanbuild.artifacts.files import digest_of


class RowsDigest:
    """xxh3_128 over rows, column by column, lengths and values apart.

    Neither the layout of a file nor how rows are cut into tables enters, so equal rows that another version or
    another compressor wrote have equal digests. Damaged bytes of a file are found by the file's own digest.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._streams: dict[str, xxhash.xxh3_128] = {}

    def update(self, table: pa.Table) -> None:
        """Adds the table's rows behind those that were added before."""
        for name in table.schema.names:
            for chunk in table.column(name).chunks:
                for stream, values in _streams(chunk, name):
                    if len(values):
                        self._streams.setdefault(stream, xxhash.xxh3_128()).update(values)
        self.rows += table.num_rows

    def hexdigest(self) -> str:
        """The digest of all rows so far, in hexadecimal."""
        streams = {name: stream.hexdigest() for name, stream in self._streams.items()}
        return digest_of([self.rows, streams])


def part_digests(path: Path, edges: Sequence[int]) -> tuple[str, ...]:
    """The xxh3_64 of a file's bytes from each edge to the next, and from the last edge to the end."""
    with path.open("rb") as file:
        whole = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    cuts = [*edges, len(whole)]
    return tuple(xxhash.xxh3_64_hexdigest(whole[start:end]) for start, end in pairwise(cuts))


def rows_digest(table: pa.Table) -> str:
    """The digest of one table's rows."""
    digest = RowsDigest()
    digest.update(table)
    return digest.hexdigest()


def _streams(array: pa.Array, name: str) -> Iterator[tuple[str, bytes | memoryview]]:
    """(stream, bytes) of a column, the same for any offset or chunking. A null text or list has the length -1."""
    kind = array.type
    if pa.types.is_struct(kind):
        yield f"{name} valid", array.is_valid().to_numpy(zero_copy_only=False).tobytes()
        for field, inner in zip(kind, array.flatten(), strict=True):
            yield from _streams(inner, f"{name}.{field.name}")
    elif pa.types.is_fixed_size_list(kind):
        yield from _streams(array.cast(pa.list_(kind.value_type)), name)
    elif _is_text(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind):
        lengths = np.diff(_offsets(array))
        if array.null_count:
            lengths = np.where(array.is_valid().to_numpy(zero_copy_only=False), lengths, -1)
            array = array.fill_null("") if _is_text(kind) else array
        yield f"{name} lengths", lengths.astype("<i4").tobytes()
        if _is_text(kind):
            yield f"{name} values", _text(array)
        else:
            yield from _streams(array.flatten(), f"{name} item")
    elif pa.types.is_null(kind):
        yield f"{name} nulls", bytes(len(array))
    else:
        yield f"{name} valid", array.is_valid().to_numpy(zero_copy_only=False).tobytes()
        if array.null_count:
            array = array.fill_null(False if pa.types.is_boolean(kind) else 0)
        values = array.to_numpy(zero_copy_only=False)
        yield f"{name} values", values.astype(values.dtype.newbyteorder("<")).tobytes()


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _offsets(array: pa.Array) -> NDArray[np.int64]:
    large = pa.types.is_large_string(array.type) or pa.types.is_large_list(array.type)
    if not len(array):
        return np.zeros(1, np.int64)
    offsets = np.frombuffer(array.buffers()[1], np.int64 if large else np.int32)
    return offsets[array.offset : array.offset + len(array) + 1].astype(np.int64)


def _text(array: pa.Array) -> memoryview:
    """The bytes of all strings, one after the other."""
    offsets = _offsets(array)
    return memoryview(array.buffers()[2] or b"")[offsets[0] : offsets[-1]]
