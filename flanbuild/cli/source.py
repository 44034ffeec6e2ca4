"""Commands about where rows come from: what is pinned, mirrored, brought by hand, and on what terms."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flanbuild.cli.completion import mixture_names
from flanbuild.cli.console import local_path, progress
from flanbuild.cli.options import TASKS_HELP, AsJson, TaskName, TaskNames
from flanbuild.cli.table import print_table
from flanbuild.declare import project
from flanbuild.errors import SourceError
from flanbuild.progress import log

if TYPE_CHECKING:
    from flanbuild.declare.task import Task
    from flanbuild.sources.changes import Facts, LockChange
    from flanbuild.sources.lock import Lock
    from flanbuild.sources.update import LockResult

Tasks = Annotated[
    list[Path] | None,
    typer.Option("--tasks", help=TASKS_HELP, show_default=False),
]
LockFile = Annotated[
    Path | None, typer.Option("--lock", help="The lock file.", show_default="mixtures/lock.json")
]
Jobs = Annotated[int, typer.Option("--jobs", min=1, help="Repositories or files at a time.")]
Imported = Annotated[Path, typer.Option("--imported", help="Where imported files lie.")]


def lock(
    names: TaskNames = None,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; fail if a dataset changed upstream.")
    ] = False,
    update: Annotated[
        bool, typer.Option("--update", help="Move what is locked to the newest commits, after a question.")
    ] = False,
    yes: Annotated[
        bool,
        typer.Option("--yes", help="With --update: write without a question; needed outside a terminal."),
    ] = False,
    tasks: Tasks = None,
    lock: LockFile = None,
    jobs: Jobs = 8,
) -> None:
    """Pin datasets to commits of the hub: every file with size and digest, in mixtures/lock.json.

    Entries that are there stay as they are unless their task file changed, or --update asks. --update shows commits, rows
    and licenses before and after, and writes nothing until that is confirmed.
    """
    from flanbuild.sources.lock import read_lock
    from flanbuild.sources.update import lock_tasks

    path = lock or project.lock_file()
    locked = read_lock(path)
    chosen = _chosen(tasks, names)
    if not check and not names:
        _forget(locked, project.task_files(tasks or ()))
    with progress(len(chosen), "lock") as done:
        found = lock_tasks(chosen, locked, anew=update or check, jobs=jobs, done=done)
    for line in (*found.news, *found.by_hand):
        typer.echo(line)
    if update and not check and found.news:
        _show_changes(locked, found, jobs)
        if not yes:
            _confirm(path, len(found.news))
    if not check:
        locked.tasks.update(found.entries)
        locked.write()
    if found.faults:
        raise SourceError("\n".join(found.faults))
    if check and found.news:
        raise SourceError(
            f"{path}: {len(found.news)} of {len(chosen)} tasks moved; `flanbuild lock --update` follows."
        )
    typer.echo(f"{path}: {len(locked.tasks)} tasks locked{'' if found.news else ', nothing moved'}.")


def mirror(
    folder: Annotated[
        str, typer.Argument(metavar="DIR", help="A folder, or an fsspec URL such as s3://bucket/x.")
    ],
    names: TaskNames = None,
    tasks: Tasks = None,
    lock: LockFile = None,
    imported: Imported = Path("data/imported"),
    jobs: Jobs = 8,
) -> None:
    """Write all that is locked into a folder in hub layout, which `--source mirror` reads to the same bytes."""
    from flanbuild.sources.lock import read_lock
    from flanbuild.sources.update import mirror_tasks

    locked = read_lock(lock or project.lock_file())
    chosen = _chosen(tasks, names)
    with progress(len(chosen), "mirror") as done:
        written = mirror_tasks(chosen, locked, folder, imported, jobs=jobs, done=done)
    typer.echo(f"{folder}: {len(chosen)} tasks, {written} files written.")


def import_(
    name: TaskName,
    files: Annotated[
        list[str], typer.Argument(metavar="[SPLIT=]FILE", help="Files in any format that is read.")
    ],
    tasks: Tasks = None,
    lock: LockFile = None,
    imported: Imported = Path("data/imported"),
) -> None:
    """Bring files that no program may fetch: checked against the task file, put where downloads look, and locked.

    A file's split is told by its name, or by SPLIT=FILE. Parquet, JSON lines, JSON, CSV and TSV are read, also
    in gz and zip.
    """
    from flanbuild.declare.task import select
    from flanbuild.sources.imports import import_files
    from flanbuild.sources.lock import read_lock

    path = lock or (project.lock_file() if Path("mixtures/tasks").is_dir() else None)
    locked = read_lock(path) if path else None
    for task in select(project.task_files(tasks or ()), name):
        entry = import_files(task, files, imported)
        if locked:
            locked.tasks[task.name] = entry
        splits = ", ".join(
            f"{split} from {' and '.join(f.path for f in s.files)}" for split, s in entry.splits.items()
        )
        typer.echo(f"{task.name}: {splits}.")
        if entry.absent:
            log(f"{task.name}: still lacks {', '.join(entry.absent)}.")
    if locked:
        locked.write()
    else:
        log(f"No lock was written, since this folder has no mixtures/tasks; {imported} records the files.")


def licenses(
    mixture: Annotated[
        str | None,
        typer.Option(
            "--mixture", help="Only its tasks, and what it leaves out.", autocompletion=mixture_names
        ),
    ] = None,
    tasks: Tasks = None,
    as_json: AsJson = False,
) -> None:
    """On what terms the datasets come, as their task files state them; with a mixture, what its terms leave out."""
    found = project.task_files(tasks or ())
    if mixture:
        local_path("--mixture")(Path(mixture))
        declared = project.find_mixture(mixture)
        found = {name: found[name] for name in declared.members(found.values())}
    rows = [
        {
            "license": task.source.license,
            "task": task.name,
            "cluster": task.cluster,
            "repository": task.source.repo,
            "homepage": task.source.homepage,
            "out because": declared.refused(task.source.license) if mixture else "",
        }
        for task in sorted(found.values(), key=lambda task: (task.source.license, task.name))
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    kinds = len({row["license"] for row in rows})
    columns = ("license", "task", "cluster", "repository", "homepage", *(("out because",) if mixture else ()))
    print_table(
        f"{len(rows)} tasks under {kinds} licenses",
        columns,
        [[row[c] for c in columns] for row in rows],
        ("cluster",),
    )


def _show_changes(locked: "Lock", found: "LockResult", jobs: int) -> None:
    """Prints the datasets whose entries change, before and after."""
    from flanbuild.sources.changes import lock_changes
    from flanbuild.sources.client import Client

    with progress(len(found.news), "compare") as done:
        changes = lock_changes(locked.tasks, found.entries, Client(), jobs=jobs, done=done)
    columns = ("task", "repository", "commit", "rows", "license")
    print_table(f"{len(changes)} tasks change", columns, list(map(_change_row, changes)), ("license",))


def _confirm(path: Path, count: int) -> None:
    """Asks on a terminal. Raises SourceError, so that nothing is written, unless the answer is yes."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise SourceError(f"{path}: nothing was written; `--yes` writes these {count} changes.")
    if not typer.confirm(f"Write these {count} changes to {path}?"):
        raise SourceError(f"{path}: nothing was written.")


def _change_row(change: "LockChange") -> tuple[str, ...]:
    """Cells with one value if nothing changed, else as `before → after`."""

    def cells(facts: "Facts") -> tuple[str, ...]:
        rows = "unknown" if facts.rows is None else f"{facts.rows:,}"
        stated = "unknown" if facts.license is None else facts.license or "not stated"
        return (facts.commit[:12], rows, stated)

    after = cells(change.after)
    before = cells(change.before) if change.before else ("new",) * len(after)
    return (
        change.task,
        change.repo,
        *(new if old == new else f"{old} → {new}" for old, new in zip(before, after, strict=True)),
    )


def _chosen(tasks: list[Path] | None, names: list[str] | None) -> "list[Task]":
    from flanbuild.declare.task import select

    known = project.task_files(tasks or ())
    chosen = {t.name: t for name in names for t in select(known, name)} if names else known
    return [task for task in chosen.values() if not task.local]


def _forget(locked: "Lock", known: "dict[str, Task]") -> None:
    """Entries of tasks that no task file declares any more."""
    for name in sorted(locked.tasks.keys() - known.keys()):
        del locked.tasks[name]
        typer.echo(f"{name}: forgotten, no task file declares it.")
