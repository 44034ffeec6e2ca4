"""Checks whether training rows carry evaluation rows of held-out tasks or of files that the mixture names.

Raw texts and fields of all training rows that can be drawn are compared with all evaluation rows, however many of them
are evaluated. `mix/pairs.py` computes and keeps matches, this module decides what they mean for a mixture.
docs/contamination.md describes the rules and what they find.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from flanbuild.artifacts import artifact
from flanbuild.artifacts.addresses import task_folder
from flanbuild.artifacts.executor import Workers
from flanbuild.artifacts.files import digest_of, sha256_of
from flanbuild.artifacts.records import (
    RECORD,
    ROWS_FILE,
    ContaminationMatch,
    ContaminationRecord,
    RawRecord,
    TaskRecord,
    read_record,
)
from flanbuild.declare.mixture import HeldOut, Mixture
from flanbuild.declare.task import Task
from flanbuild.errors import DeclarationError, nearest
from flanbuild.mix import contamination_report
from flanbuild.mix.matching import ITEM, PASSAGE, QUESTION, VERSION
from flanbuild.mix.pairs import Pairs, Reference, TrainingRows
from flanbuild.mix.references import FILE_SUFFIXES, SPLITS, missing_splits
from flanbuild.mix.words import Integers
from flanbuild.progress import Progress, silent
from flanbuild.render import normalization
from flanbuild.render.splits import declaration

MAX_EXAMPLES = 3
_TEST = SPLITS.index("test")


@dataclass(frozen=True)
class Contamination:
    """What was found, and by task the positions of training rows that carry an item or a question."""

    record: ContaminationRecord
    positions: Mapping[str, Integers]

    def counts(self) -> dict[str, int]:
        """How many rows of each task carry an item or a question."""
        return {name: len(positions) for name, positions in self.positions.items()}

    def removed(self) -> dict[str, Integers]:
        """The positions that the rule takes out of each task."""
        return dict(self.positions) if self.record.rule == "drop" else {}


@dataclass(frozen=True)
class Search:
    """All that the check reads, and where it keeps what it has found."""

    tasks: Mapping[str, Task]
    raw: Path
    """the root of raw folders"""
    folder: Path
    """data/contamination"""
    workers: Workers
    progress: Progress = silent

    def references(self, mixture: Mixture, held: Mapping[str, HeldOut]) -> list[Reference]:
        """The references of a mixture, in name order.

        Raises DeclarationError for a name that nothing has, and for a file or split that is declared and missing.
        """
        found = [
            self._task_reference(self.tasks[name]) for name in reference_tasks(mixture, held, self.tasks)
        ]
        for name in _tasks_against(mixture, self.tasks):
            if missing := missing_splits(self.tasks[name], self._raw(self.tasks[name])):
                raise DeclarationError(
                    f"{mixture.path}: contamination.against: the source has no {', '.join(missing)} of {name}, so its "
                    "evaluation rows are unknown."
                )
        for name, path in _files_against(mixture):
            if not path.is_file():
                raise DeclarationError(f"{mixture.path}: contamination.against: no file {path}.")
            found.append(Reference(name, None, path, digest_of([VERSION, name, sha256_of(path)])))
        return sorted(found, key=lambda reference: reference.name)

    def find(
        self,
        mixture: Mixture,
        folders: Mapping[str, Path],
        records: Mapping[str, TaskRecord],
        held: Mapping[str, HeldOut],
    ) -> Contamination:
        """Compares the training rows of `records` with all references. `folders` has the folder of each record.

        Raises DamagedError if a file is not as its record names it.
        """
        references = self.references(mixture, held)
        training = self._training(folders, records) if references else []
        pairs = Pairs(self.folder, mixture.contamination)
        pairs.complete(training, references, self.workers, self.progress)
        matches: list[ContaminationMatch] = []
        positions = {}
        for rows in training:
            hits = [np.zeros(0, np.int64)]
            for reference in references:
                frame = pairs.get(rows, reference)
                if frame is not None and frame.height:
                    matches.append(_counted(rows.task.name, reference.name, frame))
                    hits.append(frame.filter(pl.col("kind") >= QUESTION)["position"].to_numpy())
            if len(found := np.unique(np.concatenate(hits))):
                positions[rows.task.name] = found
        record = ContaminationRecord(
            **mixture.contamination.model_dump(exclude={"against"}),
            normalization=normalization.VERSION,
            matching=VERSION,
            references={reference.name: pairs.count(reference) for reference in references},
            found=tuple(matches),
        )
        return Contamination(record, positions)

    def write_report(
        self,
        path: Path,
        mixture: Mixture,
        folders: Mapping[str, Path],
        records: Mapping[str, TaskRecord],
        held: Mapping[str, HeldOut],
    ) -> None:
        """Writes all matches with texts as Parquet, after `find` with the same arguments."""
        references = self.references(mixture, held)
        pairs = Pairs(self.folder, mixture.contamination)
        with pairs.locked():
            contamination_report.write(path, pairs, self._training(folders, records), references)

    def _training(self, folders: Mapping[str, Path], records: Mapping[str, TaskRecord]) -> list[TrainingRows]:
        """Of the tasks that have training rows, in name order."""
        found = []
        for name, record in sorted(records.items()):
            train = record.splits.get("train")
            if train is not None and train.rows:
                artifact.check_files(folders[name], record, {ROWS_FILE})
                task = self.tasks[name]
                key = digest_of([declaration(task), record.source.digest, train.of, train.rows_digest])
                found.append(TrainingRows(task, self._raw(task), train.of, folders[name], key))
        return found

    def _task_reference(self, task: Task) -> Reference:
        record = read_record(self._raw(task) / RECORD, RawRecord)
        key = digest_of([VERSION, task.name, declaration(task), record.source.digest, record.missing])
        return Reference(task.name, task, self._raw(task), key)

    def _raw(self, task: Task) -> Path:
        return task_folder(self.raw, task.cluster, task.name)


def report_file(folder: Path, mixture_folder: str) -> Path:
    """The file with all matches of a mixture folder, texts included. `folder`: data/contamination."""
    return folder / f"{mixture_folder}.parquet"


def reference_tasks(mixture: Mixture, held: Mapping[str, HeldOut], tasks: Mapping[str, Task]) -> list[str]:
    """The tasks whose evaluation rows must not be in the mixture, sorted.

    They are those that are held out, their siblings of the same task file, and those that the mixture names.
    """
    out = {name for group in held.values() for name in group.tasks}
    datasets = {tasks[name].dataset for name in out}
    siblings = {name for name, task in tasks.items() if task.dataset in datasets}
    return sorted(siblings | set(_tasks_against(mixture, tasks)))


def _tasks_against(mixture: Mixture, tasks: Mapping[str, Task]) -> list[str]:
    """The tasks that `contamination.against` names. Raises DeclarationError for a name that is neither task nor file."""
    found = []
    for name in mixture.contamination.against:
        if Path(name).suffix in FILE_SUFFIXES:
            continue
        members = [task.name for task in tasks.values() if name in (task.name, task.dataset, task.cluster)]
        if not members:
            known = {each for task in tasks.values() for each in (task.name, task.dataset, task.cluster)}
            raise DeclarationError(
                f"{mixture.path}: contamination.against: '{name}' is no task, dataset or cluster, and no file of type "
                f"{' or '.join(FILE_SUFFIXES)}.{nearest(name, known)}"
            )
        found += members
    return found


def _files_against(mixture: Mixture) -> Iterator[tuple[str, Path]]:
    """The files that `contamination.against` names, relative to the mixture file."""
    for name in mixture.contamination.against:
        if Path(name).suffix in FILE_SUFFIXES:
            yield name, mixture.path.parent / name


def _counted(task: str, reference: str, frame: pl.DataFrame) -> ContaminationMatch:
    """The counts of a pair with matches."""
    acted = frame.filter(pl.col("kind") >= QUESTION)
    kinds = frame.group_by("position").agg(pl.col("kind").max())["kind"]
    items = acted.select("split", "item").unique()
    strongest = contamination_report.sorted_matches(frame).head(MAX_EXAMPLES)
    return ContaminationMatch(
        task=task,
        reference=reference,
        item=int((kinds == ITEM).sum()),
        question=int((kinds == QUESTION).sum()),
        passage=int((kinds == PASSAGE).sum()),
        exact=acted.filter(pl.col("exact"))["position"].n_unique(),
        test_items=int((items["split"] == _TEST).sum()),
        dev_items=int((items["split"] != _TEST).sum()),
        examples=tuple(strongest.select("row", "item").iter_rows()),
    )


def worst(found: Sequence[ContaminationMatch], count: int) -> list[ContaminationMatch]:
    """The pairs with the most training rows that carry an item or a question."""
    acted = [match for match in found if match.rows]
    return sorted(acted, key=lambda match: (-match.rows, match.task, match.reference))[:count]
