"""The held-out tasks of a mixture and their rows, checked against the manifest."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from flanbuild.artifacts.arrow import read_table
from flanbuild.artifacts.files import read_json, sha256_of
from flanbuild.errors import ArtifactError

_COLUMNS = ("prompt", "template", "row", "options", "answer", "answers")


@dataclass(frozen=True)
class HeldOutTask:
    """One task to evaluate. `missing` says why there are no rows, where there are none."""

    cluster: str
    task: str
    metrics: tuple[str, ...]
    path: Path | None
    missing: str | None = None

    def rows(self, examples: int | None) -> "EvaluationRows":
        """Its rows, of the first `examples` source rows under all their templates."""
        assert self.path is not None, "asked for the rows of a task that has none"
        table = read_table(self.path).select(_COLUMNS)
        if examples is not None:
            first = pc.unique(table["row"]).slice(0, examples)
            table = table.filter(pc.is_in(table["row"], value_set=first))
        rows = EvaluationRows(**{name: table[name].to_pylist() for name in _COLUMNS})
        for row, options, answer in zip(rows.row, rows.options, rows.answer, strict=True):
            if options and answer not in options:
                raise ArtifactError(f"{self.path}: row {row}: the answer '{answer}' is none of its options.")
        return rows


@dataclass(frozen=True)
class EvaluationRows:
    """The columns of an evaluation file. `answers` always holds at least `answer`."""

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
        """What a prediction is compared with: the answer where options are ranked, else all references."""
        if self.ranked:
            return [[answer] for answer in self.answer]
        return [answers or [answer] for answer, answers in zip(self.answer, self.answers, strict=True)]

    @property
    def classes(self) -> Sequence[str]:
        """The options, where all rows have the same; else none."""
        same = self.ranked and all(options == self.options[0] for options in self.options)
        return self.options[0] if same else ()

    def of(self, template: int) -> "EvaluationRows":
        """The rows under one template."""
        return self.take([i for i, number in enumerate(self.template) if number == template])

    def take(self, places: Sequence[int]) -> "EvaluationRows":
        """The rows at these places."""
        return EvaluationRows(**{name: [getattr(self, name)[i] for i in places] for name in _COLUMNS})


def held_out_tasks(manifest: dict[str, Any], rendered: Path) -> list[HeldOutTask]:
    """All tasks of the clusters that were asked for, in order of their names."""
    return [
        _held_out(cluster, task, facts, rendered)
        for cluster, entry in sorted(manifest["held_out"].items())
        if entry["asked"]
        for task, facts in sorted(entry["tasks"].items())
    ]


def _held_out(cluster: str, task: str, facts: dict[str, Any], rendered: Path) -> HeldOutTask:
    metrics, file = tuple(facts["metrics"]), facts["evaluation"]
    if file is None:
        return HeldOutTask(cluster, task, metrics, None, "no evaluation split")
    if not file["rows"]:
        return HeldOutTask(cluster, task, metrics, None, "no rows")
    path = rendered / file["path"]
    if not path.is_file():
        raise ArtifactError(f"{path}: no such file, though the mixture's manifest lists it for {task}.")
    found = sha256_of(path)
    if found != file["sha256"]:
        raise ArtifactError(
            f"{path}: sha256 is {found[:12]}…, the mixture's manifest says {file['sha256'][:12]}…;"
            " the mixture was made beside other rows: build it again."
        )
    return HeldOutTask(cluster, task, metrics, path)


def read_manifest(mixture: Path) -> dict[str, Any]:
    """The manifest, which must hold some cluster out."""
    manifest: dict[str, Any] = read_json(mixture / "manifest.json")
    if not any(entry["asked"] for entry in manifest["held_out"].values()):
        raise ArtifactError(
            f"{mixture / 'manifest.json'}: no cluster is held out, so there is nothing to evaluate."
        )
    return manifest


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
"""What the model said to each row. `logliks` are those of `options`, none where text was generated."""
