"""Where raw rows come from: the hub, a mirror of it, or the embedded sample world.

A source answers one question: the rows of one upstream split of one dataset, as batches, and where they
came from. `download` (sources/raw.py) writes them as the task's raw folder.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import pyarrow as pa

from flanbuild.declare.task import Task
from flanbuild.errors import DeclarationError, require

Kind = Literal["sample", "mirror", "hub", "files"]
KINDS: tuple[Kind, ...] = ("sample", "mirror", "hub")
"""What --source accepts. A task file that names local files has the kind `files`, whatever the source is."""
HUB_MODULES = ("httpx2", "huggingface_hub")
WITHOUT = "`source: sample` needs no network, and `source: mirror` reads a folder that `flanbuild mirror` wrote elsewhere"
IMPORTED = Path("data/imported")
"""Where `flanbuild import` puts files, unless told."""


@dataclass(frozen=True)
class Upstream:
    """One upstream split: the schema of each file with its metadata, its tables, the files they were read from."""

    schemas: Sequence[pa.Schema]
    tables: Iterator[pa.Table]
    files: list[dict[str, Any]] = field(default_factory=list)
    """path in the repository, bytes, sha256"""
    of: int | None = None
    """rows of the split, where the tables are an excerpt of it"""


class Source(Protocol):
    """What a kind of source offers."""

    kind: Kind
    threads: bool
    """it waits or lets Arrow work, which threads do as well as processes"""

    def watch(self, report: Callable[[int], None]) -> None:
        """Tells `report` of bytes as they come over a network."""

    def close(self) -> None:
        """Ends what threads are waiting for."""

    def commit(self, task: Task) -> str:
        """The revision that the rows are read at."""

    def fingerprint(self, task: Task) -> str:
        """A digest that changes when rows of the task's splits may have changed."""

    def split(self, task: Task, split: str) -> Upstream | None:
        """The rows of an upstream split, or None where the source has none of that name."""


def open_source(
    kind: str,
    *,
    mirror: str | Path,
    sample_rows: int,
    lock: Path | None = None,
    imported: Path = IMPORTED,
) -> Source:
    """The source of a kind; the modules of the others are not loaded.

    `lock` is the file that the hub's rows are pinned by, None for what the hub has today. `imported` is where
    files lie that a person brought.
    """
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


def source_of(task: Task, source: Source) -> Source:
    """Where the task's rows come from: the source, or files that its page names."""
    if not task.local:
        return source
    from flanbuild.sources.local import LocalFiles

    return LocalFiles()
