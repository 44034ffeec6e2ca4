"""Imports files of datasets that must not be fetched by a program.

`flanbuild import` reads them once, checks them against the task file and writes them as Parquet, in the
layout of a mirror, with `import.json`: name, size and digest of each given file. The lock contains the same,
so that a build with other files than the locked ones is refused.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from flanbuild.artifacts.arrow import parquet_writer
from flanbuild.artifacts.columns import arrow_schema
from flanbuild.artifacts.files import digest_of, locked, read_json, sha256_of, staged, write_json
from flanbuild.artifacts.records import SourceFile
from flanbuild.declare.task import Task
from flanbuild.errors import DeclarationError, SourceError, nearest
from flanbuild.sources import Kind, Source, Upstream
from flanbuild.sources.layout import MEMBER, Location
from flanbuild.sources.lock import Entry, Lock, LockedFile, LockedSplit, declared, source_files
from flanbuild.sources.mirror import MirrorSource
from flanbuild.sources.patterns import matches_name, split_member
from flanbuild.sources.rows import open_local, read_places

RECORD = "import.json"


class WithImports:
    """A source that reads imported files where there are some, and another source for all other tasks."""

    def __init__(self, source: Source, folder: Path, lock: Lock | None) -> None:
        self.source = source
        self.folder = folder
        self.lock = lock
        self.imported = MirrorSource(folder, imported=True) if folder.is_dir() else None
        self.kind: Kind = source.kind
        self.threads = source.threads
        self.allow_outside = source.allow_outside

    def watch(self, report: Callable[[int], None]) -> None:
        """Passed on to the other source."""
        self.source.watch(report)

    def close(self) -> None:
        """Passed on to the other source."""
        self.source.close()

    def commit(self, task: Task) -> str:
        """A digest of the imported files, or the commit of the other source."""
        given = self._given(task)
        return f"imported {digest_of(given)[:12]}" if given else self.source.commit(task)

    def fingerprint(self, task: Task) -> str:
        """A digest of the imported files, or the fingerprint of the other source."""
        given = self._given(task)
        return digest_of(given) if given else self.source.fingerprint(task)

    def split(self, task: Task, split: str) -> Upstream | None:
        """The rows of the imported files, or of the other source."""
        if self._given(task) and self.imported:
            return self.imported.split(task, split)
        return self.source.split(task, split)

    def _given(self, task: Task) -> dict[str, list[dict[str, Any]]] | None:
        """Split -> imported files, or None. Raises SourceError if the lock names others."""
        path = self.folder / task.source.repo / task.source.config / RECORD
        given: dict[str, list[dict[str, Any]]] | None = read_json(path) if path.is_file() else None
        entry = self.lock.tasks.get(task.name) if self.lock else None
        if entry is None or entry.commit is not None:
            return given
        locked = {
            name: [_plain(file) for file in source_files(split)] for name, split in entry.splits.items()
        }
        if given != locked:
            names = " ".join(f"{split}={file['path']}" for split, files in locked.items() for file in files)
            what = "other files were imported here" if given else "no files were imported here"
            raise SourceError(
                f"{self.lock.path if self.lock else ''}: tasks.{task.name}: locked to imported files, "
                f"but {what}; run `flanbuild import {task.name} {names}`."
            )
        return given


def import_files(task: Task, given: Sequence[str], folder: Path) -> Entry:
    """Writes files (`SPLIT=FILE`, or FILE if its name contains the split) as Parquet below `folder`.

    Raises DeclarationError for a file of no known split and SourceError for a file that does not match the
    task file. Then nothing is written.
    """
    by_split = _by_split(task, given)
    schema = arrow_schema(task)
    out = folder / task.source.repo / task.source.config
    record: dict[str, list[SourceFile]] = {}
    with locked(out), staged(out, (RECORD, "*-00000-of-00001.parquet")) as staging:
        for split, places in sorted(by_split.items()):
            path = staging / f"{split}-00000-of-00001.parquet"
            upstream = read_places(task, split, places, lambda name: open_local(Path(name)), [])
            rows = 0
            with parquet_writer(path, schema) as writer:
                for table in upstream.tables:
                    writer.write_table(table)
                    rows += table.num_rows
            _check_rows(task, split, rows, ", ".join(_names(places)))
            record[split] = [_described(Path(name)) for name in _names(places)]
        plain = {split: [_plain(file) for file in files] for split, files in record.items()}
        write_json(staging / RECORD, plain)
    return Entry(
        repo=task.source.repo,
        config=task.source.config,
        branch="imported",
        declared=declared(task),
        splits={
            split: LockedSplit(files=tuple(LockedFile(**_plain(file)) for file in files))
            for split, files in record.items()
        },
        absent=tuple(name for name in task.upstream_splits() if name not in record),
    )


def _check_rows(task: Task, split: str, rows: int, names: str) -> None:
    """Raises SourceError for a split without rows, or with fewer than the task file declares, as for the hub."""
    expected = task.source.rows.get(split, 1)
    if rows < expected:
        raise SourceError(
            f"{task.path}: source.rows.{split}: expected {expected:,} rows, but {names} has {rows:,}."
        )


def _by_split(task: Task, given: Sequence[str]) -> dict[str, list[Location]]:
    """Upstream split -> locations; text files of one split become one location, with one file per column."""
    splits: dict[str, list[str]] = {}
    for word in given:
        name, equals, path = word.partition("=")
        file = path if equals else word
        if not Path(file).is_file():
            what = "not a file" if Path(file).exists() else "no such file"
            raise DeclarationError(f"import: {file}: {what}.")
        split = name if equals else _split_of(task, file)
        if split not in task.upstream_splits():
            raise DeclarationError(
                f"import: {file}: {task.name} has no upstream split '{split}'.{nearest(split, task.upstream_splits())}"
                if split
                else f"import: {file}: its name does not contain the split; write SPLIT={file}. "
                f"Allowed: {', '.join(task.upstream_splits())}."
            )
        splits.setdefault(split, []).append(file)
    return {split: _places(task, split, files) for split, files in splits.items()}


def _split_of(task: Task, file: str) -> str:
    """The split whose pattern matches the name, else whose name it contains; empty for none or several."""
    name = PurePosixPath(file).name
    fits = [split for split in task.source.files if any(_fits(p, file) for p in _patterns(task, split))]
    fits = fits or [split for split in task.upstream_splits() if split in name]
    return fits[0] if len(fits) == 1 else ""


def _patterns(task: Task, split: str) -> list[str]:
    files = task.source.files[split]
    return list(files.values() if isinstance(files, Mapping) else files)


def _places(task: Task, split: str, files: list[str]) -> list[Location]:
    declared_files = task.source.files.get(split)
    if isinstance(declared_files, Mapping):
        return [{c: _fitting(pattern, files) for c, pattern in declared_files.items()}]
    if declared_files:
        return [
            _fitting(pattern, [file]) for file in files for pattern in declared_files if _fits(pattern, file)
        ] or [*files]
    return [*files]


def _fits(pattern: str, file: str) -> bool:
    """Whether the file's name fits the pattern's, without its folders and its archive member."""
    return matches_name(split_member(pattern)[0], file)


def _fitting(pattern: str, files: list[str]) -> str:
    """Returns the one given file that matches a pattern, with the pattern's archive member."""
    found = [file for file in files if _fits(pattern, file)]
    if len(found) != 1:
        raise DeclarationError(f"import: {len(found)} of the given files match '{pattern}', expected one.")
    member = split_member(pattern)[1]
    return f"{found[0]}{MEMBER}{member}" if member else found[0]


def _names(places: Sequence[Location]) -> list[str]:
    names = [
        name for place in places for name in ([place] if isinstance(place, str) else list(place.values()))
    ]
    return list(dict.fromkeys(split_member(name)[0] for name in names))


def _described(path: Path) -> SourceFile:
    return SourceFile(path=path.name, bytes=path.stat().st_size, sha256=sha256_of(path))


def _plain(file: SourceFile) -> dict[str, Any]:
    """The file as `import.json` has it."""
    return file.model_dump(exclude_none=True)
