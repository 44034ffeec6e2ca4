"""Making a lock, and a mirror of what is locked: the two jobs that go over many repositories at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from flanbuild.artifacts import executor
from flanbuild.artifacts.executor import WorkItem
from flanbuild.declare.task import Task
from flanbuild.errors import SourceError, require
from flanbuild.sources import HUB_MODULES
from flanbuild.sources.imports import RECORD
from flanbuild.sources.lock import Entry, Lock, declared, difference
from flanbuild.sources.mirror import write_mirror_file, write_mirror_lock

if TYPE_CHECKING:
    from flanbuild.sources.client import Client
    from flanbuild.sources.hub import Resolver

Advance = Callable[..., None]


@dataclass
class Found:
    """What the hub has now."""

    entries: dict[str, Entry] = field(default_factory=dict)
    news: list[str] = field(default_factory=list)
    """a line for each task whose entry is new or another"""
    by_hand: list[str] = field(default_factory=list)
    """a line for each task that a person must fetch"""
    faults: list[str] = field(default_factory=list)


def lock_tasks(
    tasks: Sequence[Task],
    lock: Lock,
    *,
    anew: bool,
    jobs: int,
    done: Advance = lambda *_: None,
    client: "Client | None" = None,
) -> Found:
    """Entries for the tasks that have none, or one of another declaration; with `anew`, for all.

    Imported tasks stay as they are. What can't be resolved is a fault and stops no other, unless there is no hub.
    """
    require("`flanbuild lock`", "hub", HUB_MODULES)
    from flanbuild.sources.client import Client
    from flanbuild.sources.hub import Resolver

    client = client or Client()
    resolver = Resolver(client)
    wanted = [task for task in tasks if _wants(task, lock, anew)]
    pieces: list[WorkItem] = [(_resolve, (resolver, task)) for task in wanted]
    done_already = len(tasks) - len(wanted)
    if done_already:
        done(done_already)
    results = executor.run_in_threads(pieces, jobs=jobs, done=done, stop=client.close)
    found = Found()
    for task, result in zip(wanted, results, strict=True):
        _tell(found, task, result, lock.tasks.get(task.name))
    return found


def mirror_tasks(
    tasks: Sequence[Task],
    lock: Lock,
    root: str,
    imported: Path,
    *,
    jobs: int,
    done: Advance = lambda *_: None,
    client: "Client | None" = None,
) -> int:
    """Writes the tasks' locked files below `root`, and the lock beside them; returns how many files were written.

    A file that lies there already is left. Raises SourceError for a task that is not locked, before any work.
    """
    require("`flanbuild mirror`", "hub", HUB_MODULES)
    from flanbuild.sources.client import Client

    client = client or Client()
    entries = {task.name: lock.entry(task) for task in tasks}
    pieces: list[WorkItem] = [(_mirror, (client, root, imported, entry)) for entry in entries.values()]
    written = executor.run_in_threads(pieces, jobs=jobs, done=done, stop=client.close)
    write_mirror_lock(root, entries)
    return sum(written)


def _wants(task: Task, lock: Lock, anew: bool) -> bool:
    entry = lock.tasks.get(task.name)
    if entry is None or entry.declared != declared(task):
        return True
    return anew and entry.commit is not None


def _resolve(resolver: "Resolver", task: Task) -> Entry | SourceError:
    from flanbuild.sources.client import Unreachable

    try:
        return resolver.resolve(task)
    except Unreachable:
        raise
    except SourceError as error:
        return error


def _tell(found: Found, task: Task, result: Entry | SourceError, before: Entry | None) -> None:
    whole = isinstance(result, Entry) and not result.absent
    if task.source.manual and not whole:
        found.by_hand.append(f"{task.name}: by hand. {' '.join(task.source.manual.split())}")
        return
    if isinstance(result, SourceError):
        found.faults.append(f"{task.page}: {task.name}: {result}")
        return
    if not result.splits:
        found.faults.append(
            f"{task.page}: source: {task.source.repo} has no file of {task.source.config} "
            f"{', '.join(result.absent)}, neither at {task.source.revision} nor converted by the hub."
        )
        return
    found.entries[task.name] = result
    if moved := difference(before, result) if before else f"{(result.commit or '')[:12]}, {_amount(result)}":
        absent = f", without {', '.join(result.absent)}" if result.absent else ""
        found.news.append(f"{task.name}: {moved}{absent}")


def _amount(entry: Entry) -> str:
    files = [file for split in entry.splits.values() for file in split.files]
    return f"{len(files)} files, {sum(file.bytes for file in files) / 1e6:,.1f} MB, {entry.branch}"


def _mirror(client: "Client", root: str, imported: Path, entry: Entry) -> int:
    from flanbuild.sources.hub import remotes

    if entry.commit is None:
        folder = imported / entry.repo / entry.config
        paths = {path.name: path for path in [*sorted(folder.glob("*.parquet")), folder / RECORD]}
        return sum(
            write_mirror_file(root, f"{entry.repo}/{entry.config}/{name}", path)
            for name, path in paths.items()
        )
    files = {file.path: file for split in entry.splits for file in remotes(entry, split).values()}
    return sum(
        write_mirror_file(root, f"{file.repo}/{path}", client.fetch(file)) for path, file in files.items()
    )
