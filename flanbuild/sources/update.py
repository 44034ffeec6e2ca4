"""Writes locks and mirrors: the two jobs that visit many repositories at a time. Needs the extra `hub`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from flanbuild.artifacts import executor
from flanbuild.artifacts.executor import Workers, WorkItem
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
class LockResult:
    """The current state of the hub, compared with a lock."""

    entries: dict[str, Entry] = field(default_factory=dict)
    news: list[str] = field(default_factory=list)
    """one line for each task whose entry is new or changed"""
    by_hand: list[str] = field(default_factory=list)
    """one line for each task whose files a person must fetch"""
    faults: list[str] = field(default_factory=list)


def lock_tasks(
    tasks: Sequence[Task],
    lock: Lock,
    *,
    anew: bool,
    jobs: int,
    done: Advance = lambda *_: None,
    client: "Client | None" = None,
) -> LockResult:
    """Returns entries for tasks that have none, or whose declaration changed; with `anew`, for all tasks.

    Imported tasks keep their entries. A task that cannot be resolved is a fault and does not stop the others.
    Raises Unreachable if there is no hub, FlanbuildError if huggingface_hub is not installed.
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
    results = executor.run_in_threads(pieces, Workers(jobs), done=done, stop=client.close)
    found = LockResult()
    for task, result in zip(wanted, results, strict=True):
        _add(found, task, result, lock.tasks.get(task.name))
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
    """Writes the tasks' locked files and their lock below `root`; returns the number of files written.

    An identical file that exists is kept. Raises SourceError for a task that is not locked, before any work,
    and FlanbuildError if huggingface_hub is not installed.
    """
    require("`flanbuild mirror`", "hub", HUB_MODULES)
    from flanbuild.sources.client import Client

    client = client or Client()
    if not lock.tasks and tasks:
        raise SourceError(
            f"{lock.path}: no task is locked; `flanbuild lock` pins all of them, `flanbuild lock NAME` some."
        )
    entries = {task.name: lock.entry(task) for task in tasks}
    pieces: list[WorkItem] = [(_mirror, (client, root, imported, entry)) for entry in entries.values()]
    written = executor.run_in_threads(pieces, Workers(jobs), done=done, stop=client.close)
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


def _add(found: LockResult, task: Task, result: Entry | SourceError, before: Entry | None) -> None:
    whole = isinstance(result, Entry) and not result.absent
    if task.source.manual and not whole:
        found.by_hand.append(f"{task.name}: by hand. {' '.join(task.source.manual.split())}")
        return
    if isinstance(result, SourceError):
        found.faults.append(f"{task.path}: {task.name}: {result}")
        return
    if not result.splits:
        found.faults.append(
            f"{task.path}: source: {task.source.repo} has no file of {task.source.config} "
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
