"""The lock file: for each task, the commit and the files of its rows with size and digest.

`mixtures/lock.json` is committed. A build reads only what is locked, so that two machines a year apart read
the same bytes or report why they cannot. Imported files (`flanbuild import`) are locked too.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError, model_validator

from flanbuild.artifacts.files import digest_of, dump_json, parse_json, write_json
from flanbuild.artifacts.records import SourceFile
from flanbuild.declare.document import SEGMENT, StrictModel, first_fault
from flanbuild.declare.task import REPOSITORY, Task
from flanbuild.errors import ArtifactError, DeclarationError, SourceError
from flanbuild.sources import WITHOUT

FORMAT = 1
CONVERSION = "refs/convert/parquet"
"""The branch with the hub's own conversion of a repository to Parquet."""


def _relative(path: str) -> str:
    if not path or path.startswith("/") or "\\" in path or ".." in PurePosixPath(path).parts:
        raise ValueError(f"'{path}' is not a path inside a folder")
    return path


RelativePath = Annotated[str, AfterValidator(_relative)]
"""A path that stays inside its folder."""


class LockedFile(StrictModel):
    """One file, with its sha256, or its git digest if the hub states no other."""

    path: RelativePath
    bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    git_sha1: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None = None

    @model_validator(mode="after")
    def _has_digest(self) -> "LockedFile":
        if (self.sha256 is None) == (self.git_sha1 is None):
            raise ValueError("one of sha256 and git_sha1 is needed")
        return self


class LockedExcerpt(StrictModel):
    """The row groups that are read of a split with more rows than `source.max_rows`."""

    rows: Annotated[int, Field(ge=0)]
    of: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """of the bytes of the footers and row groups"""


class LockedSplit(StrictModel):
    """The files of an upstream split, in reading order."""

    files: tuple[LockedFile, ...]
    excerpt: LockedExcerpt | None = None


class Entry(StrictModel):
    """One task."""

    repo: Annotated[str, Field(pattern=REPOSITORY)]
    config: Annotated[str, Field(pattern=SEGMENT)]
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40,64}$")] | None = None
    """None if the files were imported"""
    branch: str
    """the revision that was resolved: the task file's, or the hub's conversion to Parquet"""
    declared: str
    """digest of the declared source; it differs if the task file changed"""
    splits: dict[str, LockedSplit]
    absent: tuple[str, ...] = ()
    """declared upstream splits that the repository does not have"""


class _File(StrictModel):
    format: int = Field(ge=FORMAT, le=FORMAT)
    tasks: dict[str, Entry] = {}


@dataclass
class Lock:
    """A lock file's path and its entries by task."""

    path: Path
    tasks: dict[str, Entry] = field(default_factory=dict)

    def entry(self, task: Task) -> Entry:
        """Returns the task's entry. Raises SourceError if it has none, or if its declaration changed."""
        found = self.tasks.get(task.name)
        if found is None:
            if not self.tasks:
                raise SourceError(
                    f"{self.path}: no task is locked; `flanbuild lock` pins all of them, `flanbuild lock NAME` some; "
                    f"`--unlocked` reads what the hub has today; {WITHOUT}."
                )
            by_hand = f" {' '.join(task.source.manual.split())}" if task.source.manual else ""
            raise SourceError(
                f"{self.path}: no entry for '{task.name}'. `flanbuild lock {task.name}` pins it to a commit; "
                f"`--unlocked` reads what the hub has today; {WITHOUT}.{by_hand}"
            )
        if found.declared != declared(task):
            raise SourceError(
                f"{self.path}: tasks.{task.name}: locked for another `source` than {task.path} declares now "
                f"({found.repo}, {found.config}); `flanbuild lock {task.name}` pins it again."
            )
        if (found.repo, found.config) != (task.source.repo, task.source.config):
            raise SourceError(
                f"{self.path}: tasks.{task.name}: names {found.repo} ({found.config}), but {task.path} declares "
                f"{task.source.repo} ({task.source.config}); `flanbuild lock {task.name}` pins it again."
            )
        return found

    def text(self) -> str:
        """The lock as JSON with sorted keys, one value per line, so that a diff shows what moved."""
        tasks = {name: entry.model_dump(mode="json", exclude_none=True) for name, entry in self.tasks.items()}
        return dump_json({"format": FORMAT, "tasks": tasks})

    def write(self) -> None:
        """Writes the file atomically."""
        write_json(self.path, json.loads(self.text()))


def read_lock(path: Path) -> Lock:
    """Reads a lock; an empty one if there is no file. Raises DeclarationError if the file is not a lock."""
    if not path.exists():
        return Lock(path)
    try:
        text = path.read_text(encoding="utf-8") if path.is_file() else None
    except UnicodeDecodeError:
        raise DeclarationError(f"{path}: not UTF-8; `flanbuild lock` writes a valid one.") from None
    except OSError as error:
        raise DeclarationError(f"{path}: {error.strerror or error}.") from None
    if text is None:
        raise DeclarationError(f"{path}: not a file.")
    return parse_lock(path, text)


def parse_lock(path: Path, text: str) -> Lock:
    """Parses the text of a lock; errors name `path`."""
    try:
        value = parse_json(path, text)
    except ArtifactError as error:
        raise DeclarationError(f"{error} `flanbuild lock` writes a valid one.") from None
    try:
        return Lock(path, dict(_File.model_validate_json(text).tasks))
    except ValidationError as error:
        fault = first_fault(error, _File, value)
        raise DeclarationError(f"{path}: {fault} `flanbuild lock` writes a valid one.") from None


def declared(task: Task) -> str:
    """Returns the digest of the declarations that decide which files are read."""
    source = task.source.model_dump(mode="json", include={"repo", "config", "revision", "files", "max_rows"})
    columns = list(task.columns) if task.source.max_rows else []
    return digest_of([source, sorted(task.upstream_splits()), columns])


def difference(before: Entry, now: Entry) -> str:
    """Describes what moved upstream in a few words; empty if nothing did."""
    if before == now:
        return ""
    commits = f"{(before.commit or 'imported')[:12]} → {(now.commit or 'imported')[:12]}"
    changed = sorted(_changed(_files(before), _files(now)))
    if not changed:
        return f"{commits}, the same files"
    shown = ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
    return f"{commits}, other files: {shown}"


def source_files(locked: LockedSplit) -> tuple[SourceFile, ...]:
    """The files of a locked split."""
    return tuple(SourceFile(path=file.path, bytes=file.bytes, sha256=file.sha256) for file in locked.files)


def _files(entry: Entry) -> dict[str, LockedFile]:
    return {f"{file.path} ({split})": file for split, locked in entry.splits.items() for file in locked.files}


def _changed(before: Mapping[str, LockedFile], now: Mapping[str, LockedFile]) -> set[str]:
    return {path for path in before.keys() | now.keys() if before.get(path) != now.get(path)}
