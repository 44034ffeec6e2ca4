"""Where raw rows come from: the hub, a mirror of it, or the embedded sample world.

A source answers one question: the rows of one upstream split of one dataset, as batches, and where they
came from. `download` (sources/raw.py) writes them as the task's raw folder.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import pyarrow as pa

from flanbuild.errors import DeclarationError
from flanbuild.tasks import Source as Declared

Kind = Literal["sample", "mirror", "hub"]
KINDS: tuple[Kind, ...] = ("sample", "mirror", "hub")


@dataclass(frozen=True)
class Upstream:
    """One upstream split: its schema with the metadata it came with, its tables, the files they were read from."""

    schema: pa.Schema
    tables: Iterator[pa.Table]
    files: list[dict[str, Any]] = field(default_factory=list)
    """path in the repository, bytes, sha256"""


class Source(Protocol):
    """What a kind of source offers."""

    kind: Kind

    def commit(self, declared: Declared) -> str:
        """The revision that the rows are read at."""

    def fingerprint(self, declared: Declared, splits: tuple[str, ...]) -> str:
        """A digest that changes when rows of the splits may have changed."""

    def split(self, declared: Declared, split: str, columns: list[str]) -> Upstream | None:
        """The rows of an upstream split, or None where the source has none of that name."""


def open_source(kind: str, *, mirror: Path, sample_rows: int) -> Source:
    """The source of a kind; the modules of the others are not loaded."""
    if kind == "sample":
        from flanbuild.sources.embedded import SampleSource

        return SampleSource(sample_rows)
    if kind == "mirror":
        from flanbuild.sources.mirror import MirrorSource

        return MirrorSource(mirror)
    if kind == "hub":
        from flanbuild.sources.hub import HubSource

        return HubSource()
    raise DeclarationError(f"source: no kind '{kind}'. Allowed: {', '.join(KINDS)}.")
