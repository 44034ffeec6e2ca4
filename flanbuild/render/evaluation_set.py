"""Raw rows -> the evaluation set of a task: test and dev rows, each under every forward template.

An evaluation set depends on the task and on no mixture, so all mixtures are scored on the same rows. Rows are in keyed
order of the task's own key: an evaluation of n rows reads the first n.
"""

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from flanbuild.artifacts import artifact, executor
from flanbuild.artifacts.addresses import task_folder
from flanbuild.artifacts.arrow import write_table
from flanbuild.artifacts.digests import rows_digest
from flanbuild.artifacts.executor import Workers
from flanbuild.artifacts.files import digest_of, xxh3_of
from flanbuild.artifacts.records import (
    RECORD,
    EvaluationRecord,
    EvaluationSplit,
    RawRecord,
    read_record,
    writer_versions,
)
from flanbuild.declare.task import SplitName, Task
from flanbuild.errors import DeclarationError
from flanbuild.progress import Advance
from flanbuild.render.examples import check_expressions
from flanbuild.render.splits import OWN_SEED, by_upstream, declaration, open_examples, select, split_errors
from flanbuild.render.wording import evaluation_table

MAX_ROWS = 1000
"""Rows of a split that an evaluation set has at most, unless told otherwise."""
SEPARATOR = "\n"
"""Between prompt and completion; a mixture's own separator does not change what is evaluated."""

Split = Literal["test", "dev"]
_OURS: dict[Split, SplitName] = {"test": "test", "dev": "validation"}


def fingerprint(task: Task, raw: RawRecord, max_rows: int) -> str:
    """The digest of all inputs that decide an evaluation set."""
    return digest_of(
        [EvaluationRecord.FORMAT, declaration(task), raw.source.model_dump(), raw.missing, max_rows]
    )


def build_evaluation_set(task: Task, raw: Path, max_rows: int, folder: Path) -> EvaluationRecord:
    """Writes `test.arrow` and `dev.arrow` into `folder`, as far as the task has these splits.

    Raises DamagedError if a raw file is not as its record names it, and SourceError for a row that no expression of
    the task file can read.
    """
    source = read_record(raw / RECORD, RawRecord)
    splits: dict[Split, EvaluationSplit] = {}
    for name, ours in _OURS.items():
        for of, group in by_upstream(task, [ours]).items():
            if missing := tuple(split for split in of if split in source.missing):
                splits[name] = EvaluationSplit(of=of, missing=missing)
                continue
            with split_errors(task, raw, of):
                opened = open_examples(task, raw, source, of)
                chosen = select(task, opened, of, group)[ours].ordered(OWN_SEED, ours, task, max_rows)
                frame = opened(pl.Series(np.sort(chosen.rows))).collect()
            table = evaluation_table(task, frame[np.argsort(np.argsort(chosen.rows))], SEPARATOR)
            path = folder / f"{name}.arrow"
            write_table(path, table)
            splits[name] = EvaluationSplit(
                **chosen.counts.model_dump(),
                examples=table.num_rows,
                rows_digest=rows_digest(table),
                file_digest=xxh3_of(path),
            )
    return EvaluationRecord.of(
        task=task.name,
        dataset=task.dataset,
        cluster=task.cluster,
        type=task.type,
        metrics=task.metrics,
        declaration=declaration(task),
        source=source.source,
        splits=splits,
        fingerprint=fingerprint(task, source, max_rows),
        versions=writer_versions(),
    )


def build_all(
    tasks: Iterable[Task],
    raw: Path,
    root: Path,
    max_rows: int,
    workers: Workers,
    *,
    done: Advance = lambda *_: None,
) -> None:
    """Builds each task's evaluation set below `root`. The caller holds the lock of `root`.

    Raises DeclarationError with the faults of all tasks before any work.
    """
    tasks = list(tasks)
    if workers.elsewhere:
        raw, root = raw.absolute(), root.absolute()
    if faults := check_expressions(tasks):
        raise DeclarationError(*faults)
    items: list[executor.WorkItem] = [
        (
            _build_task,
            (
                task,
                task_folder(raw, task.cluster, task.name),
                max_rows,
                task_folder(root, task.cluster, task.name),
            ),
        )
        for task in tasks
    ]
    if workers.elsewhere:
        executor.run(items, workers, done=done)
    else:
        executor.run_in_threads(items, workers, done=done)


def is_current(task: Task, raw: Path, root: Path, max_rows: int) -> bool:
    """Whether a task's evaluation set is there, up to date and whole. `raw`: the root of raw folders."""
    source = read_record(task_folder(raw, task.cluster, task.name) / RECORD, RawRecord)
    folder = task_folder(root, task.cluster, task.name)
    record = artifact.current(folder, EvaluationRecord, lambda _: fingerprint(task, source, max_rows))
    return record is not None and artifact.is_whole(folder, record)


def _build_task(task: Task, raw: Path, max_rows: int, folder: Path) -> None:
    artifact.build(folder, partial(build_evaluation_set, task, raw, max_rows))
