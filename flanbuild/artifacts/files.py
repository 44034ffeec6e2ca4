"""Files on disk: JSON, digests, and folders that are written whole or not at all.

A file or folder is written beside its place and renamed, so nothing is ever half-written. Staging names are unique
per process. Whoever writes an artifact holds its lock (`locked`), so whatever staging folder lies there when the lock
is taken belongs to a run that died, and is swept away.
"""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import xxhash

from flanbuild.errors import ArtifactError, ExecutionError
from flanbuild.progress import log

_CHUNK_BYTES = 1 << 20


def sha256_of(path: Path) -> str:
    """The sha256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def xxh3_of(path: Path) -> str:
    """The xxh3_128 of a file's bytes, in hexadecimal: five times as fast as sha256, for files of our own."""
    digest = xxhash.xxh3_128()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def write_json(path: Path, value: Any) -> None:
    """Writes JSON with sorted keys, indented by two, with a newline at the end.

    The bytes are on the disk before the file gets its name, so that a power cut leaves a whole record or none. Data
    files are not synchronised, which would make a small build a fifth slower: their record has their digests.
    """
    with atomic_path(path) as part, part.open("w", encoding="utf-8") as file:
        file.write(dump_json(value))
        file.flush()
        os.fsync(file.fileno())


def dump_json(value: Any) -> str:
    """The one spelling of a value, so that equal values are equal bytes."""
    return json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False) + "\n"


def read_json(path: Path) -> Any:
    """Raises ArtifactError with the path if it is no file, or not JSON."""
    if not path.is_file():  # opening a named pipe would wait for ever
        what = "not a file" if path.exists() else "no such file"
        raise ArtifactError(f"{path}: {what}.")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ArtifactError(f"{path}: not valid JSON ({error}).") from None
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read ({error.strerror or error}).") from None


def digest_of(value: Any) -> str:
    """The sha256 of a value of plain JSON types."""
    return hashlib.sha256(dump_json(value).encode()).hexdigest()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the lock of an artifact, or of all artifacts below `folder`; another process waits.

    Whoever waited must look again whether the artifact is current. What runs that died have left behind is swept
    away: staging folders are removed, and a folder that was moved aside and never replaced is moved back. The lock is
    the file `.NAME.lock` beside `folder`; the operating system frees it when its process dies.
    """
    from filelock import FileLock

    with disk_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder.parent / f".{folder.name}.lock")
        if not lock.is_locked:
            try:
                lock.acquire(timeout=0)
            except TimeoutError:
                log(f"{folder}: another process is building here; waiting for it.")
                lock.acquire()
    try:
        sweep(folder)
        yield
    finally:
        lock.release()


def sweep(folder: Path) -> None:
    """Removes what died runs have left of `folder` and of folders below it. The caller holds the lock."""
    with disk_errors(folder):
        beside = folder.parent.glob(f".{_escaped(folder.name)}.*-*")
        own = [path for path in beside if leftover_of(path) == folder.name]  # not those of NAME.v2
        for leftover in sorted([*own, *folder.rglob(".*.*-*")]):
            name, _, kind = leftover.name.removeprefix(".").rpartition(".")
            if kind.startswith("old-") and not leftover.with_name(name).exists():
                leftover.rename(leftover.with_name(name))
            elif kind.startswith(("old-", "staging-", "part-")):
                _remove(leftover)


def leftover_of(path: Path) -> str:
    """The name of the file or folder that `path` was to become, or was moved aside from; empty if it is neither."""
    name, _, kind = path.name.removeprefix(".").rpartition(".")
    return name if path.name.startswith(".") and kind.startswith(("old-", "staging-", "part-")) else ""


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """Gives a new folder beside `folder` to fill; it takes the place of `folder` when the block succeeds.

    When the block fails nothing has changed. The caller holds the lock of the artifact (`locked`).
    """
    token = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
    staging = folder.parent / f".{folder.name}.staging-{token}"
    old = folder.parent / f".{folder.name}.old-{token}"
    with disk_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging.mkdir()
        try:
            yield staging
            if folder.exists():
                folder.rename(old)
            staging.rename(folder)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
        _remove(old)


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turns an operating system's error, such as a full or read-only disk, into one sentence."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        at = f" ({error.filename})" if error.filename and str(error.filename) != str(path) else ""
        raise ExecutionError(
            f"{path}: {os.strerror(error.errno)}{at}; nothing was left half-written."
        ) from error


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Gives a path beside `path` to write; the file takes its place when the block succeeds."""
    part = path.with_name(f".{path.name}.part-{os.getpid()}-{uuid.uuid4().hex[:8]}")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _remove(path: Path) -> None:
    """Removes a file or folder of any kind, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _escaped(name: str) -> str:
    """A name as a glob pattern that matches only itself."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)
