"""Streams of bytes and of text over files, also compressed by gzip or in a zip archive.

Every fault of the file, such as a flipped byte, a password or a byte that is not UTF-8, is a SourceError.
"""

import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, cast

from flanbuild.errors import SourceError
from flanbuild.sources.patterns import matching_members, split_member

PARQUET = ("parquet", "pq")
Open = Callable[[str], IO[bytes]]
"""Opens a file of the repository as a seekable stream."""


def is_parquet(path: str) -> bool:
    """Whether the file's name says that it is Parquet."""
    return file_kind(path) in PARQUET


def file_kind(path: str) -> str:
    """The extension in lower case, without `.gz` and, for a member of an archive, that of the member."""
    archive, member = split_member(path)
    name = (member or archive).lower().rpartition("/")[2]
    return name.removesuffix(".gz").removesuffix("*").rpartition(".")[2]


@contextmanager
def file_errors(path: str) -> Iterator[None]:
    """Turns what file and archive readers raise into a SourceError that names `path`."""
    try:
        yield
    except (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise SourceError(f"{path}: not a whole archive ({_reason(error)}).") from None
    except NotImplementedError as error:
        raise SourceError(f"{path}: the archive cannot be read ({_reason(error)}).") from None
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror or _reason(error)}).") from None


@contextmanager
def open_bytes(path: str, open_file: Open) -> Iterator[IO[bytes]]:
    """The bytes of a file, or of a member of an archive, decompressed."""
    archive, member = split_member(path)
    with file_errors(path):
        raw = open_file(archive)
        try:
            if member:
                raw = _member(archive, raw, member)
            if (member or archive).lower().endswith(".gz") or _name(raw).endswith(".gz"):
                raw = cast(IO[bytes], gzip.GzipFile(fileobj=raw))
            yield raw
        finally:
            raw.close()


@contextmanager
def open_text(path: str, open_file: Open, newline: str) -> Iterator[IO[str]]:
    """The text of a file in UTF-8, without a byte order mark; `newline` is as for `open`.

    Raises SourceError with the line of the first byte that is not UTF-8.
    """
    try:
        with open_bytes(path, open_file) as raw:
            yield io.TextIOWrapper(raw, encoding="utf-8-sig", newline=newline)
    except UnicodeDecodeError:
        if fault := _not_utf8(path, open_file):
            raise SourceError(fault) from None
        raise  # of another file, which is open too


def _not_utf8(path: str, open_file: Open) -> str:
    """The sentence about the first line that is not UTF-8; empty if there is none."""
    with open_bytes(path, open_file) as raw:
        for number, line in enumerate(raw, start=1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                byte = line[error.start]
                return f"{path}:{number}: byte 0x{byte:02x} is not UTF-8; convert the file to UTF-8."
    return ""


def _name(raw: IO[bytes]) -> str:
    """The name of an open member of an archive."""
    name = getattr(raw, "name", "")
    return name.lower() if isinstance(raw, zipfile.ZipExtFile) and isinstance(name, str) else ""


def _member(archive: str, raw: IO[bytes], pattern: str) -> IO[bytes]:
    zip_file = zipfile.ZipFile(raw)
    matches = matching_members(pattern, zip_file.namelist())
    if len(matches) != 1:
        names = ", ".join(zip_file.namelist()[:8]) or "no member"
        raise SourceError(
            f"{archive}: {len(matches)} members match '{pattern}', expected one; the archive has {names}."
        )
    if zip_file.getinfo(matches[0]).flag_bits & 1:
        raise SourceError(f"{archive}: member '{matches[0]}' needs a password; unpack the archive.")
    return zip_file.open(matches[0])


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
