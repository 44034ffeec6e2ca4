"""Sources of raw rows: the hub, a mirror of it, the embedded sample, and local files.

A source returns the rows of one upstream split of one dataset as tables, with the files they were read from.
`download` (sources/raw.py) writes them as the task's raw folder.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import pyarrow as pa

from flanbuild.artifacts.records import SourceFile
from flanbuild.declare.task import Task
from flanbuild.errors import DeclarationError, SourceError, require

Kind = Literal["sample", "mirror", "hub", "files"]
KINDS: tuple[Kind, ...] = ("sample", "mirror", "hub")
"""What --source accepts. A task file that names local files has the kind `files`, whatever the source is."""
HUB_MODULES = ("huggingface_hub",)
WITHOUT = "`source: sample` needs no network, and `source: mirror` reads a folder that `flanbuild mirror` wrote elsewhere"
IMPORTED = Path("data/imported")
"""The default folder of `flanbuild import`."""


class MissingFile(SourceError):  # noqa: N818  its base class names it an error
    """No file matches a declared pattern."""


@dataclass(frozen=True)
class Upstream:
    """One upstream split: the schemas of its files with their metadata, its tables, and its files."""

    schemas: Sequence[pa.Schema]
    tables: Iterator[pa.Table]
    files: Sequence[SourceFile] = ()
    of: int | None = None
    """rows of the whole split, if the tables are a sample of it"""


class Source(Protocol):
    """The interface of all sources."""

    kind: Kind
    threads: bool
    """whether threads are as fast as processes, because the source waits for a network or for Arrow"""
    allow_outside: bool
    """whether task files may name local files outside their project"""

    def watch(self, report: Callable[[int], None]) -> None:
        """Calls `report` with the number of bytes as they arrive over a network."""

    def close(self) -> None:
        """Ends running transfers."""

    def commit(self, task: Task) -> str:
        """The revision of the rows."""

    def fingerprint(self, task: Task) -> str:
        """A digest that changes if rows of the task's splits may have changed."""

    def split(self, task: Task, split: str) -> Upstream | None:
        """The rows of an upstream split, or None if the source has none of that name."""


def open_source(
    kind: str,
    *,
    mirror: str | Path,
    sample_rows: int,
    lock: Path | None = None,
    imported: Path = IMPORTED,
    allow_outside: bool = False,
) -> Source:
    """Opens a source; the modules of the other kinds are not imported.

    `lock` is the file that pins the hub's rows, None for the current ones. `imported` is the folder of
    imported files. With `allow_outside`, task files may name local files outside their project (sources/local.py).
    Raises DeclarationError for an unknown kind, FlanbuildError if the extra `hub` is needed and not installed.
    """
    source = _open(kind, mirror, sample_rows, lock, imported)
    source.allow_outside = allow_outside
    return source


def source_of(task: Task, source: Source) -> Source:
    """Returns the source of the task's rows: local files if its task file names some, else `source`."""
    if not task.local:
        return source
    from flanbuild.sources.local import LocalFiles

    return LocalFiles(allow_outside=source.allow_outside)


def _open(kind: str, mirror: str | Path, sample_rows: int, lock: Path | None, imported: Path) -> Source:
    if kind == "sample":
        from flanbuild.sources.sample import SampleSource

        return SampleSource(sample_rows)
    if kind not in KINDS:
        raise DeclarationError(f"source: no kind '{kind}'. Allowed: {', '.join(KINDS)}.")
    if kind == "hub":
        require("`--source hub`", "hub", HUB_MODULES)
    from flanbuild.sources.imports import WithImports
    from flanbuild.sources.lock import read_lock

    pinned = read_lock(lock) if lock else None
    if kind == "mirror":
        from flanbuild.sources.mirror import MirrorSource

        return WithImports(MirrorSource(mirror), imported, pinned)
    from flanbuild.sources.hub import HubSource

    return WithImports(HubSource(pinned), imported, pinned)
