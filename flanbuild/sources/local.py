"""Local files: a task file without a repository names them in `source.files`, relative to its own folder.

Patterns and formats are the same as for a repository (sources/layout.py, sources/formats.py). Such a task reads its
files whatever source is chosen for the other tasks.
"""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from flanbuild.artifacts.files import digest_of, sha256_of
from flanbuild.declare.task import Task
from flanbuild.errors import SourceError, nearest
from flanbuild.sources import Kind, Upstream
from flanbuild.sources.layout import MEMBER, Location, locate, paths_of
from flanbuild.sources.rows import open_local, read_places


class LocalFiles:
    """The local files of tasks. Raises SourceError for a pattern that matches no file."""

    kind: Kind = "files"
    threads = True

    def watch(self, report: Callable[[int], None]) -> None:
        """Reports nothing, since there is no download."""

    def close(self) -> None:
        """Does nothing, since no thread waits for a network."""

    def commit(self, task: Task) -> str:
        """A digest of the files in place of a commit."""
        return f"files {self.fingerprint(task)[:12]}"

    def fingerprint(self, task: Task) -> str:
        """A digest of the bytes of all files."""
        locations = [location for split in task.upstream_splits() for location in _locations(task, split)]
        return digest_of([_file_record(task, path) for path in paths_of(locations)])

    def split(self, task: Task, split: str) -> Upstream | None:
        """The rows of the files that match the patterns of the split, in name order."""
        locations = _locations(task, split)
        files = [_file_record(task, path) for path in paths_of(locations)]
        return read_places(task, locations, lambda path: open_local(_folder(task) / path), files)


def _folder(task: Task) -> Path:
    return task.path.parent


def _locations(task: Task, split: str) -> list[Location]:
    files = task.source.files[split]
    patterns = files.values() if isinstance(files, Mapping) else files
    folder = _folder(task)
    paths: set[str] = set()
    for pattern in (pattern.partition(MEMBER)[0] for pattern in patterns):
        matches = {str(path.relative_to(folder)) for path in folder.glob(pattern) if path.is_file()}
        if not matches:
            raise SourceError(
                f"{task.path}: source.files.{split}: no file {pattern} there.{_near(task, pattern)}"
            )
        paths |= matches
    return locate(task.source, split, paths)


def _near(task: Task, pattern: str) -> str:
    """A hint with the file of the same folder whose name is nearest."""
    wanted = _folder(task) / pattern
    neighbours = wanted.parent.iterdir() if wanted.parent.is_dir() else iter(())
    names = [path.name for path in neighbours if path.is_file() and path != task.path]
    return nearest(wanted.name, names)


def _file_record(task: Task, path: str) -> dict[str, Any]:
    stat = (_folder(task) / path).stat()
    return {"path": path, "bytes": stat.st_size, "sha256": _sha256(_folder(task) / path, stat.st_mtime_ns)}


@cache
def _sha256(path: Path, modified: int) -> str:  # noqa: ARG001  a key of the cache
    return sha256_of(path)
