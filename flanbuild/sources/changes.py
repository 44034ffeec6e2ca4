"""What an update of the lock would change: for each dataset that moved its commit, rows and license, before and after.

Rows come from the footers of Parquet files, licenses from the dataset cards, both at the commit. Needs the extra `hub`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flanbuild.artifacts import executor
from flanbuild.artifacts.executor import Workers, WorkItem
from flanbuild.errors import SourceError
from flanbuild.progress import Advance
from flanbuild.sources.lock import Entry

if TYPE_CHECKING:
    from flanbuild.sources.client import Client


@dataclass(frozen=True)
class Facts:
    """A dataset at one commit; None for what cannot be read there any more, or cannot be counted."""

    commit: str
    rows: int | None
    """of all splits that are read; None if a file is not Parquet"""
    license: str | None
    """as the card states it, several joined by commas; an empty text if it states none"""


@dataclass(frozen=True)
class LockChange:
    """One task whose entry in the lock would be another one. `before` is None for a task that is not locked yet."""

    task: str
    repo: str
    before: Facts | None
    after: Facts


def lock_changes(
    before: Mapping[str, Entry],
    after: Mapping[str, Entry],
    client: "Client",
    *,
    jobs: int,
    done: Advance = lambda *_: None,
) -> list[LockChange]:
    """The tasks of `after` whose entry in `before` is another one, in name order. Reads footers and cards only."""
    moved = sorted(name for name, entry in after.items() if before.get(name) != entry)
    items: list[WorkItem] = [(_change, (client, name, before.get(name), after[name])) for name in moved]
    return list(executor.run_in_threads(items, Workers(jobs), done=done, stop=client.close))


def _change(client: "Client", task: str, before: Entry | None, after: Entry) -> LockChange:
    now = _facts(client, after)
    return LockChange(task, after.repo, _facts(client, before) if before else None, now)


def _facts(client: "Client", entry: Entry) -> Facts:
    if entry.commit is None:
        return Facts("imported", None, None)
    return Facts(entry.commit, _rows(client, entry), _license(client, entry))


def _rows(client: "Client", entry: Entry) -> int | None:
    from flanbuild.sources.hub import file_rows

    total = 0
    for split, locked in entry.splits.items():
        if locked.excerpt:
            total += locked.excerpt.of
            continue
        if not all(file.path.endswith(".parquet") for file in locked.files):
            return None
        try:
            total += file_rows(client, entry, split)
        except SourceError:
            return None
    return total


def _license(client: "Client", entry: Entry) -> str | None:
    try:
        return client.license(entry.repo, entry.commit or "")
    except SourceError:
        return None
