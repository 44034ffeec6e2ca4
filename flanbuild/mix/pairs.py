"""Matches of one training task with one reference, kept by digests of both sides.

A pair depends on the rules of matching, on the training rows that can be drawn and on the evaluation rows, and on
nothing else: another hold-out, another mixture or a second build reads what is kept and computes only new pairs.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from flanbuild.artifacts import artifact, executor
from flanbuild.artifacts.arrow import read_table, write_table
from flanbuild.artifacts.digests import rows_digest
from flanbuild.artifacts.executor import Workers
from flanbuild.artifacts.files import digest_of, locked, sweep
from flanbuild.artifacts.records import (
    RECORD,
    ROWS_FILE,
    RawRecord,
    ReferenceCount,
    ReferenceRecord,
    find_record,
    read_record,
    write_record,
)
from flanbuild.declare.mixture import ContaminationRule
from flanbuild.declare.task import Task
from flanbuild.errors import ArtifactError
from flanbuild.mix.index import Index, Items, build_index
from flanbuild.mix.matching import ITEM, MATCH_SCHEMA, VERSION, find_matches
from flanbuild.mix.references import SPLITS, file_items, items_digest, missing_splits, origins, task_items
from flanbuild.mix.words import Hashes, Integers
from flanbuild.progress import Progress, log
from flanbuild.render import normalization
from flanbuild.render.examples import ROW, texts
from flanbuild.render.preprocessors import SOURCE_ROW
from flanbuild.render.splits import by_upstream, scan, split_errors

_DIGEST = b"rows"


@dataclass(frozen=True)
class Reference:
    """A set of evaluation rows: of a task, or of a file."""

    name: str
    task: Task | None
    path: Path
    """the task's raw folder, or the file"""
    key: str
    """digest of what decides its rows and texts"""

    def reads(self, training: "TrainingRows") -> bool:
        """Whether its rows are of the same upstream splits as these training rows."""
        if self.task is None:
            return False
        own, other = self.task.source, training.task.source
        same = (own.repo, own.config) == (other.repo, other.config)
        return same and training.of in by_upstream(self.task, SPLITS)

    def items(self) -> Items:
        """Its evaluation rows."""
        return file_items(self.path, self.name) if self.task is None else task_items(self.task, self.path)

    def count(self, items: Items) -> ReferenceCount:
        """What the manifest says of it."""
        missing = () if self.task is None else missing_splits(self.task, self.path)
        return ReferenceCount(rows=len(items.rows), digest=items_digest(items), missing=missing)


@dataclass(frozen=True)
class TrainingRows:
    """The training rows of one task that can be drawn."""

    task: Task
    raw: Path
    """the task's raw folder"""
    of: tuple[str, ...]
    """upstream splits"""
    folder: Path
    """the rendered folder, whose ROWS_FILE has been compared with its record"""
    key: str
    """digest of what decides its rows and texts"""

    def rows(self) -> Integers:
        """Their indices after preprocessing, in keyed order."""
        column: Integers = read_table(self.folder / ROWS_FILE).column("row").combine_chunks().to_numpy()
        return column

    def texts(self, rows: Integers) -> "Texts":
        """All texts of these rows, in their order; a text that stands in an earlier column too is left out."""
        record = read_record(self.raw / RECORD, RawRecord)
        artifact.check_files(self.raw, record, {f"{name}.parquet" for name in self.of})
        with split_errors(self.task, self.raw, self.of):
            frame = texts(self.task, scan(self.raw, self.of), pl.Series(np.sort(rows))).collect()
        frame = frame[np.argsort(np.argsort(rows))]
        columns: dict[str, pl.Series] = {}
        for name in frame.columns:
            if name not in (ROW, SOURCE_ROW):
                column = frame[name]
                for earlier in columns.values():
                    column = column.set((column == earlier).fill_null(False), None)
                columns[name] = column
        return Texts(columns, origins(self.task, self.of, frame[SOURCE_ROW].to_numpy()))


class Texts(NamedTuple):
    """Texts of training rows by column, and the key of each row's place upstream."""

    columns: Mapping[str, pl.Series]
    origin: Hashes


@dataclass(frozen=True)
class Pairs:
    """The folder where matches of pairs are kept, under one rule."""

    folder: Path
    """data/contamination"""
    rule: ContaminationRule

    def complete(
        self,
        training: Sequence[TrainingRows],
        references: Sequence[Reference],
        workers: Workers,
        progress: Progress,
    ) -> None:
        """Computes the pairs that are not kept yet. Tasks that lack the same references share an index.

        Threads do the work, since they share the index; numpy and polars let them run at once.
        """
        with self.locked():
            self._complete(training, references, workers, progress)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Alone in the folder, which is free of what runs that died have left."""
        with locked(self.folder / "pairs"):
            sweep(self.folder)
            yield

    def _complete(
        self,
        training: Sequence[TrainingRows],
        references: Sequence[Reference],
        workers: Workers,
        progress: Progress,
    ) -> None:
        lacking: dict[tuple[int, ...], list[TrainingRows]] = {}
        for rows in training:
            missing = tuple(i for i, reference in enumerate(references) if self.get(rows, reference) is None)
            if missing:
                lacking.setdefault(missing, []).append(rows)
        for numbers, group in lacking.items():
            wanted = [references[i] for i in numbers]
            items = [reference.items() for reference in wanted]
            for reference, found in zip(wanted, items, strict=True):
                count = reference.count(found)
                record = ReferenceRecord.of(reference=reference.name, count=count)
                if find_record(self._reference_file(reference), ReferenceRecord) != record:
                    write_record(self._reference_file(reference), record)
            index = build_index(items, self.rule.ngram)
            with progress(len(group), "contamination") as done:
                work: list[executor.WorkItem] = [(self._compare, (rows, wanted, index)) for rows in group]
                executor.run_in_threads(work, workers, done=done)

    def get(self, training: TrainingRows, reference: Reference) -> pl.DataFrame | None:
        """The matches of a pair, or None if they are not kept or damaged.

        Columns: `position` among the training rows, `row`, `item` and `split` of the evaluation row, `kind`, `exact`
        and `score`.
        """
        path = self._pair_file(training, reference)
        if not path.is_file() or not self._reference_file(reference).is_file():
            return None
        try:
            table = read_table(path)
        except ArtifactError as error:
            log(f"{error} It will be computed again.")
            return None
        if (table.schema.metadata or {}).get(_DIGEST) != rows_digest(table).encode():
            log(f"{path}: damaged. It will be computed again.")
            return None
        return pl.DataFrame(table)

    def count(self, reference: Reference) -> ReferenceCount:
        """How many evaluation rows a reference has, and their digest."""
        record = find_record(self._reference_file(reference), ReferenceRecord)
        return record.count if record else reference.count(reference.items())

    def _compare(self, training: TrainingRows, references: Sequence[Reference], index: Index) -> None:
        rows = training.rows()
        read = training.texts(rows)
        found = find_matches(index, read.columns, threshold=self.rule.threshold)
        for reference, group in zip(references, index.groups, strict=True):
            matches = found[reference.name]
            if reference.reads(training):
                matches = with_origins(matches, read.origin, group.items.origin)
            item = matches["item"].to_numpy()
            table = matches.select(
                pl.col("row").alias("position"),
                pl.Series("row", rows[matches["row"].to_numpy()], pl.Int64),
                pl.Series("item", group.items.rows[item], pl.Int64),
                pl.Series("split", group.items.splits[item], pl.Int8),
                "kind",
                "exact",
                "score",
            ).to_arrow()
            table = table.replace_schema_metadata({_DIGEST: rows_digest(table)})
            write_table(self._pair_file(training, reference), table)

    def _pair_file(self, training: TrainingRows, reference: Reference) -> Path:
        settings = [VERSION, normalization.VERSION, self.rule.ngram, self.rule.threshold]
        key = digest_of([training.key, reference.key, settings])
        return self.folder / "pairs" / training.task.name.replace("/", ".") / f"{key[:32]}.arrow"

    def _reference_file(self, reference: Reference) -> Path:
        return self.folder / "references" / f"{reference.key[:32]}.json"


def with_origins(matches: pl.DataFrame, rows: Hashes, items: Hashes) -> pl.DataFrame:
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
        np.ones(len(same), np.bool_),
        np.ones(len(same)),
    )
    upstream = pl.DataFrame(dict(zip(MATCH_SCHEMA, columns, strict=True)), schema=MATCH_SCHEMA)
    best = pl.concat([upstream, matches]).unique(["row", "item"], keep="first", maintain_order=True)
    return best.sort("row", "item")
