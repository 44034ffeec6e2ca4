"""What is missing or stale for a mixture, and the run of it, for `flanbuild.build` and the command line. DVC has its own.

Locks are taken in one order: the rendered rows of the mixture, evaluation sets, raw rows, the mixture folder.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path

from flanbuild.artifacts import artifact
from flanbuild.artifacts.addresses import Addresses, task_folder
from flanbuild.artifacts.executor import Workers
from flanbuild.artifacts.files import digest_of, locked
from flanbuild.artifacts.records import (
    MANIFEST,
    RECORD,
    EvaluationRecord,
    Manifest,
    RawRecord,
    TaskRecord,
    read_record,
)
from flanbuild.declare.mixture import HeldOut, Mixture, hold_out
from flanbuild.declare.project import find_mixture, lock_file, task_files
from flanbuild.declare.requirements import check_mixture
from flanbuild.declare.task import Task
from flanbuild.errors import DamagedError, DeclarationError
from flanbuild.inspect.estimate import estimate
from flanbuild.inspect.rebuild import manifest_differences, rebuilt_differences
from flanbuild.mix.contamination import Search, reference_tasks
from flanbuild.mix.mixture import Rendered, current_manifest, find_contamination, fingerprint, mix
from flanbuild.mix.notices import Outcome, notices
from flanbuild.mix.plan import Allocation, plan, related_in_training
from flanbuild.progress import Progress, log, silent
from flanbuild.render import evaluation_set, training_rows
from flanbuild.render.examples import check_expressions
from flanbuild.render.splits import declaration
from flanbuild.sources import Source, open_source, raw


@dataclass(frozen=True)
class Built:
    """A mixture folder, its manifest, and whether it was built now (`new`)."""

    folder: Path
    manifest: Manifest
    new: bool
    records: Mapping[str, TaskRecord]
    """of the rendered tasks that it is made of"""


@dataclass(frozen=True)
class Build:
    """One mixture over all known tasks, and where its artifacts lie."""

    tasks: Mapping[str, Task]
    mixture: Mixture
    source: Source
    data: Path
    missing: raw.Missing
    workers: Workers
    progress: Progress
    evaluation_rows: int = evaluation_set.MAX_ROWS
    """test or dev rows of a task that an evaluation set has at most"""

    @property
    def addresses(self) -> Addresses:
        """Where artifacts lie."""
        return Addresses(self.data)

    @property
    def rendered(self) -> Path:
        """The root of the mixture's rendered rows."""
        return self.addresses.rendered(self.mixture.name)

    @property
    def search(self) -> Search:
        """The check for contamination."""
        return Search(
            self.tasks, self.addresses.raw, self.addresses.contamination, self.workers, self.progress
        )

    def download(self, names: Iterable[str] | None = None) -> None:
        """Builds raw rows that are missing or stale: of all the mixture's tasks, or of those that are named."""
        self._download(self._tasks(self.members() if names is None else names), check_bytes=True)

    def render(self, holdout: Iterable[str] = ()) -> dict[str, TaskRecord]:
        """Builds rendered rows that are missing or stale, and what they need; returns the records by name."""
        self.addresses.claim(self.mixture.name, self.mixture.path)
        with locked(self.rendered):
            return self._render(self.hold_out(holdout), check_bytes=True)

    def evaluation_sets(self, names: Iterable[str] | None = None) -> dict[str, EvaluationRecord]:
        """Builds evaluation sets that are missing or stale, of all tasks or of those that are named."""
        tasks = self._tasks(self.tasks if names is None else names)
        self._check(tasks)
        root, source = self.addresses.evaluation, self.addresses.raw
        with locked(root):
            self._download(tasks)
            stale = [
                task
                for task in tasks
                if not evaluation_set.is_current(task, source, root, self.evaluation_rows)
            ]
            if stale:
                with self.progress(len(stale), "evaluation sets") as done:
                    run = partial(
                        evaluation_set.build_all,
                        stale,
                        source,
                        root,
                        self.evaluation_rows,
                        self.workers,
                        done=done,
                    )
                    self._with_whole_rows(stale, run)
            return {
                task.name: read_record(task_folder(root, task.cluster, task.name) / RECORD, EvaluationRecord)
                for task in tasks
            }

    def mix(self, holdout: Iterable[str]) -> Built:
        """Builds the mixture and what it needs, as far as it is missing or stale."""
        holdout = list(holdout)
        held = self.hold_out(holdout)
        self.addresses.claim(self.mixture.name, self.mixture.path)
        folder = self.addresses.mixture(self.mixture.name, holdout)
        with locked(self.rendered), locked(folder):
            records = self._render(held)
            self._download_references(held)
            current = current_manifest(folder, fingerprint(self.mixture, records, held, self.search))
            if current is not None:
                self._log_notices(records, current)
                return Built(folder, current, new=False, records=records)
            run = partial(
                mix, self.mixture, held=held, out=folder, search=self.search, progress=self.progress
            )
            try:
                manifest = run(Rendered(self._folders(records), records))
            except DamagedError as error:
                log(f"{error} It will be built again.")
                records = self._render(held, check_bytes=True)
                self._download_references(held, check_bytes=True)
                manifest = run(Rendered(self._folders(records), records))
            self._log_notices(records, manifest)
            return Built(folder, manifest, new=True, records=records)

    def plan(self, holdout: Iterable[str]) -> tuple[list[Allocation], dict[str, HeldOut]]:
        """The exact allocation. Rows are counted without writing prompts; no artifact of a mixture changes."""
        held = self.hold_out(holdout)
        tasks = self._tasks(self._needed(held))
        self._check(tasks)
        self._download(tasks)
        self._download_references(held)
        with locked(self.addresses.counts):
            folders = self._count(tasks)
            records = {name: read_record(folder / RECORD, TaskRecord) for name, folder in folders.items()}
            counted = Rendered(folders, records)
            found = find_contamination(self.mixture, counted, held, self.search)
        trained = counted.trained(self.mixture)
        allocations = plan(self.mixture, trained, held, found.counts())
        outcomes = {entry.task: Outcome(entry.count, entry.repeats, entry.out) for entry in allocations}
        related = related_in_training(held, allocations)
        for notice in notices(self.mixture, self.tasks, trained, outcomes, related):
            log(notice)
        return allocations, held

    def hold_out(self, holdout: Iterable[str]) -> dict[str, HeldOut]:
        """What is held out, over all known tasks."""
        return hold_out(self.mixture, holdout, self.tasks.values())

    def members(self) -> list[str]:
        """The names of the tasks that the mixture trains on."""
        return self.mixture.members(self.tasks.values())

    def _download_references(self, held: Mapping[str, HeldOut], *, check_bytes: bool = False) -> None:
        """Raw rows of tasks that must not be in the mixture; of those in training `_render` takes care."""
        names = set(reference_tasks(self.mixture, held, self.tasks)) - set(self._needed(held))
        self._download(self._tasks(names), check_bytes=check_bytes)

    def _needed(self, held: Mapping[str, HeldOut]) -> list[str]:
        """The tasks that the mixture trains on or holds out, in name order."""
        return sorted({*self.members(), *(name for group in held.values() for name in group.tasks)})

    def _tasks(self, names: Iterable[str]) -> list[Task]:
        return [self.tasks[name] for name in sorted(names)]

    def _check(self, tasks: Sequence[Task]) -> None:
        if faults := check_expressions(tasks):
            raise DeclarationError(*faults)

    def _stale_raw(self, tasks: Sequence[Task]) -> list[Task]:
        """The tasks whose raw rows are missing or stale."""
        root = self.addresses.raw
        return [task for task in tasks if not raw.is_current(task, self.source, root, self.missing)]

    def _download(self, tasks: Sequence[Task], *, check_bytes: bool = False) -> None:
        root = self.addresses.raw
        stale = tasks if check_bytes else self._stale_raw(tasks)
        if stale:
            with self.progress(len(stale), "download") as done:
                raw.download_all(
                    stale,
                    self.source,
                    root,
                    self.missing,
                    self.workers,
                    check_bytes=check_bytes,
                    done=done,
                )

    def _render(self, held: Mapping[str, HeldOut], *, check_bytes: bool = False) -> dict[str, TaskRecord]:
        """The caller holds the lock. With `check_bytes`, damaged folders are built again too.

        Expressions are checked only if something is stale: what is current was built of the same ones.
        """
        members, tasks = set(self.members()), self._tasks(self._needed(held))
        stale_raw = self._stale_raw(tasks)
        if stale_raw:
            self._check(tasks)
            self._download(stale_raw)
        records = {task.name: self._rendered(task, trained=task.name in members) for task in tasks}
        if not stale_raw and None in records.values():
            self._check(tasks)
        stale = [
            task
            for task in tasks
            if (record := records[task.name]) is None
            or (check_bytes and not artifact.is_whole(self._rendered_folder(task), record))
        ]
        if stale:
            self._log_estimate(stale)
            with self.progress(len(stale), "render") as done:
                run = partial(
                    training_rows.render_all,
                    stale,
                    self.addresses.raw,
                    self.rendered,
                    self.mixture,
                    members,
                    self.workers,
                    done=done,
                )
                self._with_whole_rows(stale, run)
        for task in stale:
            records[task.name] = read_record(self._rendered_folder(task) / RECORD, TaskRecord)
        return {name: record for name, record in records.items() if record is not None}

    def _with_whole_rows(self, tasks: Sequence[Task], run: partial[None]) -> None:
        """Runs what reads raw rows; if some are damaged, downloads those again and runs once more."""
        try:
            run()
        except DamagedError as error:
            log(f"{error} It will be built again.")
            self._download(tasks, check_bytes=True)
            run()

    def _count(self, tasks: Sequence[Task]) -> dict[str, Path]:
        """By task the folder of a record with counts and the list of training rows: the rendered one where it is current."""
        members = set(self.members())
        folders, missing = {}, []
        for task in tasks:
            trained = task.name in members
            if self._rendered(task, trained=trained) is not None:
                folders[task.name] = self._rendered_folder(task)
                continue
            source = read_record(task_folder(self.addresses.raw, task.cluster, task.name) / RECORD, RawRecord)
            keys = self.mixture.model_dump(mode="json", include={"seed", "cap"}) if trained else {}
            address = digest_of([TaskRecord.FORMAT, task.name, declaration(task), source.checksum, keys])
            folders[task.name] = self.addresses.counts / address[:24]
            if artifact.current(folders[task.name], TaskRecord, lambda record: record.fingerprint) is None:
                missing.append(task)
        if missing:
            with self.progress(len(missing), "count") as done:
                for task in missing:
                    self._count_one(task, folders[task.name], trained=task.name in members)
                    done(1, task.name)
        return folders

    def _count_one(self, task: Task, folder: Path, *, trained: bool) -> None:
        source = task_folder(self.addresses.raw, task.cluster, task.name)
        make = partial(training_rows.render, task, source, self.mixture, trained=trained, prompts=False)
        self._with_whole_rows([task], partial(_build, folder, make))

    def _rendered(self, task: Task, *, trained: bool) -> TaskRecord | None:
        return training_rows.current_record(
            task, self.addresses.raw, self.rendered, self.mixture, trained=trained
        )

    def _rendered_folder(self, task: Task) -> Path:
        return task_folder(self.rendered, task.cluster, task.name)

    def _folders(self, records: Mapping[str, TaskRecord]) -> dict[str, Path]:
        return {name: task_folder(self.rendered, record.cluster, name) for name, record in records.items()}

    def _log_notices(self, records: Mapping[str, TaskRecord], manifest: Manifest) -> None:
        outcomes = {
            name: Outcome(task.given, task.repeats, task.out) for name, task in manifest.tasks.items()
        }
        related = manifest.related_in_training
        for notice in notices(self.mixture, self.tasks, records, outcomes, related):
            log(notice)

    def _log_estimate(self, tasks: Sequence[Task]) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        log(str(estimate(tasks, self.addresses.raw, self.mixture, set(self.members()))))


def _build(folder: Path, make: partial[TaskRecord]) -> None:
    artifact.build(folder, make)


def build(
    mixture: str | Path = "flan2021",
    holdout: str | Iterable[str] = (),
    *,
    tasks: str | Path | Iterable[str | Path] = (),
    source: str | Source = "sample",
    mirror: str | Path = "mirror",
    sample_rows: int = 200,
    lock: str | Path | None = None,
    data: str | Path = "data",
    missing: raw.Missing = "error",
    jobs: int = 1,
    scheduler: str = "",
    progress: Progress = silent,
) -> Built:
    """Builds a mixture without `holdout`, and what it needs, as far as it is missing or stale.

    >>> import flanbuild
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as data:
    ...     built = flanbuild.build("smoke", holdout="nli", sample_rows=20, data=data)
    ...     examples = flanbuild.load(built.folder)
    >>> built.folder.name, sorted(built.manifest.held_out), len(examples)
    ('smoke-without-nli', ['nli', 'paraphrase'], 110)

    `mixture` is a name or a file, as on the command line, and `tasks` are folders of own task files. `source` is
    `sample`, `mirror` (a folder or an fsspec URL, named by `mirror`), `hub` (pinned by `lock`, by default the project's
    lock.json) or what `flanbuild.sources.open_source` returns. Neither `params.yaml` nor the environment is read.

    With `jobs` above 1, large tasks are built in new processes, which import the main module of a script again: call
    this under `if __name__ == "__main__":`. `scheduler` is the address of a Dask scheduler that does the work instead.
    Neither changes a byte. News such as dropped rows goes to the logger `flanbuild`, at level INFO.

    Raises FlanbuildError: DeclarationError for a fault in a declaration or an argument, SourceError for rows that are
    missing or differ from what is declared.
    """
    if jobs < 1:
        raise DeclarationError(f"jobs: found {jobs}, at least 1 is needed.")
    declared = find_mixture(mixture)
    known = task_files(Path(folder) for folder in _several(tasks))
    check_mixture(declared, known.values())
    if isinstance(source, str):
        pinned = Path(lock) if lock else lock_file()
        source = open_source(source, mirror=mirror, sample_rows=sample_rows, lock=pinned)
    return Build(
        tasks=known,
        mixture=declared,
        source=source,
        data=Path(data),
        missing=missing,
        workers=Workers(jobs, scheduler),
        progress=progress,
    ).mix([*map(str, _several(holdout))])


def _several(given: str | Path | Iterable[str | Path]) -> Iterable[str | Path]:
    return [given] if isinstance(given, str | Path) else given


def rebuild(folder: Path, build: Build) -> list[str]:
    """Builds the mixture into `build.data`; returns a sentence for each difference, none when every byte is equal.

    `build` is of `mixture_of` the folder's manifest and an empty folder. The manifest has been verified.
    """
    built = _built_again(folder / MANIFEST, build)
    return built if isinstance(built, list) else rebuilt_differences(folder, built.folder)


def rebuild_manifest(manifest: Path, build: Build) -> tuple[Path, list[str]]:
    """Builds the mixture of a manifest, which needs no shards beside it, into `build.data`.

    Returns the new folder, and a sentence for each difference from the manifest; none when every shard is the same. What
    was built with missing splits is built again with missing splits. Raises DeclarationError if the mixture would be built
    in the manifest's own folder.
    """
    record = read_record(manifest, Manifest)
    folder = build.addresses.mixture(record.name, record.holdout)
    if folder.resolve() == manifest.parent.resolve():
        raise DeclarationError(f"{manifest}: it would be built in its own folder; give another --data.")
    held_out = (task.missing for group in record.held_out.values() for task in group.tasks.values())
    if any(chain(held_out, (task.missing for task in record.tasks.values()))):
        build = replace(build, missing="skip")
    built = _built_again(manifest, build)
    return folder, built if isinstance(built, list) else manifest_differences(manifest, folder)


def _built_again(manifest: Path, build: Build) -> Built | list[str]:
    """The mixture, or a sentence if task files are missing."""
    record = read_record(manifest, Manifest)
    if missing := sorted(record.tasks.keys() - build.tasks.keys()):
        return [f"{manifest}: cannot be built again without the task files of {', '.join(missing)}."]
    return build.mix(record.holdout)
