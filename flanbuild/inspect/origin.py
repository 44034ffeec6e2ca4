"""Where one example of a mixture comes from, and what put it there.

The manifest and the shards say most of it. The task file adds the template's text, and the raw folder adds the row
before preprocessing and its file; where they are missing or have changed since, the origin says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from flanbuild.artifacts.addresses import task_folder
from flanbuild.artifacts.records import (
    RECORD,
    MixtureTask,
    RawRecord,
    Shard,
    read_record,
)
from flanbuild.declare.mixture import Style
from flanbuild.declare.task import Task
from flanbuild.errors import ArtifactError, DeclarationError
from flanbuild.keys import row_keys, task_key
from flanbuild.read import Examples, load
from flanbuild.render.examples import examples
from flanbuild.render.preprocessors import SOURCE_ROW
from flanbuild.render.splits import declaration
from flanbuild.render.templates import in_style


@dataclass(frozen=True)
class UpstreamRow:
    """Where the row lies upstream; None for what is not known."""

    kind: str
    repo: str
    config: str
    commit: str
    split: str | None = None
    splits: tuple[str, ...] = ()
    """the candidates, where `split` is not known"""
    row: int | None = None
    """index in the split, before preprocessing"""
    files: tuple[str, ...] = ()
    sample_of: int | None = None
    columns: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class UsedTemplate:
    """The template; without its text where the task file has changed."""

    number: int
    inputs: str | None = None
    targets: str | None = None
    kind: str | None = None


@dataclass(frozen=True)
class OrderKeys:
    """64 bits each, in hexadecimal: of the task and the row, for the order within the task and the position in all."""

    order_task: str
    order_row: str
    place_task: str
    place_row: str


@dataclass(frozen=True)
class Share:
    """What the example's task gives: rows, rate, examples, and the examples of all tasks."""

    rows: int
    rate: int
    count: int
    total: int


@dataclass(frozen=True)
class Origin:
    """The origin of one example. `unknown` says what could not be found out, and why."""

    index: int
    split: str
    shard: str
    position: int
    """row in the shard"""
    example: Mapping[str, Any]
    license: str
    source: UpstreamRow
    template: UsedTemplate
    keys: OrderKeys
    share: Share
    unknown: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


def origin(folder: Path, index: int, split: str, tasks: Mapping[str, Task], raw: Path) -> Origin:
    """The origin of example `index` of a mixture's split. `raw`: the root of raw folders, if they still exist.

    Raises DeclarationError when there is no such example.
    """
    loaded = load(folder, split)
    if not 0 <= index < len(loaded):
        raise DeclarationError(f"{folder}: {split} has the examples 0 to {len(loaded) - 1:,}, not {index}.")
    return origin_in(loaded, index, tasks, raw)


def origin_in(loaded: Examples, index: int, tasks: Mapping[str, Task], raw: Path) -> Origin:
    """The same for an example of a split that is open."""
    example, split, manifest = loaded[index], loaded.split, loaded.manifest
    facts = manifest.tasks[example["task"]]
    shard, position = _shard(manifest.shards[split], index)  # type: ignore[index]  # load() has checked it
    unknown: list[str] = []
    task = _task(example["task"], facts, tasks, unknown)
    return Origin(
        index=index,
        split=split,
        shard=shard,
        position=position,
        example=example,
        license=facts.source.license,
        source=_upstream(task, split, example["row"], facts, raw, unknown),
        template=_template(task, example["template"], manifest.mixture["style"]),
        keys=_keys(manifest.mixture["seed"], split, example),
        share=Share(
            rows=facts.rows,
            rate=facts.rate,
            count=facts.given,
            total=sum(other.given for other in manifest.tasks.values()),
        ),
        unknown=tuple(unknown),
    )


def _shard(shards: Sequence[Shard], index: int) -> tuple[str, int]:
    """(file, row in it)."""
    for shard in shards:
        if index < shard.rows:
            return shard.path, index
        index -= shard.rows
    raise AssertionError("load() and the manifest count the same rows")


def _task(name: str, facts: MixtureTask, tasks: Mapping[str, Task], unknown: list[str]) -> Task | None:
    """The task if it is declared as it was when the mixture was built."""
    task = tasks.get(name)
    lost = "The template's text and the source's split"
    if task is None:
        unknown.append(f"{lost}: no task file declares {name} here.")
    elif declaration(task) != facts.declaration:
        unknown.append(f"{lost}: {task.path} has changed since this was built.")
    else:
        return task
    return None


def _template(task: Task | None, number: int, style: Style) -> UsedTemplate:
    if task is None:
        return UsedTemplate(number)
    template = in_style(task, style).templates[number]
    return UsedTemplate(number, template.inputs, template.targets, template.kind)


def _upstream(
    task: Task | None, split: str, row: int, facts: MixtureTask, raw: Path, unknown: list[str]
) -> UpstreamRow:
    """Split, files and row before preprocessing, as far as the task file and the raw folder tell."""
    known: dict[str, Any] = facts.source.model_dump(include={"kind", "repo", "config", "commit"})
    if task is None:
        return UpstreamRow(**known)
    of = task.splits[split].of  # type: ignore[index]  # train or validation
    known |= {"split": of[0]} if len(of) == 1 else {"splits": of}
    if task.preprocess is None:
        known["row"] = row
    folder = task_folder(raw, task.cluster, task.name)
    try:
        record = read_record(folder / RECORD, RawRecord)
    except ArtifactError:
        unknown.append(f"The row's columns and file: there are no raw rows of {task.name} in {raw}.")
        return UpstreamRow(**known)
    if record.source.digest != facts.source.digest:
        unknown.append(
            f"The row's columns and file: {raw} has other rows of {task.name} than this was built from."
        )
        return UpstreamRow(**known)
    scanned = scan_raw(task, split, raw)
    if task.preprocess is not None:
        row = examples(task, scanned, pl.Series([row])).select(SOURCE_ROW).collect().item()
    known["columns"] = scanned.slice(row, 1).collect().row(0, named=True)
    for name in of:
        upstream = record.splits[name]
        if row < upstream.rows:
            files = tuple(file.path for file in upstream.files)
            known |= {"split": name, "row": row, "files": files, "sample_of": upstream.sample_of}
            break
        row -= upstream.rows
    return UpstreamRow(**known)


def scan_raw(task: Task, split: str, raw: Path) -> pl.LazyFrame:
    """The raw rows that one of our splits of a task reads, in their order. `raw`: the root of raw folders."""
    folder = task_folder(raw, task.cluster, task.name)
    of = task.splits[split].of  # type: ignore[index]  # train or validation
    return pl.concat([pl.scan_parquet(folder / f"{name}.parquet", glob=False) for name in of])


def _keys(seed: int, split: str, example: Mapping[str, Any]) -> OrderKeys:
    """Of two keys the smaller one comes first."""
    order = task_key(seed, f"order {split}", example["task"])
    place = task_key(seed, f"place {split}", example["task"])
    row = np.array([example["row"]])
    return OrderKeys(
        order_task=f"{order:016x}",
        order_row=f"{int(row_keys(order, row)[0]):016x}",
        place_task=f"{place:016x}",
        place_row=f"{int(row_keys(place, row, example['repeat'])[0]):016x}",
    )
