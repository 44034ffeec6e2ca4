"""The held-out tasks of a mixture and the rows of their evaluation sets, compared with what the manifest says."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from flanbuild.artifacts.arrow import read_table
from flanbuild.artifacts.files import xxh3_of
from flanbuild.artifacts.records import MANIFEST, RECORD, EvaluationRecord, HeldOutTask, Manifest, read_record
from flanbuild.errors import ArtifactError

TEST = "test.arrow"
_COLUMNS = ("prompt", "template", "row", "options", "answer", "answers")


@dataclass(frozen=True)
class EvaluationTask:
    """A held-out task with its evaluation set, or the reason why it has none."""

    cluster: str
    task: str
    metrics: tuple[str, ...]
    path: Path | None = None
    """the rows; None where `missing` says why there are none"""
    digest: str = ""
    """xxh3_128 of the file"""
    missing: str = ""

    def rows(self, examples: int | None) -> "EvaluationRows":
        """The first `examples` rows of the set, or all, under all their templates.

        Raises ArtifactError if an answer is not among the options of its row.
        """
        assert self.path is not None, "a task without rows is not evaluated"
        table = read_table(self.path).select(_COLUMNS)
        if examples is not None:
            first = pc.unique(table["row"]).slice(0, examples)
            table = table.filter(pc.is_in(table["row"], value_set=first))
        rows = EvaluationRows(**{name: table[name].to_pylist() for name in _COLUMNS})
        for row, options, answer in zip(rows.row, rows.options, rows.answer, strict=True):
            if options and answer not in options:
                raise ArtifactError(
                    f"{self.path}: row {row}: the answer '{answer}' is not among its options."
                )
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

    def under(self, template: int) -> "EvaluationRows":
        """The rows under one template."""
        indices = [index for index, number in enumerate(self.template) if number == template]
        return EvaluationRows(**{name: [getattr(self, name)[i] for i in indices] for name in _COLUMNS})


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
    tasks = [_task(name, members[name], evaluation) for name in sorted(members)]
    if all(task.missing for task in tasks):
        reasons = "; ".join(f"{task.task}: {task.missing}" for task in tasks) or "it has no tasks"
        raise ArtifactError(
            f"{path}: no task of the hold-out {', '.join(groups)} can be evaluated ({reasons})."
        )
    return manifest, sorted(tasks, key=lambda task: (task.cluster, task.task))


def _task(name: str, held_out: HeldOutTask, evaluation: Path) -> EvaluationTask:
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
    record = read_record(folder / RECORD, EvaluationRecord)
    if record.source.digest != held_out.source_digest:
        raise ArtifactError(
            f"{folder / RECORD}: {name} was made of other rows ({record.source.digest[:12]}…) than the mixture holds"
            f" out ({held_out.source_digest[:12]}…); build the mixture or the evaluation set again."
        )
    split = record.splits.get("test")
    if split is None or not split.examples:
        return EvaluationTask(cluster, name, record.metrics, missing="the evaluation set has no test rows")
    if not (folder / TEST).is_file():
        raise ArtifactError(f"{folder / TEST}: no such file; `flanbuild evalset {name}` makes it.")
    if (digest := xxh3_of(folder / TEST)) != split.file_digest:
        raise ArtifactError(
            f"{folder / TEST}: its xxh3 digest is {digest[:12]}… and the record says {split.file_digest[:12]}…;"
            f" `flanbuild evalset {name}` makes it again."
        )
    return EvaluationTask(cluster, name, record.metrics, folder / TEST, digest)


PREDICTIONS = pa.schema(
    [
        ("model", pa.string()),
        ("cluster", pa.string()),
        ("task", pa.string()),
        ("row", pa.int64()),
        ("template", pa.int16()),
        ("prediction", pa.string()),
        ("answer", pa.string()),
        ("options", pa.list_(pa.string())),
        ("logliks", pa.list_(pa.float64())),
    ]
)
"""The prediction of a model for each row. `logliks` are those of `options`; empty where text was generated."""
