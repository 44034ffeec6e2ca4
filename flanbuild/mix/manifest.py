"""Writes down what a mixture folder holds: what is in it, what was held out and by which rule, with digests."""

from collections.abc import Mapping, Sequence

from flanbuild.artifacts.records import (
    ContaminationRecord,
    HeldOutGroup,
    HeldOutTask,
    LicenseCount,
    Manifest,
    MixtureTask,
    RenderedSplit,
    Shard,
    TaskRecord,
    writer_versions,
)
from flanbuild.declare.mixture import HeldOut, Mixture
from flanbuild.mix.plan import Allocation, related_in_training

NO_SPLIT = RenderedSplit(of=())


def describe(
    mixture: Mixture,
    held: Mapping[str, HeldOut],
    allocations: Sequence[Allocation],
    records: Mapping[str, TaskRecord],
    contamination: ContaminationRecord,
    shards: Mapping[str, Sequence[Shard]],
    fingerprint: str,
) -> Manifest:
    """The manifest of a mixture. Nothing in it depends on the clock, the host or the folder."""
    manifest = Manifest.of(
        mixture=mixture.model_dump(mode="json", exclude={"path"}),
        holdout=tuple(name for name, group in held.items() if group.asked),
        held_out={name: _held_out(group, records) for name, group in held.items()},
        related_in_training=related_in_training(held, allocations),
        tasks={entry.task: _task(entry, records[entry.task]) for entry in allocations},
        licenses=_licenses(allocations, records),
        contamination=contamination,
        shards={split: tuple(files) for split, files in shards.items()},
        rows={split: sum(file.rows for file in files) for split, files in shards.items()},
        fingerprint=fingerprint,
        versions=writer_versions(),
    )
    return manifest.with_changes(digest=manifest.identity())


def _licenses(
    allocations: Sequence[Allocation], records: Mapping[str, TaskRecord]
) -> dict[str, LicenseCount]:
    """By license, as the task files state them: the tasks that give examples, and how many."""
    tasks: dict[str, list[Allocation]] = {}
    for entry in allocations:
        if entry.count:
            tasks.setdefault(records[entry.task].source.license, []).append(entry)
    return {
        name: LicenseCount(
            tasks=tuple(entry.task for entry in entries), given=sum(entry.count for entry in entries)
        )
        for name, entries in sorted(tasks.items())
    }


def _held_out(group: HeldOut, records: Mapping[str, TaskRecord]) -> HeldOutGroup:
    tasks = {}
    for name in group.tasks:
        record = records[name]
        test = record.splits.get("test")
        tasks[name] = HeldOutTask(
            dataset=record.dataset,
            cluster=record.cluster,
            type=record.type,
            metrics=record.metrics,
            source_digest=record.source.digest,
            missing=test.missing if test else (),
            has_test=test is not None,
        )
    return HeldOutGroup(asked=group.asked, rule=group.rule, tasks=tasks)


def _task(entry: Allocation, record: TaskRecord) -> MixtureTask:
    train = record.splits.get("train", NO_SPLIT)
    return MixtureTask(
        cluster=entry.cluster,
        dataset=record.dataset,
        declaration=record.declaration,
        source=record.source,
        available=entry.available,
        dropped=train.dropped,
        to_other_splits=train.to_other_splits,
        capped=train.capped,
        contaminated=entry.contaminated,
        removed=entry.removed,
        rows=entry.rows,
        duplicates=entry.duplicates,
        in_train=dict(entry.in_train),
        rate=entry.rate,
        given=entry.count,
        repeats=entry.repeats,
        missing=tuple(sorted({name for split in record.splits.values() for name in split.missing})),
        out=entry.out,
    )
