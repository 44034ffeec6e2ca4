"""A folder or fsspec URL in hub layout, `<repository>/<path in it>`: for machines without a network, and for tests.

`flanbuild mirror` writes one, with the lock it was made from beside the files; then rows come with their commit and
are checked against the locked digests. Without a lock a mirror is taken as it is.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs

from flanbuild.artifacts.files import digest_of, disk_errors, sha256_of
from flanbuild.declare.task import Task
from flanbuild.errors import DeclarationError, SourceError
from flanbuild.sources import Kind, Upstream
from flanbuild.sources.layout import locate, paths_of
from flanbuild.sources.lock import Entry, Lock, LockedSplit, parse_lock
from flanbuild.sources.row_groups import RowGroupSample
from flanbuild.sources.rows import excerpt_name, excerpt_upstream, open_local, read_places

LOCK = "lock.json"


class MirrorSource:
    """Raises DeclarationError when the folder is missing."""

    kind: Kind = "mirror"
    threads = True

    def __init__(self, root: str | Path) -> None:
        self.files, self.root = url_to_fs(str(root))
        if not self.files.isdir(self.root):
            raise DeclarationError(
                f"mirror: {root} is no folder; set 'mirror' in params.yaml or --mirror DIR."
            )
        self.lock = self._read_lock()
        self._paths: dict[str, dict[str, int]] = {}

    def watch(self, report: Callable[[int], None]) -> None:
        """What comes over a network is not counted."""

    def close(self) -> None:
        """Ends with the read that it waits for."""

    def commit(self, task: Task) -> str:
        """The locked commit; without a lock what the page asks for, since the mirror doesn't say what it holds."""
        entry = self._entry(task)
        return entry.commit if entry and entry.commit else task.source.revision

    def fingerprint(self, task: Task) -> str:
        """Changes when any file of the task's splits does; with a lock, when the lock does."""
        if entry := self._entry(task):
            return digest_of(entry.model_dump(exclude={"branch"}))
        found = {name: self._located(task, name) for name in task.upstream_splits()}
        return digest_of(
            [self._described(task, path) for places in found.values() for path in paths_of(places)]
        )

    def split(self, task: Task, split: str) -> Upstream | None:
        """The split's files one after the other, in name order."""
        places = self._located(task, split)
        if not places:
            return None
        paths = paths_of(places)
        entry = self._entry(task)
        locked = entry.splits.get(split) if entry else None
        if (excerpt := self._excerpt(task, split, paths, locked)) is not None:
            files = [{"path": path, "bytes": self._files_of(task)[path]} for path in paths]
            expected = locked.excerpt.sha256 if locked and locked.excerpt else None
            return excerpt_upstream(task, excerpt, files, expected)
        files = [self._described(task, path) for path in paths]
        if locked:
            self._check(task, locked, files)
        return read_places(task, places, lambda path: self._open(task, path), files)

    def _entry(self, task: Task) -> Entry | None:
        return self.lock.entry(task) if task.name in self.lock.tasks else None

    def _read_lock(self) -> Lock:
        path = f"{self.root}/{LOCK}"
        text = self.files.read_text(path, encoding="utf-8") if self.files.isfile(path) else None
        return parse_lock(Path(path), text) if text else Lock(Path(path))

    def _files_of(self, task: Task) -> dict[str, int]:
        """The repository's files: path in it -> bytes."""
        repo = task.source.repo
        if repo not in self._paths:
            top = f"{self.root}/{repo}"
            found = self.files.find(top, detail=True) if self.files.isdir(top) else {}
            self._paths[repo] = {
                str(PurePosixPath(path).relative_to(top)): said["size"]
                for path, said in sorted(found.items())
            }
        return self._paths[repo]

    def _located(self, task: Task, split: str) -> list[Any]:
        return locate(task.source, split, self._files_of(task))

    def _full(self, task: Task, path: str) -> str:
        return f"{self.root}/{task.source.repo}/{path}"

    def _described(self, task: Task, path: str) -> dict[str, Any]:
        full = self._full(task, path)
        said = self.files.info(full)
        changed = str(said.get("mtime") or said.get("LastModified") or said.get("etag"))
        return {
            "path": path,
            "bytes": said["size"],
            "sha256": _sha256(self.files, full, said["size"], changed),
        }

    def _open(self, task: Task, path: str) -> Any:
        full = self._full(task, path)
        return open_local(Path(full)) if _is_local(self.files) else self.files.open(full, "rb")

    def _excerpt(
        self, task: Task, split: str, paths: list[str], locked: LockedSplit | None
    ) -> RowGroupSample | None:
        """An excerpt where the page asks for one and the split is large enough."""
        max_rows = task.source.max_rows
        if (
            max_rows is None
            or (locked and not locked.excerpt)
            or not all(p.endswith(".parquet") for p in paths)
        ):
            return None
        sizes = self._files_of(task)
        ranged = [_Ranged(self.files, self._full(task, path), sizes[path]) for path in paths]
        excerpt = RowGroupSample(ranged, excerpt_name(task, split), list(task.columns), max_rows)
        return excerpt if excerpt.of > max_rows else None

    def _check(self, task: Task, locked: LockedSplit, files: list[dict[str, Any]]) -> None:
        promised = {file.path: file for file in locked.files}
        for file in files:
            said = promised.get(file["path"])
            if (
                said is None
                or said.bytes != file["bytes"]
                or (said.sha256 or file["sha256"]) != file["sha256"]
            ):
                raise SourceError(
                    f"{self._full(task, file['path'])}: not the file that {self.lock.path} names for "
                    f"'{task.name}': found {file['bytes']:,} bytes, sha256 {file['sha256'][:12]}…; "
                    "`flanbuild mirror` writes it anew."
                )


@dataclass(frozen=True)
class _Ranged:
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


def _is_local(files: AbstractFileSystem) -> bool:
    protocol = files.protocol
    return "file" in ((protocol,) if isinstance(protocol, str) else protocol)


def write_mirror_file(root: str, path: str, local: Path) -> bool:
    """Puts a verified file at `path` below `root`, whole or not at all; false where its equal lies there already."""
    files, top = url_to_fs(root)
    place = f"{top}/{path}"
    if files.isfile(place) and files.info(place)["size"] == local.stat().st_size:
        changed = str(files.info(place).get("mtime"))
        if _sha256(files, place, local.stat().st_size, changed) == sha256_of(local):
            return False
    files.makedirs(str(PurePosixPath(place).parent), exist_ok=True)
    part = f"{place}.part"
    with disk_errors(Path(place)):
        try:
            files.put_file(str(local), part)
            files.mv(part, place)
        finally:
            if files.exists(part):
                files.rm_file(part)
    return True


def write_mirror_lock(root: str, entries: Mapping[str, Entry]) -> None:
    """The lock of what lies in the mirror, beside it."""
    files, top = url_to_fs(root)
    before = MirrorSource(root).lock.tasks
    lock = Lock(Path(f"{top}/{LOCK}"), dict(before) | dict(entries))
    part = f"{top}/{LOCK}.part"
    files.pipe_file(part, lock.text().encode())
    files.mv(part, f"{top}/{LOCK}")
