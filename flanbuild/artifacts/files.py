"""Files on disk: JSON, digests, and folders that are written whole or not at all.

A file or folder is written beside its place and renamed, so nothing is ever half-written. Staging names are unique
per process. Whoever writes an artifact holds its lock (`locked`), so whatever staging folder lies there when the lock
is taken belongs to a run that died, and is swept away.
"""

import filecmp
import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import xxhash

from flanbuild.errors import ArtifactError, ExecutionError
from flanbuild.progress import log

_CHUNK_BYTES = 1 << 20
_LEFTOVER = re.compile(r"\.(?P<name>.+)\.(?P<kind>old|staging|part)-[0-9]+-[0-9a-f]+", re.DOTALL)


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
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ArtifactError(f"{path}: not valid JSON: byte {error.start} is not UTF-8.") from None
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read ({error.strerror or error}).") from None
    return parse_json(path, text)


def parse_json(path: Path, text: str) -> Any:
    """The value of a JSON text. Raises ArtifactError with `path` and the line if it is none."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ArtifactError(f"{path}: not valid JSON at line {error.lineno}, column {error.colno}.") from None
    except (RecursionError, ValueError):  # also a number of thousands of digits
        raise ArtifactError(f"{path}: not valid JSON: nested too deeply, or a number is too long.") from None


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
            match = _LEFTOVER.fullmatch(leftover.name)
            if match is None:
                continue
            if match["kind"] == "old" and not leftover.with_name(match["name"]).exists():
                leftover.rename(leftover.with_name(match["name"]))
            else:
                _remove(leftover)


def leftover_of(path: Path) -> str:
    """The name of the file or folder that `path` was to become, or was moved aside from; empty if it is neither."""
    match = _LEFTOVER.fullmatch(path.name)
    return match["name"] if match else ""


@contextmanager
def staged(folder: Path, written: Sequence[str] | Callable[[], Collection[str]] = ()) -> Iterator[Path]:
    """Gives a new folder beside `folder` to fill; it takes the place of `folder` when the block succeeds.

    `written` says which files in `folder` flanbuild wrote before. All others are kept: they get a second link in the
    new folder before the old one goes. It is one of:

    * names or glob patterns, relative to `folder`, the record first: a file with the name of a new one is replaced too;
    * a function that returns the names in the old record, called after the block: such a file is a fault, unless its bytes are equal.

    When the block fails nothing has changed. The caller holds the lock of the artifact (`locked`). Raises
    ExecutionError for such a fault, if `folder` is no folder, or if it has files and not that record.
    """
    token = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
    staging = folder.parent / f".{folder.name}.staging-{token}"
    old = folder.parent / f".{folder.name}.old-{token}"
    _check_replaceable(folder, None if callable(written) else written)
    with disk_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging.mkdir()
        try:
            yield staging
            _check_replaceable(folder, None)
            if folder.exists():
                _keep(folder, staging, written)
                folder.rename(old)
            staging.rename(folder)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
        _remove(old)


def remove_files(folder: Path, written: Collection[str]) -> None:
    """Removes the files that flanbuild wrote, then the folders that this leaves empty. Other files stay."""
    for path in _files(folder):
        if _is_written(path.relative_to(folder).as_posix(), written):
            path.unlink()
    for path in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
        _remove_empty(path)
    _remove_empty(folder)


def _check_replaceable(folder: Path, written: Sequence[str] | None) -> None:
    """Raises ExecutionError for what must not be replaced. Without `written`, a folder of any content may be."""
    if folder.is_symlink():
        raise ExecutionError(f"{folder}: a symbolic link is in the way; a folder is written here.")
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ExecutionError(f"{folder}: not a folder; move it away, since a folder is written here.")
    if written is None:
        return
    names = [path.name for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    if names and not (written and (folder / written[0]).is_file()):
        raise ExecutionError(
            f"{folder}: flanbuild did not write this folder, which has '{names[0]}'; name a new or an empty one."
        )


def _keep(folder: Path, staging: Path, written: Sequence[str] | Callable[[], Collection[str]]) -> None:
    """Gives each file that flanbuild did not write a second name in `staging`."""
    names = written() if callable(written) else written
    for path in _files(folder):
        name = path.relative_to(folder)
        target = staging / name
        taken = os.path.lexists(target)
        if _is_written(name.as_posix(), names) or (taken and (not callable(written) or _equal(path, target))):
            continue
        if taken or any(parent.is_file() for parent in target.parents):
            raise ExecutionError(
                f"{path}: the record of this folder does not name it, so it is not replaced; move it away."
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path, target, follow_symlinks=False)
        except OSError:  # a file system without links
            shutil.copy2(path, target, follow_symlinks=False)
        if not name.name.startswith("."):
            log(f"{path}: kept, although flanbuild did not write it.")


def _files(folder: Path) -> list[Path]:
    """Whatever is no folder below `folder`, links included, except what died runs have left."""
    found = []
    for top, folders, files in os.walk(folder):
        links = [name for name in folders if (Path(top) / name).is_symlink()]
        folders[:] = sorted(name for name in folders if not _LEFTOVER.fullmatch(name))
        found += [Path(top) / name for name in sorted([*files, *links]) if not _LEFTOVER.fullmatch(name)]
    return found


def _is_written(name: str, written: Collection[str]) -> bool:
    return name in written or any(fnmatchcase(name, pattern) for pattern in written)


def _equal(path: Path, other: Path) -> bool:
    """Whether two files have equal bytes, as after a deleted record; then replacing one loses nothing."""
    return path.is_file() and other.is_file() and filecmp.cmp(path, other, shallow=False)


def _remove_empty(folder: Path) -> None:
    if folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir()):
        folder.rmdir()


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
