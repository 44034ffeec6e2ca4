"""Checks whether training rows carry evaluation rows of held-out tasks or of files that the mixture names.

Raw texts and fields of all training rows that can be drawn are compared with all evaluation rows, however many of
them are evaluated. What one task and one reference come to is kept below `data/contamination/pairs`, by digests of
both sides, so another hold-out computes only the pairs that are new. docs/contamination.md describes the rules.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from flanbuild.artifacts import artifact, executor
from flanbuild.artifacts.addresses import task_folder
from flanbuild.artifacts.arrow import parquet_writer, read_table, write_table
from flanbuild.artifacts.digests import rows_digest
from flanbuild.artifacts.executor import Workers
from flanbuild.artifacts.files import atomic_path, digest_of, sha256_of
from flanbuild.artifacts.records import (
    RECORD,
    ROWS_FILE,
    ContaminationMatch,
    ContaminationRecord,
    RawRecord,
    ReferenceCount,
    ReferenceRecord,
    TaskRecord,
    find_record,
    read_record,
    write_record,
)
from flanbuild.declare.mixture import ContaminationRule, HeldOut, Mixture
from flanbuild.declare.task import Task
from flanbuild.errors import ArtifactError, DeclarationError, nearest
from flanbuild.mix.index import Items, build_index
from flanbuild.mix.matching import ITEM, KINDS, MATCH_SCHEMA, PASSAGE, QUESTION, find_matches
from flanbuild.mix.references import (
    FILE_SUFFIXES,
    SPLITS,
    file_items,
    items_digest,
    missing_splits,
    origins,
    task_items,
)
from flanbuild.mix.words import Integers
from flanbuild.progress import Progress, log, silent
from flanbuild.render import normalization
from flanbuild.render.examples import ROW, column_text, texts
from flanbuild.render.preprocessors import SOURCE_ROW
from flanbuild.render.splits import declaration, scan, split_errors

VERSION = 1
"""The number of the rules of matching; other rules have another number and compute all pairs again."""
MAX_EXAMPLES = 3
_DIGEST = b"rows"

REPORT_SCHEMA = pa.schema(
    [
        ("task", pa.string()),
        ("row", pa.int64()),
        ("reference", pa.string()),
        ("split", pa.string()),
        ("item", pa.int64()),
        ("kind", pa.string()),
        ("exact", pa.bool_()),
        ("score", pa.float64()),
        ("training_text", pa.large_string()),
        ("evaluation_text", pa.large_string()),
    ]
)
"""One match. `row` and `item` count the rows of their splits after preprocessing, or the rows of a file."""


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
class Reference:
    """A set of evaluation rows: of a task, or of a file."""

    name: str
    task: Task | None
    path: Path
    """the task's raw folder, or the file"""
    key: str
    """digest of what decides its rows and texts"""

    def items(self) -> Items:
        """Its evaluation rows."""
        return file_items(self.path, self.name) if self.task is None else task_items(self.task, self.path)

    def missing(self) -> tuple[str, ...]:
        """Upstream splits that the source does not have."""
        return () if self.task is None else missing_splits(self.task, self.path)


class TrainingSide(NamedTuple):
    """The training rows of one task that can be drawn."""

    task: Task
    raw: Path
    of: tuple[str, ...]
    folder: Path
    """its rendered folder, whose ROWS_FILE has been compared with its record"""
    key: str

    def rows(self) -> Integers:
        """Their indices after preprocessing, in keyed order."""
        column: Integers = read_table(self.folder / ROWS_FILE).column("row").combine_chunks().to_numpy()
        return column


@dataclass(frozen=True)
class Search:
    """All that the check reads, and where it keeps what it has found."""

    tasks: Mapping[str, Task]
    raw: Path
    """the root of raw folders"""
    cache: Path
    """data/contamination"""
    workers: Workers
    progress: Progress = silent

    def report(self, mixture_folder: str) -> Path:
        """The file with all matches of a mixture folder, texts included."""
        return self.cache / f"{mixture_folder}.parquet"

    def references(self, mixture: Mixture, held: Mapping[str, HeldOut]) -> list[Reference]:
        """The references of a mixture, in name order. Raises DeclarationError for a name that nothing has."""
        declared = _against(mixture, self.tasks)
        found = [self._task_reference(name) for name in reference_tasks(mixture, held, self.tasks)]
        for name in declared:
            if name in self.tasks and (
                missing := missing_splits(self.tasks[name], self._raw(self.tasks[name]))
            ):
                raise DeclarationError(
                    f"{mixture.path}: contamination.against: the source has no {', '.join(missing)} of {name}, so its "
                    "evaluation rows are unknown."
                )
        for path in _files(mixture):
            if not path.is_file():
                raise DeclarationError(f"{mixture.path}: contamination.against: no file {path}.")
            found.append(Reference(path.name, None, path, digest_of([VERSION, path.name, sha256_of(path)])))
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
        sides = (
            [self._side(self.tasks[name], folders[name], records[name]) for name in sorted(records)]
            if references
            else []
        )
        sides = [side for side in sides if side is not None]
        self._complete(mixture.contamination, sides, references)
        matches, positions = [], {}
        for side in sides:
            hits = [np.zeros(0, np.int64)]
            for reference in references:
                frame = self._pair(mixture.contamination, side, reference)
                if frame is not None and frame.height:
                    matches.append(_counted(side.task.name, reference.name, frame))
                    hits.append(frame.filter(pl.col("kind") >= QUESTION)["position"].to_numpy())
            if len(rows := np.unique(np.concatenate(hits))):
                positions[side.task.name] = rows
        return Contamination(self._record(mixture.contamination, references, matches), positions)

    def write_report(
        self,
        path: Path,
        mixture: Mixture,
        folders: Mapping[str, Path],
        records: Mapping[str, TaskRecord],
        held: Mapping[str, HeldOut],
    ) -> None:
        """Writes all matches with texts as Parquet of REPORT_SCHEMA, task by task. `find` has been called."""
        references = self.references(mixture, held)
        with atomic_path(path) as part, parquet_writer(part, REPORT_SCHEMA) as writer:
            for name in sorted(records):
                side = self._side(self.tasks[name], folders[name], records[name])
                for reference in references if side else ():
                    frame = self._pair(mixture.contamination, side, reference)
                    if frame is not None and frame.height:
                        writer.write_table(_with_texts(side, reference, frame))

    def _complete(
        self, rule: ContaminationRule, sides: Sequence[TrainingSide], references: Sequence[Reference]
    ) -> None:
        """Computes the pairs that are not kept yet; training sides that lack the same ones share an index."""
        lacking: dict[tuple[str, ...], list[TrainingSide]] = {}
        for side in sides:
            names = tuple(r.name for r in references if self._pair(rule, side, r) is None)
            if names:
                lacking.setdefault(names, []).append(side)
        for names, group in lacking.items():
            wanted = [reference for reference in references if reference.name in names]
            items = [reference.items() for reference in wanted]
            for reference, found in zip(wanted, items, strict=True):
                counts = ReferenceCount(
                    rows=len(found.rows), digest=items_digest(found), missing=reference.missing()
                )
                write_record(
                    self._reference_file(reference),
                    ReferenceRecord.of(reference=reference.name, counts=counts),
                )
            index = build_index(items, rule.ngram)
            with self.progress(len(group), "contamination") as done:
                work: list[executor.WorkItem] = [
                    (self._compare, (rule, side, wanted, index)) for side in group
                ]
                executor.run_in_threads(work, self.workers, done=done)

    def _compare(
        self, rule: ContaminationRule, side: TrainingSide, references: Sequence[Reference], index
    ) -> None:  # type: ignore[no-untyped-def]
        rows = side.rows()
        columns, origin = training_texts(side.task, side.raw, side.of, rows)
        found = find_matches(index, columns, threshold=rule.threshold, ngram=rule.ngram)
        for reference, group in zip(references, index.groups, strict=True):
            frame = with_origins(found[reference.name], origin, group.items.origin)
            frame = frame.select(
                pl.col("row").alias("position"),
                pl.Series("row", rows[frame["row"].to_numpy()], pl.Int64),
                pl.Series("item", group.items.rows[frame["item"].to_numpy()], pl.Int64),
                pl.Series("split", group.items.splits[frame["item"].to_numpy()], pl.Int8),
                "kind",
                "exact",
                "score",
            )
            table = frame.to_arrow()
            table = table.replace_schema_metadata({_DIGEST: rows_digest(table)})
            write_table(self._pair_file(rule, side, reference), table)

    def _pair(self, rule: ContaminationRule, side: TrainingSide, reference: Reference) -> pl.DataFrame | None:
        """The kept matches of a pair, or None if they are missing or damaged."""
        path = self._pair_file(rule, side, reference)
        if not path.is_file() or find_record(self._reference_file(reference), ReferenceRecord) is None:
            return None
        try:
            table = read_table(path)
        except ArtifactError as error:
            log(f"{error} It will be computed again.")
            return None
        if (table.schema.metadata or {}).get(_DIGEST) != rows_digest(table).encode():
            log(f"{path}: damaged. It will be computed again.")
            return None
        frame = pl.from_arrow(table)
        assert isinstance(frame, pl.DataFrame)
        return frame

    def _pair_file(self, rule: ContaminationRule, side: TrainingSide, reference: Reference) -> Path:
        settings = [VERSION, normalization.VERSION, rule.ngram, rule.threshold]
        key = digest_of([side.key, reference.key, settings])
        return self.cache / "pairs" / side.task.name.replace("/", ".") / f"{key[:32]}.arrow"

    def _reference_file(self, reference: Reference) -> Path:
        return self.cache / "references" / f"{reference.key[:32]}.json"

    def _record(
        self, rule: ContaminationRule, references: Sequence[Reference], matches: Sequence[ContaminationMatch]
    ) -> ContaminationRecord:
        counts = {}
        for reference in references:
            record = find_record(self._reference_file(reference), ReferenceRecord)
            counts[reference.name] = record.counts if record else _count_of(reference)
        return ContaminationRecord(
            rule=rule.rule,
            ngram=rule.ngram,
            threshold=rule.threshold,
            normalization=normalization.VERSION,
            matching=VERSION,
            references=counts,
            found=tuple(matches),
        )

    def _side(self, task: Task, folder: Path, record: TaskRecord) -> TrainingSide | None:
        """Its training rows, or None if it has none."""
        train = record.splits.get("train")
        if train is None or not train.rows:
            return None
        artifact.check_files(folder, record, {ROWS_FILE})
        key = digest_of([declaration(task), record.source.digest, train.of, train.rows_digest])
        return TrainingSide(task, self._raw(task), train.of, folder, key)

    def _task_reference(self, name: str) -> Reference:
        task = self.tasks[name]
        record = read_record(self._raw(task) / RECORD, RawRecord)
        key = digest_of([VERSION, name, declaration(task), record.source.digest, record.missing])
        return Reference(name, task, self._raw(task), key)

    def _raw(self, task: Task) -> Path:
        return task_folder(self.raw, task.cluster, task.name)


def reference_tasks(mixture: Mixture, held: Mapping[str, HeldOut], tasks: Mapping[str, Task]) -> list[str]:
    """The tasks whose evaluation rows must not be in the mixture, sorted.

    They are those that are held out, their siblings of the same task file, and those that the mixture names.
    """
    out = {name for group in held.values() for name in group.tasks}
    datasets = {tasks[name].dataset for name in out if name in tasks}
    siblings = {name for name, task in tasks.items() if task.dataset in datasets}
    return sorted((out & tasks.keys()) | siblings | set(_against(mixture, tasks)))


def _against(mixture: Mixture, tasks: Mapping[str, Task]) -> list[str]:
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


def _files(mixture: Mixture) -> Iterator[Path]:
    """The files that `contamination.against` names, relative to the mixture file."""
    for name in mixture.contamination.against:
        if Path(name).suffix in FILE_SUFFIXES:
            yield mixture.path.parent / name


def training_texts(
    task: Task, raw: Path, of: Sequence[str], rows: Integers
) -> tuple[dict[str, pl.Series], NDArray[np.uint64]]:
    """All texts of these training rows, in their order, and the keys of their places upstream.

    A text that stands in an earlier column too is left out.
    """
    record = read_record(raw / RECORD, RawRecord)
    artifact.check_files(raw, record, {f"{name}.parquet" for name in of})
    with split_errors(task, raw, of):
        frame = texts(task, scan(raw, of), pl.Series(np.sort(rows))).collect()
    frame = frame[np.argsort(np.argsort(rows))]
    names = [name for name in frame.columns if name not in (ROW, SOURCE_ROW)]
    columns: dict[str, pl.Series] = {}
    for name in names:
        column = frame[name]
        for earlier in columns.values():
            column = column.set((column == earlier).fill_null(False), None)
        columns[name] = column
    return columns, origins(task, of, frame[SOURCE_ROW].to_numpy())


def with_origins(matches: pl.DataFrame, rows: NDArray[np.uint64], items: NDArray[np.uint64]) -> pl.DataFrame:
    """The matches, and those of rows that come from the place upstream of an item; these are exact items."""
    if not len(items):
        return matches
    order = np.argsort(items, kind="stable")
    place = np.searchsorted(items[order], rows).clip(max=len(items) - 1)
    same = np.flatnonzero(items[order][place] == rows)
    columns = (
        same,
        order[place[same]],
        np.full(len(same), ITEM),
        np.full(len(same), True),
        np.ones(len(same)),
    )
    upstream = pl.DataFrame(dict(zip(MATCH_SCHEMA, columns, strict=True)), schema=MATCH_SCHEMA)
    best = pl.concat([upstream, matches]).unique(["row", "item"], keep="first", maintain_order=True)
    return best.sort("row", "item")


def _counted(task: str, reference: str, frame: pl.DataFrame) -> ContaminationMatch:
    best = frame.group_by("position").agg(
        pl.col("kind").max(), (pl.col("exact") & (pl.col("kind") >= QUESTION)).any()
    )
    kinds = dict(best["kind"].value_counts().iter_rows())
    acted = frame.filter(pl.col("kind") >= QUESTION)
    strongest = frame.sort(
        "kind", "exact", "score", "row", "item", descending=[True, True, True, False, False]
    )
    return ContaminationMatch(
        task=task,
        reference=reference,
        item=kinds.get(ITEM, 0),
        question=kinds.get(QUESTION, 0),
        passage=kinds.get(PASSAGE, 0),
        exact=int(best["exact"].sum()),
        items=acted.select("split", "item").n_unique() if acted.height else 0,
        examples=tuple(strongest.head(MAX_EXAMPLES).select("row", "item").iter_rows()),
    )


def _count_of(reference: Reference) -> ReferenceCount:
    items = reference.items()
    return ReferenceCount(rows=len(items.rows), digest=items_digest(items), missing=reference.missing())


def _with_texts(side: TrainingSide, reference: Reference, frame: pl.DataFrame) -> pa.Table:
    """The matches of a pair as rows of REPORT_SCHEMA."""
    rows = np.unique(frame["row"].to_numpy())
    columns, _ = training_texts(side.task, side.raw, side.of, rows)
    training = _joined(columns.values())
    items = reference.items()
    places = pl.DataFrame({"item": items.rows, "split": items.splits}).with_columns(
        evaluation_text=_joined(column.texts for column in items.columns)
    )
    joined = frame.join(places.unique(["item", "split"], keep="first"), on=["item", "split"], how="left")
    joined = joined.join(pl.DataFrame({"row": rows, "training_text": training}), on="row", how="left")
    joined = joined.sort("kind", "exact", "score", "row", "item", descending=[True, True, True, False, False])
    return (
        joined.select(
            pl.lit(side.task.name).alias("task"),
            "row",
            pl.lit(reference.name).alias("reference"),
            pl.col("split").replace_strict(dict(enumerate(SPLITS)), return_dtype=pl.String),
            "item",
            pl.col("kind").replace_strict(KINDS, return_dtype=pl.String),
            "exact",
            "score",
            "training_text",
            "evaluation_text",
        )
        .to_arrow()
        .cast(REPORT_SCHEMA)
    )


def _joined(columns: Iterable[pl.Series]) -> pl.Series:
    """The texts of each row, one below the other."""
    frame = pl.DataFrame({str(i): column for i, column in enumerate(columns)})
    return frame.select(pl.concat_str(pl.all(), separator="\n", ignore_nulls=True)).to_series()
