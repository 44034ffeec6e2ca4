"""Rendered tasks -> a mixture folder: allocate, order, write shards and manifest.

The order is decided on numbers alone: each example (task, row, repeat) has a 64-bit key, and the keys are sorted
once.
"""

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from flanbuild.artifacts import artifact, executor
from flanbuild.artifacts.arrow import read_table, rendered_position
from flanbuild.artifacts.executor import Workers
from flanbuild.artifacts.files import digest_of, staged
from flanbuild.artifacts.records import (
    MANIFEST,
    RECORD,
    Manifest,
    RenderedSplit,
    Shard,
    TaskRecord,
    find_record,
    read_record,
    write_record,
)
from flanbuild.declare.mixture import MAX_EXAMPLES, HeldOut, Mixture
from flanbuild.errors import ArtifactError, DeclarationError
from flanbuild.keys import row_keys, task_key
from flanbuild.mix.card import CARD, card
from flanbuild.mix.contamination import Contamination, Search, report_file
from flanbuild.mix.manifest import describe
from flanbuild.mix.plan import Allocation, plan, task_refs
from flanbuild.mix.shards import EXAMPLES, TaskRef, write_shards
from flanbuild.progress import Progress, silent

Split = Literal["train", "validation"]
SPLITS: tuple[Split, ...] = ("train", "validation")

_NAMES_BYTES = 8
"""A shard's row has three names and a repeat more than a rendered one, and shorter offsets."""


class Picks(NamedTuple):
    """Examples of one task: positions in its rendered file, and how often the row came before."""

    position: NDArray[np.int64]
    repeat: NDArray[np.int32]


class Rendered(NamedTuple):
    """The rendered tasks that a mixture is made of."""

    folders: Mapping[str, Path]
    records: Mapping[str, TaskRecord]
    """of the tasks that the mixture trains on or holds out, by name"""

    def needed(self, mixture: Mixture, held: Mapping[str, HeldOut]) -> "Rendered":
        """Only the tasks that the mixture trains on or holds out."""
        names = set(mixture.members(task_refs(self.records).values()))
        names |= {name for group in held.values() for name in group.tasks}
        return Rendered(
            {name: folder for name, folder in self.folders.items() if name in names},
            {name: record for name, record in self.records.items() if name in names},
        )

    def trained(self, mixture: Mixture) -> dict[str, TaskRecord]:
        """The records of the tasks that the mixture declares."""
        return {name: self.records[name] for name in mixture.members(task_refs(self.records).values())}


def mix(
    mixture: Mixture,
    rendered: Rendered,
    held: Mapping[str, HeldOut],
    out: Path,
    search: Search,
    *,
    progress: Progress = silent,
) -> Manifest:
    """Writes the mixture folder `out`; returns its manifest. The caller holds the lock of `out`.

    `search` has the workers too. The texts of contaminated rows go to its report, which is outside the folder. Raises DeclarationError when nothing is left to train on, or when a task would repeat rows under a template they
    had before although others are left; DamagedError when a rendered file is not as its record names it.
    """
    workers = search.workers
    records = rendered.trained(mixture)
    found = find_contamination(mixture, rendered, held, search)
    allocations = plan(mixture, records, held, found.counts())
    if not any(entry.count for entry in allocations):
        raise DeclarationError(_nothing_left(mixture, allocations))
    _check_total(mixture, allocations)
    _check_templates_per_row(mixture, allocations, records)
    picks: dict[Split, dict[str, Picks]] = {
        "train": _train_picks(mixture, allocations, records, found.removed()),
        "validation": _validation_picks(allocations, records),
    }
    _check_rendered(rendered, picks, workers)
    if workers.elsewhere:
        folders = {name: folder.absolute() for name, folder in rendered.folders.items()}
        rendered, out = rendered._replace(folders=folders), out.absolute()
    shards: dict[str, list[Shard]] = {}
    with staged(out, lambda: _written(out, shards)) as staging:
        for split in SPLITS:
            tasks = [task for name, task in sorted(task_refs(records).items()) if name in picks[split]]
            files = [rendered.folders[task.name] / f"{split}.arrow" for task in tasks]
            count = _shard_count(mixture, picks[split], tasks, files) if split == "train" else 1
            with progress(count, f"mix {out.name}, {split}") as done:
                shards[split] = write_shards(
                    staging,
                    [f"{split}/{i:05}-of-{count:05}.arrow" for i in range(count)],
                    _ordered(mixture, split, picks[split], tasks, files),
                    files,
                    tasks,
                    mixture.compression,
                    workers,
                    done=done,
                )
        manifest = describe(
            mixture,
            held,
            allocations,
            dict(rendered.records),
            found.record,
            shards,
            fingerprint(mixture, rendered.records, held, search),
        )
        write_record(staging / MANIFEST, manifest)
        (staging / CARD).write_text(card(manifest), encoding="utf-8")
    if found.record.references:
        searched = _searched(mixture, rendered, held)
        search.write_report(report_file(search.folder, out.name), mixture, rendered.folders, searched, held)
    return manifest


def find_contamination(
    mixture: Mixture, rendered: Rendered, held: Mapping[str, HeldOut], search: Search
) -> Contamination:
    """Training rows that carry evaluation rows of what is held out.

    Raises DeclarationError for `rule: error` when a row carries an item or a question.
    """
    found = search.find(mixture, rendered.folders, _searched(mixture, rendered, held), held)
    if mixture.contamination.rule == "error" and found.positions:
        raise DeclarationError(
            *(
                f"{mixture.path}: contamination: {match.rows:,} training rows of {match.task} carry "
                f"evaluation rows of {match.reference}, such as row {match.examples[0][0]} item {match.examples[0][1]}; "
                "`rule: drop` leaves them out."
                for match in found.record.found
                if match.rows
            )
        )
    return found


def _searched(mixture: Mixture, rendered: Rendered, held: Mapping[str, HeldOut]) -> dict[str, TaskRecord]:
    """The tasks that stay in training."""
    out = {name for group in held.values() for name in group.tasks}
    return {
        name: record
        for name, record in rendered.trained(mixture).items()
        if name not in out and not mixture.refused(record.source.license)
    }


def fingerprint(
    mixture: Mixture, records: Mapping[str, TaskRecord], held: Mapping[str, HeldOut], search: Search
) -> str:
    """The digest of all inputs that decide the examples of a mixture."""
    declared = mixture.model_dump(mode="json", exclude={"path"})
    rules = {name: [group.asked, group.rule, list(group.tasks)] for name, group in held.items()}
    inputs = {name: [record.fingerprint, record.source.model_dump()] for name, record in records.items()}
    references = [reference.key for reference in search.references(mixture, held)]
    return digest_of([Manifest.FORMAT, declared, rules, inputs, references])


def current_manifest(folder: Path, expected: str) -> Manifest | None:
    """The manifest of a mixture folder whose inputs are today's and whose shards are there, or None.

    Of shards only the sizes are compared; `verify` reads every byte.
    """
    manifest = find_record(folder / MANIFEST, Manifest)
    if manifest is None or manifest.fingerprint != expected:
        return None
    for shard in (shard for split in manifest.shards.values() for shard in split):
        path = folder / shard.path
        if not path.is_file() or path.stat().st_size != shard.bytes:
            return None
    return manifest


def _written(folder: Path, new: Mapping[str, Sequence[Shard]]) -> set[str]:
    """The files that the manifest of a mixture folder names; with a damaged one, the card and whatever is named as a shard."""
    if not (folder / MANIFEST).is_file():
        return set()
    try:
        manifest = read_record(folder / MANIFEST, Manifest)
    except ArtifactError:
        numbers = "[0-9]" * 5
        return {MANIFEST, CARD, *(f"{split}/{numbers}-of-{numbers}.arrow" for split in new)}
    return {MANIFEST, CARD, *(shard.path for split in manifest.shards.values() for shard in split)}


def read_rendered(root: Path) -> Rendered:
    """All rendered tasks below `root`, the folder of the mixture's rendered rows.

    Raises ArtifactError if there is none.
    """
    paths = [path for path in sorted(root.rglob(RECORD)) if not _hidden(path.relative_to(root))]
    if not paths:
        raise ArtifactError(f"{root}: no rendered task; run `flanbuild render` or `dvc repro`.")
    records = [read_record(path, TaskRecord) for path in paths]
    return Rendered(
        {record.task: path.parent for record, path in zip(records, paths, strict=True)},
        {record.task: record for record in records},
    )


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _nothing_left(mixture: Mixture, allocations: Sequence[Allocation]) -> str:
    """The sentence for a mixture without training examples, with the reasons."""
    if not allocations:
        return f"{mixture.path}: the mixture has no task."
    reasons: dict[str, list[str]] = {}
    for entry in allocations:
        reasons.setdefault(entry.out, []).append(entry.task)
    shown = "; ".join(
        f"{reason}: {', '.join(tasks[:3])}{f' and {len(tasks) - 3} more' if len(tasks) > 3 else ''}"
        for reason, tasks in list(reasons.items())[:6]
    )
    return f"{mixture.path}: no task gives training examples. {shown}."


def _check_rendered(rendered: Rendered, picks: Mapping[Split, Mapping[str, Picks]], workers: Workers) -> None:
    """Compares every file that is about to be read with its record. Raises DamagedError."""
    items: list[executor.WorkItem] = [
        (artifact.check_files, (rendered.folders[name], rendered.records[name], {f"{split}.arrow"}))
        for split in SPLITS
        for name in picks[split]
    ]
    executor.run_in_threads(items, workers)


def _ordered(
    mixture: Mixture,
    split: str,
    picks: Mapping[str, Picks],
    tasks: Sequence[TaskRef],
    files: Sequence[Path],
) -> pl.DataFrame:
    """All examples in the order of their keys, with the columns of shards.EXAMPLES."""
    schema = {**EXAMPLES, "key": pl.UInt64}
    parts = [pl.DataFrame(schema=schema)]
    start = 0
    for number, (task, file) in enumerate(zip(tasks, files, strict=True)):
        chosen = picks[task.name]
        row = read_table(file).column("row").combine_chunks().to_numpy()
        key = task_key(mixture.seed, f"place {split}", task.name)
        columns = {
            "of": np.full(len(chosen.position), number, np.int16),
            "index": (start + chosen.position).astype(np.uint32),
            "repeat": chosen.repeat,
            "key": row_keys(key, row[chosen.position], chosen.repeat),
        }
        parts.append(pl.DataFrame(columns, schema=schema))
        start += len(row)
    return pl.concat(parts).sort("key", maintain_order=True).drop("key")


def _shard_count(
    mixture: Mixture, picks: Mapping[str, Picks], tasks: Sequence[TaskRef], files: Sequence[Path]
) -> int:
    """As declared, or as many as keep each within the declared size, estimated from the bytes of a rendered row.

    At most one per example.
    """
    examples = sum(len(chosen.position) for chosen in picks.values())
    if mixture.shard_megabytes is None:
        return min(mixture.shards, examples)
    size = 0.0
    for task, file in zip(tasks, files, strict=True):
        row = file.stat().st_size / read_table(file).num_rows
        size += len(picks[task.name].position) * (row + len("".join(task)) + _NAMES_BYTES)
    return min(ceil(size / (mixture.shard_megabytes * 1_000_000)), examples)


def _train_picks(
    mixture: Mixture,
    allocations: Sequence[Allocation],
    records: Mapping[str, TaskRecord],
    contaminated: Mapping[str, NDArray[np.int64]],
) -> dict[str, Picks]:
    """What each task gives: its rows in keyed order until used up, then again under other templates.

    Each time that a row is drawn it comes under `templates_per_example` templates.
    """
    picks = {}
    for entry in allocations:
        if entry.count:
            split = records[entry.task].splits["train"]
            stay = np.delete(np.arange(split.rows), contaminated.get(entry.task, []))
            drawn, time = np.divmod(np.arange(entry.count), mixture.templates_each)
            again, rank = np.divmod(drawn, len(stay))
            repeat = again * mixture.templates_each + time
            position = rendered_position(stay[rank], repeat % split.templates_per_row, split.rows)
            picks[entry.task] = Picks(position, repeat.astype(np.int32))
    return picks


def _validation_picks(
    allocations: Sequence[Allocation], records: Mapping[str, TaskRecord]
) -> dict[str, Picks]:
    """All validation rows of the tasks that are trained on, once."""
    none = RenderedSplit(of=())
    rows = {e.task: records[e.task].splits.get("validation", none).rows for e in allocations if e.count}
    return {task: Picks(np.arange(count), np.zeros(count, np.int32)) for task, count in rows.items() if count}


def _check_total(mixture: Mixture, allocations: Sequence[Allocation]) -> None:
    """Raises DeclarationError if the mixture has more examples than can be put in order."""
    if (total := sum(entry.count for entry in allocations)) > MAX_EXAMPLES:
        raise DeclarationError(
            f"{mixture.path}: size: the mixture has {total:,} examples; allowed are {MAX_EXAMPLES:,}."
        )


def _check_templates_per_row(
    mixture: Mixture, allocations: Sequence[Allocation], records: Mapping[str, TaskRecord]
) -> None:
    """Raises DeclarationError where rows would be repeated under a template they had although others are left."""
    short: dict[str, int] = {}
    for entry in allocations:
        if not entry.count or entry.removed:  # the few that replace contaminated rows may begin again
            continue
        train = records[entry.task].splits["train"]
        needed = min((entry.repeats + 1) * mixture.templates_each, train.templates)
        if needed > train.templates_per_row:
            short[entry.task] = -(-needed // mixture.templates_each)
    if short:
        most = max(short, key=lambda task: (short[task], task))
        others = f" and {len(short) - 1} more tasks are" if len(short) > 1 else " is"
        raise DeclarationError(
            f"{mixture.path}: size: {most}{others} asked for more examples than their rows give under "
            f"size.templates_per_row: {mixture.size.templates_per_row}; write {short[most]}, or leave the key out."
        )
