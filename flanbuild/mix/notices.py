"""What a person should know about a mixture before training on it: splits without rows, idle weights, many repeats.

Each notice is one sentence. None of them stops a build.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from flanbuild.artifacts.records import TaskRecord
from flanbuild.declare.mixture import Mixture
from flanbuild.declare.task import Task

MANY_TIMES = 20
"""Times that a row may come in a mixture without a notice."""
_NAMED = 4
"""Tasks that a notice names."""
_COMPLETE = ("hub", "files")
"""Kinds of source that have all rows, so that a split smaller than declared is worth a notice."""


class Outcome(NamedTuple):
    """What one task gives to a mixture."""

    examples: int
    repeats: int
    """times that the most drawn row comes again"""
    out: str
    """why the task gives nothing; empty when it gives something"""


def notices(
    mixture: Mixture,
    tasks: Mapping[str, Task],
    records: Mapping[str, TaskRecord],
    outcomes: Mapping[str, Outcome],
    related: Mapping[str, Sequence[str]],
) -> list[str]:
    """The notices, in task order. `records` and `outcomes` are of the tasks that the mixture trains on.

    `related`: by held-out name, the tasks trained on that the paper would have held out too.
    """
    found = [
        *_related(related, records),
        *_unused_templates(mixture),
        *_idle_weights(mixture, records, outcomes),
    ]
    for name in sorted(outcomes):
        found += _empty_splits(name, records[name])
        found += _repeats(name, outcomes[name])
        if name in tasks:
            found += _small_splits(tasks[name], records[name])
    return found


def _related(related: Mapping[str, Sequence[str]], records: Mapping[str, TaskRecord]) -> Iterator[str]:
    for name, tasks in related.items():
        clusters = ", ".join(sorted({records[task].cluster for task in tasks}))
        yield (
            f"{name} is held out, and the mixture trains on {len(tasks)} task(s) of {clusters} ({_shortened(tasks)}), "
            "which the paper would have held out with it (section 2.2)."
        )


def _shortened(tasks: Sequence[str]) -> str:
    more = f" and {len(tasks) - _NAMED} more" if len(tasks) > _NAMED else ""
    return ", ".join(tasks[:_NAMED]) + more


def _unused_templates(mixture: Mixture) -> Iterator[str]:
    if mixture.style != "instruction" and "templates" in mixture.model_fields_set and mixture.templates > 1:
        yield f"{mixture.path}: style {mixture.style} has one template for each task, so templates: {mixture.templates} has no effect."


def _idle_weights(
    mixture: Mixture, records: Mapping[str, TaskRecord], outcomes: Mapping[str, Outcome]
) -> Iterator[str]:
    for name, weight in (mixture.rate.weights or {}).items():
        members = [
            task for task in sorted(outcomes) if name in (task, records[task].dataset, records[task].cluster)
        ]
        if weight and members and not any(outcomes[task].examples for task in members):
            why = next((outcomes[task].out for task in members if outcomes[task].out), "no rows")
            yield f"{mixture.path}: rate.weights.{name} goes to the other tasks: {members[0]} gives nothing ({why})."


def _empty_splits(name: str, record: TaskRecord) -> Iterator[str]:
    for split, counts in record.splits.items():
        if counts.rows or counts.missing:
            continue
        upstream = " + ".join(f"'{upstream}'" for upstream in counts.of)
        if not counts.upstream:
            yield f"{name}: {split} is empty: the source has no rows in {upstream}."
        elif sum(counts.dropped.values()) == counts.upstream:
            reasons = ", ".join(f"{rows:,} {reason}" for reason, rows in counts.dropped.items())
            yield f"{name}: {split} is empty: all {counts.upstream:,} rows of {upstream} are dropped ({reasons})."
        else:
            yield f"{name}: {split} is empty: other splits take the {counts.to_other_splits:,} rows of {upstream}."


def _repeats(name: str, outcome: Outcome) -> Iterator[str]:
    if outcome.repeats >= MANY_TIMES:
        yield (
            f"{name}: gives {outcome.examples:,} examples, so that rows come up to {outcome.repeats + 1:,} times; a "
            "smaller size or weight avoids repeats."
        )


def _small_splits(task: Task, record: TaskRecord) -> Iterator[str]:
    for split, counts in record.splits.items():
        declared = task.splits[split].rows if split in task.splits else None
        if (
            declared
            and record.source.kind in _COMPLETE
            and 0 < counts.rows < declared
            and counts.to_other_splits
        ):
            yield (
                f"{task.name}: {split} has {counts.rows:,} rows instead of {declared:,}: a split takes at most an even "
                f"share of the {counts.rows + counts.to_other_splits:,} rows that it shares."
            )
