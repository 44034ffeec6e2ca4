"""The exact allocation of a mixture over its tasks: what each gives, or why it gives nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args

from flanbuild.artifacts.records import RenderedSplit, TaskRecord
from flanbuild.declare.mixture import HeldOut, Mixture
from flanbuild.declare.rate import rate
from flanbuild.mix.allocation import allocate
from flanbuild.mix.shards import TaskRef

OtherSplit = Literal["validation", "test"]
OTHER_SPLITS: tuple[OtherSplit, ...] = get_args(OtherSplit)
_NO_SPLIT = RenderedSplit(of=())


@dataclass(frozen=True)
class Allocation:
    """What one task of the mixture gives, or why it gives nothing."""

    task: str
    cluster: str
    available: int
    """training rows upstream, before filter, carving and cap"""
    rows: int
    """training rows that can be drawn"""
    duplicates: int
    """training rows whose texts equal those of another one"""
    in_train: Mapping[OtherSplit, int]
    """of its own other splits, the rows whose texts equal those of a training row"""
    contaminated: int
    """rows that carry a held-out item or question"""
    removed: int
    """those of them that are left out"""
    rate: int
    share: Fraction
    count: int
    """training examples"""
    templates_each: int
    """templates under which a row comes each time that it is drawn"""
    out: str

    @property
    def repeats(self) -> int:
        """How many more times the most drawn row comes after the first."""
        return max(0, -(-self.count // (self.rows * self.templates_each)) - 1) if self.rows else 0


def plan(
    mixture: Mixture,
    records: Mapping[str, TaskRecord],
    held: Mapping[str, HeldOut],
    contaminated: Mapping[str, int],
) -> list[Allocation]:
    """The exact allocation over the mixture's tasks, in task order.

    `records` holds the tasks that the mixture trains on. `contaminated`: how many training rows of a task carry a
    held-out item or question; the mixture's rule decides whether they are left out.
    """
    removed = contaminated if mixture.contamination.rule == "drop" else {}
    out = {name: _out(name, record, held, mixture) for name, record in sorted(records.items())}
    train = {name: record.splits.get("train", _NO_SPLIT) for name, record in records.items()}
    rows = {name: 0 if out[name] else train[name].rows - removed.get(name, 0) for name in out}
    counts = allocate(mixture, rows, task_refs(records))
    total = sum(counts.values())
    allocations = []
    for name, reason in out.items():
        count = counts.get(name, 0)
        kept = train[name].rows - removed.get(name, 0)
        allocations.append(
            Allocation(
                task=name,
                cluster=records[name].cluster,
                available=train[name].upstream,
                rows=kept,
                duplicates=train[name].duplicates,
                in_train=_in_train(records[name]),
                contaminated=contaminated.get(name, 0),
                removed=removed.get(name, 0),
                rate=rate(mixture, kept),
                share=Fraction(count, total) if total else Fraction(0),
                count=count,
                templates_each=mixture.templates_each,
                out=reason if reason or count else f"no share in {mixture.path.name}",
            )
        )
    return allocations


def related_in_training(
    held: Mapping[str, HeldOut], allocations: Iterable[Allocation]
) -> dict[str, tuple[str, ...]]:
    """By name that is held out: the tasks that give examples although the paper would have held them out with it.

    The paper counts a dataset as unseen only if no dataset of its cluster or a related one is trained on (section 2.2).
    """
    given = [entry for entry in allocations if entry.count]
    found = {
        name: tuple(entry.task for entry in given if entry.cluster in group.paper)
        for name, group in held.items()
    }
    return {name: tasks for name, tasks in found.items() if tasks}


def task_refs(records: Mapping[str, TaskRecord]) -> dict[str, TaskRef]:
    """What a mixture knows rendered tasks by."""
    return {name: TaskRef(name, record.dataset, record.cluster) for name, record in records.items()}


def _in_train(record: TaskRecord) -> dict[OtherSplit, int]:
    return {name: record.splits[name].in_train for name in OTHER_SPLITS if name in record.splits}


def _out(name: str, record: TaskRecord, held: Mapping[str, HeldOut], mixture: Mixture) -> str:
    """Why the task gives nothing, or an empty string."""
    if rules := [group.rule for group in held.values() if name in group.tasks]:
        return rules[0]
    if refused := mixture.refused(record.source.license):
        return refused
    train = record.splits.get("train")
    if train is None:
        return "evaluation only: the task file has no train split"
    if train.missing:
        return f"missing at the source: {', '.join(train.missing)}"
    if not train.rows:
        dropped = ", ".join(f"{count:,} {reason}" for reason, count in train.dropped.items())
        return f"no row is left after filtering ({dropped})" if dropped else "no training rows at the source"
    return ""
