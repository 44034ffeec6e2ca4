"""The lock file: for each task the commit and the files that its rows are read from, with size and digest.

`mixtures/lock.json` is committed. A build reads what is locked and nothing else, so two machines a year apart
read the same bytes or say why they can't. Files that a person brought (`flanbuild import`) are locked too.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from flanbuild.artifacts.files import digest_of, dump_json, write_json
from flanbuild.declare.document import StrictModel, dotted
from flanbuild.declare.task import Task
from flanbuild.errors import DeclarationError, SourceError
from flanbuild.sources import WITHOUT

FORMAT = 1


class LockedFile(StrictModel):
    """One file: sha256, or git's own digest where the hub states no other."""

    path: str
    bytes: int
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    git_sha1: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None = None


class LockedExcerpt(StrictModel):
    """The row groups that stand for a split that is larger than the page wants."""

    rows: int
    of: int
    sha256: str
    """over the footers and the row groups, as they lie in the files"""


class LockedSplit(StrictModel):
    """The files of an upstream split, in reading order."""

    files: tuple[LockedFile, ...]
    excerpt: LockedExcerpt | None = None


class Entry(StrictModel):
    """One task."""

    repo: str
    config: str
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40,64}$")] | None = None
    """None: the files were imported by hand"""
    branch: str
    """what named the commit: the page's revision, or the hub's conversion to Parquet"""
    declared: str
    """digest of what the page says of its source; another one means that the page changed"""
    splits: dict[str, LockedSplit]
    absent: tuple[str, ...] = ()
    """upstream splits of the page that the repository does not have"""


class _File(StrictModel):
    format: int = Field(ge=FORMAT, le=FORMAT)
    tasks: dict[str, Entry] = {}


@dataclass
class Lock:
    """A lock file's path and its entries by task."""

    path: Path
    tasks: dict[str, Entry] = field(default_factory=dict)

    def entry(self, task: Task) -> Entry:
        """The task's entry. Raises SourceError when it has none, or one of another declaration."""
        found = self.tasks.get(task.name)
        if found is None:
            by_hand = f" {' '.join(task.source.manual.split())}" if task.source.manual else ""
            raise SourceError(
                f"{self.path}: no entry for '{task.name}'. `flanbuild lock {task.name}` pins it to a commit; "
                f"`--unlocked` takes what the hub has today; {WITHOUT}.{by_hand}"
            )
        if found.declared != declared(task):
            raise SourceError(
                f"{self.path}: tasks.{task.name}: locked for another `source` than {task.path} declares now "
                f"({found.repo}, {found.config}); `flanbuild lock {task.name}` pins it anew."
            )
        return found

    def text(self) -> str:
        """Sorted, one value a line: a diff shows what moved."""
        tasks = {name: entry.model_dump(mode="json", exclude_none=True) for name, entry in self.tasks.items()}
        return dump_json({"format": FORMAT, "tasks": tasks})

    def write(self) -> None:
        """Whole or not at all."""
        write_json(self.path, json.loads(self.text()))


def read_lock(path: Path) -> Lock:
    """The file's entries; none where there is no file. Raises DeclarationError for what is no lock."""
    return parse_lock(path, path.read_text(encoding="utf-8")) if path.is_file() else Lock(path)


def parse_lock(path: Path, text: str) -> Lock:
    """`path` is what errors name."""
    try:
        return Lock(path, dict(_File.model_validate_json(text).tasks))
    except ValidationError as error:
        first = error.errors()[0]
        place = dotted(tuple(first["loc"]))
        raise DeclarationError(
            f"{path}: {place + ': ' if place else ''}{first['msg']}; `flanbuild lock` writes a whole one."
        ) from None


def declared(task: Task) -> str:
    """The digest of what decides which files are read."""
    source = task.source.model_dump(mode="json", include={"repo", "config", "revision", "files", "max_rows"})
    columns = list(task.columns) if task.source.max_rows else []
    return digest_of([source, sorted(task.upstream_splits()), columns])


def difference(before: Entry, now: Entry) -> str:
    """What moved upstream, in a few words; empty when nothing did."""
    if before == now:
        return ""
    commits = f"{(before.commit or 'imported')[:12]} → {(now.commit or 'imported')[:12]}"
    changed = sorted(_changed(_files(before), _files(now)))
    if not changed:
        return f"{commits}, the same files"
    shown = ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
    return f"{commits}, other files: {shown}"


def described(files: Iterable[LockedFile]) -> list[dict[str, Any]]:
    """For source.json."""
    return [file.model_dump(exclude_none=True) for file in files]


def _files(entry: Entry) -> dict[str, LockedFile]:
    return {f"{file.path} ({split})": file for split, said in entry.splits.items() for file in said.files}


def _changed(before: Mapping[str, LockedFile], now: Mapping[str, LockedFile]) -> set[str]:
    return {path for path in before.keys() | now.keys() if before.get(path) != now.get(path)}
