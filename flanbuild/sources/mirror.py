"""A mirror: a folder or fsspec URL in hub layout, `<repository>/<path>`, for machines without a network.

`flanbuild mirror` writes one together with its lock; then rows have their commit and files are checked
against the locked digests. A mirror without a lock is read as it is.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from flanbuild.artifacts.files import digest_of, disk_errors, sha256_of
from flanbuild.artifacts.records import SourceFile
from flanbuild.declare.task import Task
from flanbuild.errors import DeclarationError, SourceError
from flanbuild.progress import log
from flanbuild.sources import Kind, MissingFile, Upstream
from flanbuild.sources.layout import (
    Location,
    is_convertible,
    locate,
    locate_converted,
    no_match,
    paths_of,
    patterns_of,
)
from flanbuild.sources.lock import CONVERSION, Entry, Lock, LockedSplit, parse_lock
from flanbuild.sources.row_groups import RowGroupSample
from flanbuild.sources.rows import excerpt_name, excerpt_upstream, open_local, read_places

LOCK = "lock.json"


class MirrorSource:
    """Reads a mirror. Raises DeclarationError if the folder is missing or the URL cannot be opened."""

    kind: Kind = "mirror"
    threads = True
    allow_outside = False

    def __init__(self, root: str | Path, *, imported: bool = False) -> None:
        """`imported`: `flanbuild import` wrote the files, as Parquet."""
        self.imported = imported
        try:
            self.files, self.root = _file_system(root)
        except (
            ImportError,
            ValueError,
        ) as error:  # a URL whose package is missing, or of an unknown protocol
            raise DeclarationError(f"mirror: {root}: {error}.") from None
        if not self.files.isdir(self.root):
            raise DeclarationError(
                f"mirror: {root} is not a folder; set 'mirror' in params.yaml or --mirror DIR."
            )
        self.lock = self._read_lock()
        self._paths: dict[str, dict[str, int]] = {}

    def watch(self, report: Callable[[int], None]) -> None:
        """Does nothing: bytes that arrive over a network are not counted."""

    def close(self) -> None:
        """Does nothing: a running read ends by itself."""

    def commit(self, task: Task) -> str:
        """The locked commit; without a lock the declared revision, since a mirror records no other."""
        entry = self._entry(task)
        return entry.commit if entry and entry.commit else task.source.revision

    def fingerprint(self, task: Task) -> str:
        """A digest of the lock entry; without a lock, of all files of the task's splits."""
        if entry := self._entry(task):
            return digest_of(entry.model_dump(exclude={"branch"}))
        found = {name: self._located(task, name) for name in task.upstream_splits()}
        files = [self._described(task, path) for places in found.values() for path in paths_of(places)]
        return digest_of([file.model_dump() for file in files])

    def split(self, task: Task, split: str) -> Upstream | None:
        """The rows of the split's files in name order; None if there is no file of an undeclared split."""
        places = self._located(task, split)
        if not places and split in task.source.files and self._files_of(task):
            raise MissingFile(f"{task.path}: {no_match(task.source, split, self._files_of(task))}")
        if not places:
            return None
        paths = paths_of(places)
        if split in task.source.files and not self.imported:
            self._log_conversion(task, split, paths)
        entry = self._entry(task)
        locked = entry.splits.get(split) if entry else None
        if (excerpt := self._excerpt(task, split, paths, locked)) is not None:
            files = [SourceFile(path=path, bytes=self._files_of(task)[path]) for path in paths]
            expected = locked.excerpt.sha256 if locked and locked.excerpt else None
            return excerpt_upstream(task, excerpt, files, expected)
        files = [self._described(task, path) for path in paths]
        if locked:
            self._check(task, locked, files)
        return read_places(task, split, places, lambda path: self._open(task, path), files)

    def _entry(self, task: Task) -> Entry | None:
        return self.lock.entry(task) if task.name in self.lock.tasks else None

    def _read_lock(self) -> Lock:
        path = f"{self.root}/{LOCK}"
        text = self.files.read_text(path, encoding="utf-8") if self.files.isfile(path) else None
        return parse_lock(Path(path), text) if text else Lock(Path(path))

    def _files_of(self, task: Task) -> dict[str, int]:
        """The repository's files: path -> size in bytes."""
        top = self._folder(task)
        if top not in self._paths:
            found = self.files.find(top, detail=True) if self.files.isdir(top) else {}
            self._paths[top] = {
                str(PurePosixPath(path).relative_to(top)): info["size"]
                for path, info in sorted(found.items())
            }
        return self._paths[top]

    def _log_conversion(self, task: Task, split: str, paths: Sequence[str]) -> None:
        """Says so where a conversion to Parquet is read in place of the declared files."""
        if not locate(task.source, split, paths):
            patterns = ", ".join(patterns_of(task.source, split))
            log(
                f"mirror: {task.source.repo}: no file matches {patterns} of source.files.{split}; {paths[0]} is read "
                "in its place, as a conversion of it to Parquet."
            )

    def _located(self, task: Task, split: str) -> list[Location]:
        """The declared files. A mirror may have a conversion to Parquet in their place if they are none of Parquet."""
        paths = self._files_of(task)
        entry = self._entry(task)
        converted = self.imported or (entry is not None and entry.branch == CONVERSION)
        places = [] if converted else locate(task.source, split, paths)
        if not places and (converted or is_convertible(task.source, split)):
            places = locate_converted(task.source, split, paths)
        return places

    def _folder(self, task: Task) -> str:
        """The folder of the repository, or of the first of its copies that the mirror has."""
        folders = [f"{self.root}/{repo}" for repo in (task.source.repo, *task.source.copies)]
        return next((folder for folder in folders if self.files.isdir(folder)), folders[0])

    def _full(self, task: Task, path: str) -> str:
        return f"{self._folder(task)}/{path}"

    def _described(self, task: Task, path: str) -> SourceFile:
        full = self._full(task, path)
        info = self.files.info(full)
        changed = str(info.get("mtime") or info.get("LastModified") or info.get("etag"))
        digest = _sha256(self.files, full, info["size"], changed)
        return SourceFile(path=path, bytes=info["size"], sha256=digest)

    def _open(self, task: Task, path: str) -> Any:
        full = self._full(task, path)
        return open_local(Path(full)) if _is_local(self.files) else self.files.open(full, "rb")

    def _excerpt(
        self, task: Task, split: str, paths: list[str], locked: LockedSplit | None
    ) -> RowGroupSample | None:
        """A sample of row groups, if the task file asks for one and the split is large enough."""
        max_rows = task.source.max_rows
        if (
            max_rows is None
            or (locked and not locked.excerpt)
            or not all(p.endswith(".parquet") for p in paths)
        ):
            return None
        sizes = self._files_of(task)
        ranged = [_MirrorFile(self.files, self._full(task, path), sizes[path]) for path in paths]
        excerpt = RowGroupSample(ranged, excerpt_name(task, split), list(task.columns), max_rows)
        return excerpt if excerpt.of > max_rows else None

    def _check(self, task: Task, locked: LockedSplit, files: Sequence[SourceFile]) -> None:
        promised = {file.path: file for file in locked.files}
        for file in files:
            expected = promised.get(file.path)
            if (
                expected is None
                or expected.bytes != file.bytes
                or (expected.sha256 or file.sha256) != file.sha256
            ):
                raise SourceError(
                    f"{self._full(task, file.path)}: not the file that {self.lock.path} names for "
                    f"'{task.name}': found {file.bytes or 0:,} bytes, sha256 {(file.sha256 or '')[:12]}…; "
                    "`flanbuild mirror` writes it again."
                )


@dataclass(frozen=True)
class _MirrorFile:
    files: AbstractFileSystem
    name: str
    size: int

    def read(self, start: int, stop: int) -> bytes:
        return bytes(self.files.cat_file(self.name, start=start, end=stop))


@cache
def _sha256(files: AbstractFileSystem, path: str, size: int, changed: str) -> str:  # noqa: ARG001  keys of the cache
    digest = hashlib.sha256()
    with files.open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _file_system(root: str | Path) -> tuple[AbstractFileSystem, str]:
    """The file system and the folder of a URL. A path without a protocol is a name as it is written."""
    if "://" in str(root) or "::" in str(root):
        files, top = url_to_fs(str(root))
        return files, str(top)
    return LocalFileSystem(), str(Path(root).absolute())


def _replace(files: AbstractFileSystem, part: str, target: str) -> None:
    """Renames a file. `mv` of fsspec would take either name for a pattern."""
    if _is_local(files):
        Path(part).replace(target)
        return
    files.cp_file(part, target)
    files.rm_file(part)


def _is_local(files: AbstractFileSystem) -> bool:
    protocol = files.protocol
    return "file" in ((protocol,) if isinstance(protocol, str) else protocol)


def write_mirror_file(root: str, path: str, local: Path) -> bool:
    """Writes a verified file to `path` below `root` atomically; returns False if an identical file exists."""
    files, top = _file_system(root)
    target = f"{top}/{path}"
    if files.isfile(target) and files.info(target)["size"] == local.stat().st_size:
        changed = str(files.info(target).get("mtime"))
        if _sha256(files, target, local.stat().st_size, changed) == sha256_of(local):
            return False
    files.makedirs(str(PurePosixPath(target).parent), exist_ok=True)
    part = f"{target}.part"
    with disk_errors(Path(target)):
        try:
            files.put_file(str(local), part)
            _replace(files, part, target)
        finally:
            if files.exists(part):
                files.rm_file(part)
    return True


def write_mirror_lock(root: str, entries: Mapping[str, Entry]) -> None:
    """Adds entries to the lock of a mirror."""
    files, top = _file_system(root)
    before = MirrorSource(root).lock.tasks
    lock = Lock(Path(f"{top}/{LOCK}"), dict(before) | dict(entries))
    part = f"{top}/{LOCK}.part"
    files.pipe_file(part, lock.text().encode())
    _replace(files, part, f"{top}/{LOCK}")
