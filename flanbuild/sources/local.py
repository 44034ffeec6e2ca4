"""Files of one's own: what a page without a repository names under `source.files`, by their place relative to the page.

The same patterns and formats as for a repository (sources/layout.py, sources/formats.py), whatever source is asked for.
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
    """Raises SourceError for a pattern that no file fits."""

    kind: Kind = "files"
    threads = True

    def watch(self, report: Callable[[int], None]) -> None:
        """Nothing comes over a network."""

    def close(self) -> None:
        """Nothing waits."""

    def commit(self, task: Task) -> str:
        """A digest of the files stands for the commit."""
        return f"files {self.fingerprint(task)[:12]}"

    def fingerprint(self, task: Task) -> str:
        """Of the bytes of all files."""
        places = [place for split in task.upstream_splits() for place in _places(task, split)]
        return digest_of([_described(task, path) for path in paths_of(places)])

    def split(self, task: Task, split: str) -> Upstream | None:
        """The files that fit the split's patterns, one after the other, in name order."""
        places = _places(task, split)
        files = [_described(task, path) for path in paths_of(places)]
        return read_places(task, places, lambda path: open_local(_folder(task) / path), files)


def _folder(task: Task) -> Path:
    return task.path.parent


def _places(task: Task, split: str) -> list[Location]:
    said = task.source.files[split]
    patterns = [
        pattern.partition(MEMBER)[0] for pattern in (said.values() if isinstance(said, Mapping) else said)
    ]
    found: set[str] = set()
    for pattern in patterns:
        fitting = {
            str(path.relative_to(_folder(task))) for path in _folder(task).glob(pattern) if path.is_file()
        }
        if not fitting:
            raise SourceError(
                f"{task.path}: source.files.{split}: no file {pattern} there.{_near(task, pattern)}"
            )
        found |= fitting
    return locate(task.source, split, found)


def _near(task: Task, pattern: str) -> str:
    """The file of nearly that name in the same folder."""
    place = _folder(task) / pattern
    beside = place.parent.iterdir() if place.parent.is_dir() else iter(())
    names = [path.name for path in beside if path.is_file() and path != task.path]
    return nearest(place.name, names)


def _described(task: Task, path: str) -> dict[str, Any]:
    stat = (_folder(task) / path).stat()
    return {"path": path, "bytes": stat.st_size, "sha256": _sha256(_folder(task) / path, stat.st_mtime_ns)}


@cache
def _sha256(path: Path, changed: int) -> str:  # noqa: ARG001  a key of the cache
    return sha256_of(path)
