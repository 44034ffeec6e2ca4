"""The one writer of Arrow files, and the row schemas.

Files are Arrow IPC *file* format with a fixed schema and no metadata, so equal rows are equal bytes whatever
the thread count was. Nothing is half-written: a file is written beside its place and renamed, and so is a
folder (`staged`).
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import xxhash

from flanbuild.errors import ArtifactError, ExecutionError


def sha256_of(path: Path) -> str:
    """The digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def xxh3_of(path: Path) -> str:
    """The xxh3_128 digest of a file's bytes, as hex: it finds damage, at the speed of the disk."""
    digest = xxhash.xxh3_128()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def write_json(path: Path, value: Any) -> None:
    """Sorted keys, two blanks, a newline at the end."""
    with atomic_path(path) as part:
        part.write_text(dump_json(value), encoding="utf-8")


def dump_json(value: Any) -> str:
    """The one spelling of a value, so that equal values are equal bytes."""
    return json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False) + "\n"


def read_json(path: Path) -> Any:
    """Raises ArtifactError with the path if the file is missing or not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file.") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ArtifactError(f"{path}: not whole JSON ({error}).") from None


def digest_of(value: Any) -> str:
    """sha256 of a value of plain JSON types."""
    return hashlib.sha256(dump_json(value).encode()).hexdigest()


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A folder beside `folder` to fill; it takes its place when the block ends well, and is gone if not.

    A killed run leaves the old folder or none, and a staging folder that the next run sweeps away.
    """
    staging = folder.parent / f".{folder.name}.staging"
    old = folder.parent / f".{folder.name}.old"
    with disk_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        for leftover in (staging, old):
            shutil.rmtree(leftover, ignore_errors=True)
        staging.mkdir()
        try:
            yield staging
            if folder.exists():
                folder.rename(old)
            staging.rename(folder)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """A full or read-only disk as one sentence."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise ExecutionError(f"{path}: {os.strerror(error.errno)}; nothing was left half-written.") from error


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    part = path.with_name(f".{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
