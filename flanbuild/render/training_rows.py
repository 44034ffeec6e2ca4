"""Raw rows -> the training and validation rows of one task in a mixture.

The folder of a task has `train.arrow` and `validation.arrow` with prompts, the list of training rows that can be drawn,
and a record that counts every row that is left out.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from flanbuild.artifacts import artifact, executor
from flanbuild.artifacts.addresses import task_folder
from flanbuild.artifacts.arrow import ROWS_SCHEMA, write_table
from flanbuild.artifacts.executor import Workers
from flanbuild.artifacts.files import digest_of, xxh3_of
from flanbuild.artifacts.records import (
    RECORD,
    ROWS_FILE,
    RawRecord,
    RenderedSplit,
    TaskRecord,
    read_record,
    writer_versions,
)
from flanbuild.declare.mixture import Mixture
from flanbuild.declare.rate import templates_per_row
from flanbuild.declare.task import SplitName, Task
from flanbuild.errors import DeclarationError
from flanbuild.progress import Advance
from flanbuild.render.examples import check_expressions
from flanbuild.render.items import ItemKeys
from flanbuild.render.splits import (
    Examples,
    Selection,
    by_upstream,
    declaration,
    open_examples,
    select,
    split_errors,
)
from flanbuild.render.templates import in_style
from flanbuild.render.wording import dealt

WORTH_PROCESSES = 300_000
"""Raw rows from which processes are faster than threads, although they take time to start."""


def fingerprint(
    task: Task, raw: RawRecord, mixture: Mixture, record: TaskRecord | None, *, trained: bool, prompts: bool
) -> str:
    """The digest of all inputs that decide a rendered task.

    Cap, rate and size enter only through the row count they produce for the rows that `record` counts, so raising a
    cap that was not reached does not render again. `trained`: whether the mixture trains on the task; `prompts`:
    whether prompts are written, or only counts and rows.
    """
    inputs = [TaskRecord.FORMAT, declaration(task), raw.source.model_dump(), raw.missing, trained, prompts]
    if trained:
        train = record.splits.get("train") if record else None
        rows = min(train.rows + train.capped, mixture.cap) if train else 0
        keys = {"seed", "templates", "style", "separator"} if prompts else {"seed", "cap"}
        inputs.append(mixture.model_dump(mode="json", include=keys))
        inputs.append([rows, templates_per_row(mixture, rows)] if prompts else [])
    return digest_of(inputs)


def render(
    task: Task, raw: Path, mixture: Mixture, folder: Path, *, trained: bool = True, prompts: bool = True
) -> TaskRecord:
    """Writes the rows of one task into `folder`.

    Raises DamagedError if a raw file is not as its record names it, and SourceError for a row that no expression of
    the task file can read.
    """
    source = read_record(raw / RECORD, RawRecord)
    names: list[SplitName] = ["train", "validation", "test"] if trained else ["test"]
    splits: dict[SplitName, RenderedSplit] = {}
    contents: dict[SplitName, ItemKeys] = {}
    for of, group in by_upstream(task, names).items():
        wanted = [name for name in group if name in names]
        if missing := tuple(name for name in of if name in source.missing):
            splits |= {name: RenderedSplit(of=of, missing=missing) for name in wanted}
            continue
        with split_errors(task, raw, of):
            opened = open_examples(task, raw, source, of)
            for name, selection in select(task, opened, of, group).items():
                if name not in names:
                    continue
                chosen = selection
                if name == "test":
                    splits[name] = RenderedSplit(**chosen.counts.model_dump())
                else:
                    limit = mixture.cap if name == "train" else None
                    chosen = selection.ordered(mixture.seed, name, task, limit)
                    splits[name] = _write_rows(name, task, chosen, opened, mixture, folder, prompts)
                contents[name] = opened.contents[chosen.rows]
    splits = {name: _with_duplicates(name, split, contents) for name, split in splits.items()}
    record = TaskRecord.of(
        task=task.name,
        dataset=task.dataset,
        cluster=task.cluster,
        type=task.type,
        metrics=task.metrics,
        declaration=declaration(task),
        source=source.source,
        splits=splits,
        fingerprint="",
        versions=writer_versions(),
    )
    inputs = fingerprint(task, source, mixture, record, trained=trained, prompts=prompts)
    return record.with_changes(fingerprint=inputs)


def render_all(
    tasks: Iterable[Task],
    raw: Path,
    root: Path,
    mixture: Mixture,
    trained: Iterable[str],
    workers: Workers,
    *,
    done: Advance = lambda *_: None,
) -> None:
    """Builds each task's folder below `root` from its raw folder below `raw`. The caller holds the lock of `root`.

    `trained` names the tasks that the mixture trains on; of the others only test rows are counted.
    Raises DeclarationError with the faults of all tasks before any work.
    """
    tasks, trained = list(tasks), set(trained)
    if workers.elsewhere:
        raw, root = raw.absolute(), root.absolute()
    if faults := check_expressions(tasks):
        raise DeclarationError(*faults)
    items: list[executor.WorkItem] = [
        (
            _render_task,
            (
                task,
                task_folder(raw, task.cluster, task.name),
                mixture,
                task_folder(root, task.cluster, task.name),
                task.name in trained,
            ),
        )
        for task in tasks
    ]
    if workers.elsewhere or raw_rows(raw, tasks) >= WORTH_PROCESSES:
        executor.run(items, workers, done=done)
    else:
        executor.run_in_threads(items, workers, done=done)


def current_record(
    task: Task, raw: Path, root: Path, mixture: Mixture, *, trained: bool, prompts: bool = True
) -> TaskRecord | None:
    """The record of a rendered task, or None if it is missing or stale. `raw`: the root of raw folders."""
    source = read_record(task_folder(raw, task.cluster, task.name) / RECORD, RawRecord)
    return artifact.current(
        task_folder(root, task.cluster, task.name),
        TaskRecord,
        lambda record: fingerprint(task, source, mixture, record, trained=trained, prompts=prompts),
    )


def raw_rows(raw: Path, tasks: Sequence[Task]) -> int:
    """How many raw rows the tasks have."""
    records = [read_record(task_folder(raw, task.cluster, task.name) / RECORD, RawRecord) for task in tasks]
    return sum(split.rows for record in records for split in record.splits.values())


def _render_task(task: Task, raw: Path, mixture: Mixture, folder: Path, trained: bool) -> None:
    artifact.build(folder, partial(render, task, raw, mixture, trained=trained))


def _write_rows(
    split: SplitName,
    task: Task,
    chosen: Selection,
    opened: Examples,
    mixture: Mixture,
    folder: Path,
    prompts: bool,
) -> RenderedSplit:
    """Writes prompts, and for train the list of rows too."""
    details = chosen.counts.model_dump()
    if not prompts and split != "train":
        return RenderedSplit(**details)
    if split == "train":
        rows = pa.table([pa.array(chosen.rows)], schema=ROWS_SCHEMA)
        details["rows_digest"] = _write(folder / ROWS_FILE, rows)
    if prompts:
        frame = opened(pl.Series(np.sort(chosen.rows))).collect()
        rank = np.argsort(chosen.rows)  # of each row of `frame`, which is in the order of its file
        styled = in_style(task, mixture.style)
        templates = min(mixture.templates, len(styled.templates))
        count = templates_per_row(mixture, len(chosen.rows)) if split == "train" else 1
        count = min(count, templates)
        details |= {"templates": templates, "templates_per_row": count, "examples": count * len(chosen.rows)}
        table = dealt(styled, frame, rank, templates, count, mixture.separator)
        details["file_digest"] = _write(folder / f"{split}.arrow", table)
    return RenderedSplit(**details)


def _with_duplicates(
    name: SplitName, split: RenderedSplit, contents: Mapping[SplitName, ItemKeys]
) -> RenderedSplit:
    """The split with its counts of equal rows. `contents`: by split, the content keys of its rows."""
    if (own := contents.get(name)) is None:  # missing at the source
        return split
    train = contents.get("train", own[:0])
    in_train = 0 if name == "train" else int(np.isin(own, train).sum())
    return split.model_copy(update={"duplicates": len(own) - len(np.unique(own)), "in_train": in_train})


def _write(path: Path, table: pa.Table) -> str:
    """Writes a table; returns the digest of the file."""
    write_table(path, table)
    return xxh3_of(path)
