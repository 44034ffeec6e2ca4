"""The Hugging Face Hub as a source: the files that the lock pins, or without a lock those of today."""

import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from threading import Lock as Mutex

from pydantic import ValidationError

from flanbuild.artifacts.files import digest_of, sha256_of
from flanbuild.artifacts.records import SourceFile
from flanbuild.declare.document import first_fault
from flanbuild.declare.task import Task
from flanbuild.errors import SourceError
from flanbuild.sources import Kind, MissingFile, Upstream
from flanbuild.sources.client import Client, Remote, Report, UnknownRevision
from flanbuild.sources.layout import Location, locate, locate_converted, no_match, paths_of
from flanbuild.sources.lock import (
    CONVERSION,
    Entry,
    Lock,
    LockedExcerpt,
    LockedFile,
    LockedSplit,
    declared,
    source_files,
)
from flanbuild.sources.row_groups import RowGroupSample, count_rows
from flanbuild.sources.rows import excerpt_name, excerpt_upstream, open_local, read_places


class HubSource:
    """Reads only commits and files that the lock names, if there is a lock. Threads may share one."""

    kind: Kind = "hub"
    threads = True
    allow_outside = False

    def __init__(self, lock: Lock | None, client: Client | None = None) -> None:
        self.lock = lock
        self.client = client or Client()
        self._resolver = Resolver(self.client)
        self.report: Report = lambda _: None

    def watch(self, report: Report) -> None:
        """Calls `report` with the number of bytes as they arrive."""
        self.report = report

    def close(self) -> None:
        """Ends running transfers."""
        self.client.close()

    def commit(self, task: Task) -> str:
        """The commit sha."""
        return self.entry(task).commit or ""

    def fingerprint(self, task: Task) -> str:
        """A digest of the commit's files; uses the network only without a lock."""
        return digest_of(self.entry(task).model_dump(exclude={"branch"}))

    def entry(self, task: Task) -> Entry:
        """The entry of the lock, or without a lock the entry that `flanbuild lock` would write now."""
        return self.lock.entry(task) if self.lock is not None else self._resolver.resolve(task)

    def split(self, task: Task, split: str) -> Upstream | None:
        """The split's rows, from verified files in the hub's cache; None if there is no such split."""
        entry = self.entry(task)
        locked = entry.splits.get(split)
        if locked is None:
            if split in task.source.files and self.lock is None:
                raise MissingFile(f"{task.path}: {self._resolver.no_match(task, split)}")
            return None
        found = remotes(entry, split)
        places = _locate(task, split, found, entry.branch)
        if not places:
            raise SourceError(
                f"{self.lock.path if self.lock else 'hub'}: tasks.{task.name}.splits.{split}: its files fit neither "
                f"`source.files` of {task.path} nor a Parquet layout: {', '.join(list(found)[:4])}."
            )
        if locked.excerpt:
            return _excerpt(self.client, task, split, places, found, locked)
        local = {path: self.client.fetch(found[path], self.report) for path in paths_of(places)}
        files = [
            SourceFile(path=path, bytes=found[path].bytes, sha256=sha256_of(local[path])) for path in local
        ]
        return read_places(task, split, places, lambda path: open_local(local[path]), files)


class Resolver:
    """Creates lock entries from the current state of the hub; lists each repository once."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._listings: dict[tuple[str, str], tuple[str, list[Remote]] | SourceError] = {}
        self._mutexes: defaultdict[tuple[str, str], Mutex] = defaultdict(Mutex)
        self._entries: dict[str, Entry] = {}

    def resolve(self, task: Task) -> Entry:
        """Returns an entry for the declared revision, or for the hub's conversion if that has more splits.

        In the conversion, splits have one of the Parquet layouts, whatever files the task file declares.

        Raises SourceError if the repository or its revision cannot be listed.
        """
        if task.name not in self._entries:
            self._entries[task.name] = self._resolve(task)
        return self._entries[task.name]

    def _resolve(self, task: Task) -> Entry:
        wanted = task.upstream_splits()
        best: tuple[str, str, dict[str, list[Remote]]] | None = None
        for branch in (task.source.revision, CONVERSION):
            try:
                commit, files = self._listing(task.source.repo, branch)
            except UnknownRevision:
                if branch == task.source.revision:
                    raise
                continue
            found = _found(task, wanted, files, branch)
            if best is None or len(found) > len(best[2]):
                best = (branch, commit, found)
            if len(best[2]) == len(wanted):
                break
        assert best is not None
        branch, commit, found = best
        if not re.fullmatch(r"[0-9a-f]{40,64}", commit):
            raise SourceError(f"hub: {task.source.repo} at {branch}: '{commit}' is not a commit.")
        return Entry(
            repo=task.source.repo,
            config=task.source.config,
            commit=commit,
            branch=branch,
            declared=declared(task),
            splits={name: self._split(task, name, files) for name, files in found.items()},
            absent=tuple(name for name in wanted if name not in found),
        )

    def no_match(self, task: Task, split: str) -> str:
        """The sentence about declared patterns that match no file of the declared revision."""
        _, files = self._listing(task.source.repo, task.source.revision)
        return no_match(task.source, split, [file.path for file in files])

    def _split(self, task: Task, split: str, files: list[Remote]) -> LockedSplit:
        locked = LockedSplit(files=tuple(_locked(file) for file in files))
        if not task.source.max_rows or not all(file.path.endswith(".parquet") for file in files):
            return locked
        ranged = [_HubFile(self.client, file) for file in files]
        excerpt = RowGroupSample(ranged, excerpt_name(task, split), list(task.columns), task.source.max_rows)
        if excerpt.of <= task.source.max_rows:
            return locked
        for _ in excerpt.tables():
            pass  # reading computes the digest
        part = LockedExcerpt(rows=excerpt.rows, of=excerpt.of, sha256=excerpt.sha256)
        return locked.model_copy(update={"excerpt": part})

    def _listing(self, repo: str, revision: str) -> tuple[str, list[Remote]]:
        """Lists a repository once, also when several threads ask; remembers an error too."""
        key = (repo, revision)
        with self._mutexes[key]:
            if key not in self._listings:
                try:
                    self._listings[key] = self.client.listing(repo, revision)
                except SourceError as error:
                    self._listings[key] = error
        found = self._listings[key]
        if isinstance(found, SourceError):
            raise found
        return found


def remotes(entry: Entry, split: str) -> dict[str, Remote]:
    """Returns the files of a locked split by path."""
    return {file.path: _remote(entry, file) for file in entry.splits[split].files}


def file_rows(client: Client, entry: Entry, split: str) -> int:
    """The rows of a locked split of Parquet files, from their footers. Raises SourceError if a file is not there."""
    return sum(count_rows(_HubFile(client, file)) for file in remotes(entry, split).values())


def _excerpt(
    client: Client,
    task: Task,
    split: str,
    places: Sequence[Location],
    files: dict[str, Remote],
    locked: LockedSplit,
) -> Upstream:
    assert locked.excerpt
    assert task.source.max_rows
    ranged = [_HubFile(client, files[str(place)]) for place in places]
    excerpt = RowGroupSample(ranged, excerpt_name(task, split), list(task.columns), task.source.max_rows)
    return excerpt_upstream(task, excerpt, source_files(locked), locked.excerpt.sha256)


@dataclass(frozen=True)
class _HubFile:
    client: Client
    file: Remote

    @property
    def name(self) -> str:
        return f"{self.file.repo}/{self.file.path}"

    @property
    def size(self) -> int:
        return self.file.bytes

    def read(self, start: int, stop: int) -> bytes:
        return self.client.read(self.file, start, stop)


def _locate(task: Task, split: str, paths: Collection[str], branch: str) -> list[Location]:
    find = locate_converted if branch == CONVERSION else locate
    return find(task.source, split, paths)


def _found(
    task: Task, wanted: Sequence[str], files: Sequence[Remote], branch: str
) -> dict[str, list[Remote]]:
    by_path = {file.path: file for file in files}
    found = {name: paths_of(_locate(task, name, by_path, branch)) for name in wanted}
    return {name: [by_path[path] for path in paths] for name, paths in found.items() if paths}


def _locked(file: Remote) -> LockedFile:
    values = {"path": file.path, "bytes": file.bytes, file.algorithm: file.digest}
    try:
        return LockedFile.model_validate(values)
    except ValidationError as error:
        fault = first_fault(error, LockedFile, values)
        raise SourceError(f"hub: {file.repo}/{file.path}: no valid digest or size: {fault}") from None


def _remote(entry: Entry, file: LockedFile) -> Remote:
    assert entry.commit
    algorithm, digest = ("sha256", file.sha256) if file.sha256 else ("git_sha1", file.git_sha1)
    return Remote(entry.repo, entry.commit, file.path, file.bytes, algorithm, digest or "")
