"""Local files: a task file without a repository names them in `source.files`, relative to its own folder.

Patterns and formats are the same as for a repository (sources/patterns.py, sources/formats.py). Such a task reads its
files whatever source is chosen for the other tasks. The files lie in the project of the task file, which is the folder
that holds its folder of task files; others, also behind a link, are read only if that is allowed explicitly.
"""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from flanbuild.artifacts.files import digest_of, sha256_of
from flanbuild.artifacts.records import SourceFile
from flanbuild.declare.task import Task
from flanbuild.errors import SourceError, nearest
from flanbuild.sources import Kind, MissingFile, Upstream
from flanbuild.sources.layout import Location, locate, paths_of
from flanbuild.sources.patterns import find_files, split_member
from flanbuild.sources.rows import check_places, open_local, read_places


class LocalFiles:
    """The local files of tasks. Raises SourceError for a pattern that matches no file.

    Without `allow_outside`, a file outside the task file's project is a SourceError too.
    """

    kind: Kind = "files"
    threads = True

    def __init__(self, *, allow_outside: bool = False) -> None:
        self.allow_outside = allow_outside

    def watch(self, report: Callable[[int], None]) -> None:
        """Reports nothing, since there is no download."""

    def close(self) -> None:
        """Does nothing, since no thread waits for a network."""

    def commit(self, task: Task) -> str:
        """A digest of the files in place of a commit."""
        return f"files {self.fingerprint(task)[:12]}"

    def fingerprint(self, task: Task) -> str:
        """A digest of the bytes of all files; a split whose files are missing is part of it too."""
        splits = [self._records(task, split) for split in task.upstream_splits()]
        return digest_of([files and [file.model_dump() for file in files] for files in splits])

    def split(self, task: Task, split: str) -> Upstream | None:
        """The rows of the files that match the patterns of the split, in name order."""
        locations = self.locations(task, split)
        files = [_file_record(task, path) for path in paths_of(locations)]
        return read_places(task, split, locations, lambda path: open_local(_folder(task) / path), files)

    def _records(self, task: Task, split: str) -> list[SourceFile] | None:
        try:
            return [_file_record(task, path) for path in paths_of(self.locations(task, split))]
        except MissingFile:
            return None

    def locations(self, task: Task, split: str) -> list[Location]:
        """The files of an upstream split."""
        files = task.source.files[split]
        patterns = files.values() if isinstance(files, Mapping) else files
        folder = _folder(task)
        paths: set[str] = set()
        for pattern in (split_member(pattern)[0] for pattern in patterns):
            matches = find_files(folder, pattern)
            if not matches:
                raise MissingFile(
                    f"{task.path}: source.files.{split}: no file {pattern} there.{_near(task, pattern)}"
                )
            for path in matches:
                self._check_inside(task, split, path)
            paths.update(matches)
        try:
            found = locate(task.source, split, paths)
        except SourceError as error:
            raise SourceError(f"{task.path}: {error}") from None
        return found

    def _check_inside(self, task: Task, split: str, path: str) -> None:
        project = project_folder(task).resolve()
        target = (_folder(task) / path).resolve()
        if not self.allow_outside and not target.is_relative_to(project):
            raise SourceError(
                f"{task.path}: source.files.{split}: {path} lies outside the project folder {project_folder(task)}; "
                "--allow-outside reads it."
            )


def project_folder(task: Task) -> Path:
    """The folder that holds the folder of task files: for `my/tasks/nli/rte.yaml` it is `my`."""
    return task.path.absolute().parents[2]


def check_local_files(task: Task, *, allow_outside: bool = False) -> list[str]:
    """The faults of a task's local files that their names, headers and schemas show; empty for other tasks."""
    if not task.local:
        return []
    source = LocalFiles(allow_outside=allow_outside)
    faults = []
    for split in task.upstream_splits():
        try:
            locations = source.locations(task, split)
            check_places(task, split, locations, lambda path: open_local(_folder(task) / path))
        except SourceError as error:
            faults.append(str(error))
    return list(dict.fromkeys(faults))


def _folder(task: Task) -> Path:
    return task.path.parent


def _near(task: Task, pattern: str) -> str:
    """A hint with the file of the same folder whose name is nearest."""
    wanted = _folder(task) / pattern
    try:
        names = [path.name for path in wanted.parent.iterdir() if path.is_file() and path != task.path]
    except OSError:  # no such folder, or a name that is too long
        names = []
    return nearest(wanted.name, names)


def _file_record(task: Task, path: str) -> SourceFile:
    full = _folder(task) / path
    try:
        stat = full.stat()
        return SourceFile(path=path, bytes=stat.st_size, sha256=_sha256(full, stat.st_mtime_ns))
    except OSError as error:
        raise SourceError(f"{task.path}: source.files: {path}: {error.strerror or error}.") from None


@cache
def _sha256(path: Path, modified: int) -> str:  # noqa: ARG001  a key of the cache
    return sha256_of(path)
