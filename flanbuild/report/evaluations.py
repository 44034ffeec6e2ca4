"""The folders that a report is made of: read, named, and comparable with each other."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from flanbuild.artifacts.records import SCORES, read_record
from flanbuild.errors import ArtifactError, DeclarationError
from flanbuild.evaluation.record import SAMPLES, MetricScores, Sample, SampleRecord, ScoreRecord
from flanbuild.evaluation.results import Row, main_scores

_SETTINGS = (
    "examples",
    "templates",
    "dev_examples",
    "seen_tasks",
    "seen_examples",
    "prompt_length",
    "max_new_tokens",
)
"""Settings that decide which rows are scored and how. A chat template belongs to the model."""


@dataclass(frozen=True)
class Evaluation:
    """A folder that `evaluate` wrote. Its name is the folder's."""

    name: str
    folder: Path
    record: ScoreRecord

    def series(self, name: str) -> list[Row]:
        """The rows of one of its CSV files; none if it has no such file."""
        path = self.folder / name
        if not path.is_file():
            return []
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def samples(self) -> Mapping[str, Sequence[Sample]]:
        """Task → prompts with their answers."""
        return read_record(self.folder / SAMPLES, SampleRecord).samples

    @property
    def held_out(self) -> list[MetricScores]:
        """The scores that enter the means over held-out tasks."""
        return [one for tasks in self.record.scores.values() for one in main_scores(self.record, tasks)]

    @property
    def seen(self) -> list[MetricScores]:
        """The scores that enter the means over trained tasks."""
        return [one for tasks in self.record.seen.values() for one in main_scores(self.record, tasks)]

    @property
    def main(self) -> dict[str, MetricScores]:
        """Task → scores of its main metric, held-out tasks first."""
        return {
            task: metrics[self.record.metrics[task][0]]
            for clusters in (self.record.scores, self.record.seen)
            for tasks in clusters.values()
            for task, metrics in tasks.items()
        }


def read_evaluations(folders: Iterable[Path]) -> list[Evaluation]:
    """The evaluations, sorted by name.

    Raises DeclarationError if no folder is given, if two have one name, or if their numbers cannot be compared;
    ArtifactError if a folder holds no evaluation.
    """
    given = sorted(set(folders))
    if not given:
        raise DeclarationError("report: no folder of an evaluation was given.")
    missing = [folder for folder in given if not (folder / SCORES).is_file()]
    if missing:
        raise ArtifactError(f"{missing[0]}: no {SCORES} in it; `flanbuild evaluate` writes one.")
    by_name = {folder.resolve().name: folder for folder in given}
    if twice := [folder for folder in given if by_name[folder.resolve().name] != folder]:
        raise DeclarationError(
            f"report: {twice[0]} and {by_name[twice[0].resolve().name]} have one name, which their plots would share; rename one."
        )
    evaluations = [
        Evaluation(name, folder, read_record(folder / SCORES, ScoreRecord))
        for name, folder in sorted(by_name.items())
    ]
    for first, second in combinations(evaluations, 2):
        _check_alike(first, second)
    return evaluations


def _check_alike(first: Evaluation, second: Evaluation) -> None:
    """Raises DeclarationError, one sentence, if a table of both would compare what cannot be compared."""
    difference = next(_differences(first.record, second.record), None)
    if difference is not None:
        what, one, other = difference
        raise DeclarationError(
            f"report: {first.folder} and {second.folder} cannot be compared: {what} is {one} in the first and {other} in the"
            " second; evaluate one of them again, or write two reports."
        )


def _differences(first: ScoreRecord, second: ScoreRecord) -> Iterator[tuple[str, object, object]]:
    """(what, in the first, in the second), for each thing that must be the same in one report."""
    pairs: list[tuple[str, object, object]] = [("protocol", first.protocol, second.protocol)]
    pairs += [(name, first.config.get(name), second.config.get(name)) for name in _SETTINGS]
    for task in sorted(set(first.evaluation_sets) & set(second.evaluation_sets)):
        own, others = first.evaluation_sets[task], second.evaluation_sets[task]
        pairs += [
            (f"the {split} set of {task}", own[split], others[split])
            for split in sorted(set(own) & set(others))
        ]
    one, other = (", ".join(source_kinds(record)) for record in (first, second))
    pairs.append(("source of the rows", one, other))
    return ((what, _shown(one), _shown(other)) for what, one, other in pairs if one != other)


def _shown(value: object) -> str:
    return "all" if value is None else str(value)[:16]


def source_kinds(record: ScoreRecord) -> list[str]:
    """The kinds of sources of the scored rows."""
    return sorted({source.kind for source in record.sources.values()})
