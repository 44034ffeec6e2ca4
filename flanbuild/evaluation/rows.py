"""The tasks of a mixture that are scored, and the rows of their evaluation sets, compared with what the manifest says."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from flanbuild.artifacts.arrow import read_table
from flanbuild.artifacts.files import xxh3_of
from flanbuild.artifacts.records import (
    MANIFEST,
    RECORD,
    EvaluationRecord,
    HeldOutTask,
    Manifest,
    MixtureTask,
    SourceRecord,
    read_record,
)
from flanbuild.errors import ArtifactError
from flanbuild.evaluation.record import Split
from flanbuild.keys import task_key

_COLUMNS = ("prompt", "template", "row", "options", "answer", "answers")


@dataclass(frozen=True)
class EvaluationTask:
    """A task with its evaluation set, or the reason why it has none."""

    cluster: str
    task: str
    metrics: tuple[str, ...]
    folder: Path | None = None
    """the evaluation set; None where `missing` says why there is none"""
    digests: Mapping[Split, str] = field(default_factory=dict)
    """xxh3_128 of the files of its splits that have rows"""
    source: SourceRecord | None = None
    """where the rows come from; None where there is no evaluation set"""
    missing: str = ""

    def rows(
        self, split: Split, examples: int | None = None, templates: int | None = None
    ) -> "EvaluationRows":
        """The first `examples` rows of a split, or all, under its first `templates` templates, or all.

        There are none if the task has no such split. Raises ArtifactError if an answer is not among the options of its row.
        """
        if self.folder is None or split not in self.digests or examples == 0:
            return EvaluationRows(**{name: [] for name in _COLUMNS})
        path = self.folder / f"{split}.arrow"
        table = read_table(path).select(_COLUMNS)
        if examples is not None:
            first = pc.unique(table["row"]).slice(0, examples)
            table = table.filter(pc.is_in(table["row"], value_set=first))
        if templates is not None:
            kept = sorted(pc.unique(table["template"]).to_pylist())[:templates]
            table = table.filter(pc.is_in(table["template"], value_set=pa.array(kept, pa.int16())))
        rows = EvaluationRows(**{name: table[name].to_pylist() for name in _COLUMNS})
        for row, options, answer in zip(rows.row, rows.options, rows.answer, strict=True):
            if options and answer not in options:
                raise ArtifactError(f"{path}: row {row}: the answer '{answer}' is not among its options.")
        return rows


@dataclass(frozen=True)
class EvaluationRows:
    """The columns of an evaluation set. `answers` may be empty where `answer` is the only one."""

    prompt: Sequence[str]
    template: Sequence[int]
    row: Sequence[int]
    options: Sequence[Sequence[str]]
    answer: Sequence[str]
    answers: Sequence[Sequence[str]]

    def __len__(self) -> int:
        return len(self.prompt)

    @property
    def ranked(self) -> bool:
        """Whether the task is answered by choosing among options."""
        return all(self.options)

    @property
    def references(self) -> list[Sequence[str]]:
        """What a prediction is compared with: the answer where options are ranked, otherwise all answers."""
        if self.ranked:
            return [[answer] for answer in self.answer]
        return [answers or [answer] for answer, answers in zip(self.answer, self.answers, strict=True)]

    @property
    def classes(self) -> Sequence[str]:
        """The options, if all rows have the same ones; otherwise none."""
        same = self.ranked and all(options == self.options[0] for options in self.options)
        return self.options[0] if same else ()

    @property
    def count(self) -> int:
        """Rows, whatever their templates."""
        return len(set(self.row))

    def under(self, template: int) -> "EvaluationRows":
        """The rows under one template."""
        return self._at(index for index, number in enumerate(self.template) if number == template)

    def without(self, rows: Iterable[int]) -> "EvaluationRows":
        """The rows that are not among `rows`."""
        out = set(rows)
        return self._at(index for index, row in enumerate(self.row) if row not in out)

    def _at(self, indices: Iterable[int]) -> "EvaluationRows":
        chosen = list(indices)
        return EvaluationRows(**{name: [getattr(self, name)[i] for i in chosen] for name in _COLUMNS})


def held_out_tasks(mixture: Path, evaluation: Path) -> tuple[Manifest, list[EvaluationTask]]:
    """The manifest of a mixture and the tasks of its hold-outs, in order of their names.

    `evaluation` holds the evaluation sets, one folder per task below one per cluster. Raises ArtifactError if the
    mixture holds nothing out, if a set is missing, damaged or made of other rows, or if no task at all has test rows.
    """
    path = mixture / MANIFEST
    manifest = read_record(path, Manifest)
    groups = {name: group for name, group in sorted(manifest.held_out.items()) if group.asked}
    if not groups:
        raise ArtifactError(f"{path}: no cluster is held out, so there is nothing to evaluate.")
    members = {name: task for group in groups.values() for name, task in group.tasks.items()}
    tasks = [_held_out_task(name, members[name], evaluation) for name in sorted(members)]
    if all(task.missing for task in tasks):
        reasons = "; ".join(f"{task.task}: {task.missing}" for task in tasks) or "it has no tasks"
        raise ArtifactError(
            f"{path}: no task of the hold-out {', '.join(groups)} can be evaluated ({reasons})."
        )
    return manifest, sorted(tasks, key=lambda task: (task.cluster, task.task))


def seen_tasks(manifest: Manifest, evaluation: Path, count: int, rows: int) -> list[EvaluationTask]:
    """Tasks that the mixture trains on, to see whether training taught anything: `count` of them, clusters in turn.

    They have at least `rows` dev rows. Which ones is keyed by their names, so that it does not depend on the order of
    a mixture file. Raises ArtifactError as `held_out_tasks` does; a task without evaluation set gives the reason in
    `missing`.
    """
    names: dict[str, list[str]] = {}
    for name in sorted(manifest.tasks, key=lambda name: task_key(0, "seen", name)):
        if manifest.tasks[name].given:
            names.setdefault(manifest.tasks[name].cluster, []).append(name)
    turns = sorted(
        (turn, task_key(0, "seen", cluster), name)
        for cluster, members in names.items()
        for turn, name in enumerate(members)
    )
    tasks: list[EvaluationTask] = []
    for _, _, name in turns:
        if len(tasks) == count:
            break
        if task := _seen_task(name, manifest.tasks[name], evaluation, rows):
            tasks.append(task)
    return tasks


def _seen_task(name: str, trained: MixtureTask, evaluation: Path, rows: int) -> EvaluationTask | None:
    """The task, or None if it has too few dev rows."""
    folder = evaluation / trained.cluster / name
    if not (folder / RECORD).is_file():
        reason = f"it is trained on and has no evaluation set; `flanbuild evalset {name}` makes it"
        return EvaluationTask(trained.cluster, name, (), missing=reason)
    dev = read_record(folder / RECORD, EvaluationRecord).splits.get("dev")
    if dev is None or dev.rows < rows:
        return None
    return _with_set(folder, name, trained.source.digest, "dev")


def _held_out_task(name: str, held_out: HeldOutTask, evaluation: Path) -> EvaluationTask:
    cluster, metrics = held_out.cluster, held_out.metrics
    if held_out.missing:
        reason = f"the source has no split {', '.join(held_out.missing)}"
        return EvaluationTask(cluster, name, metrics, missing=reason)
    if not held_out.has_test:
        return EvaluationTask(cluster, name, metrics, missing="the task has no test split")
    folder = evaluation / cluster / name
    if not (folder / RECORD).is_file():
        raise ArtifactError(
            f"{folder}: no evaluation set of {name}; `flanbuild evalset {name}` makes it from the task's rows."
        )
    return _with_set(folder, name, held_out.source_digest, "test")


def _with_set(folder: Path, name: str, source_digest: str, needed: Split) -> EvaluationTask:
    """The task of an evaluation set, whose files are compared with its record."""
    record = read_record(folder / RECORD, EvaluationRecord)
    if record.source.digest != source_digest:
        raise ArtifactError(
            f"{folder / RECORD}: {name} was made of other rows ({record.source.digest[:12]}…) than the mixture knows"
            f" ({source_digest[:12]}…); build the mixture or the evaluation set again."
        )
    digests: dict[Split, str] = {
        split: _checked(folder / f"{split}.arrow", entry.file_digest, name)
        for split, entry in sorted(record.splits.items())
        if entry.examples
    }
    missing = "" if needed in digests else f"the evaluation set has no {needed} rows"
    return EvaluationTask(record.cluster, name, record.metrics, folder, digests, record.source, missing)


def _checked(path: Path, expected: str, name: str) -> str:
    if not path.is_file():
        raise ArtifactError(f"{path}: no such file; `flanbuild evalset {name}` makes it.")
    if (digest := xxh3_of(path)) != expected:
        raise ArtifactError(
            f"{path}: its xxh3 digest is {digest[:12]}… and the record says {expected[:12]}…;"
            f" `flanbuild evalset {name}` makes it again."
        )
    return digest


PREDICTIONS = pa.schema(
    [
        ("model", pa.string()),
        ("cluster", pa.string()),
        ("task", pa.string()),
        ("split", pa.string()),
        ("row", pa.int64()),
        ("template", pa.int16()),
        ("prediction", pa.string()),
        ("answer", pa.string()),
        ("options", pa.list_(pa.string())),
        ("logliks", pa.list_(pa.float64())),
    ]
)
"""The prediction of a model for each row. `logliks` are those of `options`; empty where text was generated."""
