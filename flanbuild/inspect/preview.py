"""One row of a task: as it is upstream, and under every template of its task file."""

from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa

from flanbuild.artifacts.columns import arrow_schema, conform
from flanbuild.declare.task import SPLITS, Task
from flanbuild.errors import DeclarationError, SourceError
from flanbuild.render.examples import DROPPED, ROW, check_expressions, check_ranges, examples, row_errors
from flanbuild.render.templates import text
from flanbuild.sources import Source, source_of


@dataclass(frozen=True)
class Preview:
    """One row and its prompts."""

    task: Task
    index: int
    """index of the row in its upstream split, after preprocessing"""
    raw: dict[str, Any] | None
    """the row upstream; None where preprocessing makes other rows of the upstream ones"""
    prompts: list[tuple[str, str, str]]
    """(kind, prompt, target) for each template"""


def preview(task: Task, source: Source, split: str, row: int) -> Preview:
    """The `row`-th of the rows that are not dropped, in upstream order, of one of our splits.

    Raises DeclarationError for a fault of the task file and for a split or a row that does not exist, and SourceError
    for a split that is missing, has no rows, or does not fit the task file.
    """
    if split not in task.splits:
        known = ", ".join(name for name in SPLITS if name in task.splits)
        raise DeclarationError(f"--split: {task.name} has no split '{split}'. Allowed: {known}.")
    if faults := check_expressions([task]):
        raise DeclarationError(*faults)
    source = source_of(task, source)
    name = task.splits[split].of[0]
    upstream = source.split(task, name)
    if upstream is None:
        raise SourceError(f"{task.path}: the {source.kind} has no split '{name}' of {task.source.repo}.")
    position = f"{source.kind} {task.source.repo} split '{name}'"
    table = pa.concat_tables(
        [arrow_schema(task).empty_table(), *(conform(task, part, position) for part in upstream.tables)]
    )
    rows = pl.DataFrame(table)
    if not rows.height:
        raise SourceError(f"{task.path}: {position} has no rows.")
    with row_errors(task, f"'{name}'", rows.lazy):
        return _filled(task, rows, name, row)


def _filled(task: Task, rows: pl.DataFrame, split: str, row: int) -> Preview:
    evaluated = examples(task, rows.lazy()).collect()
    reasons = evaluated[DROPPED].drop_nulls().value_counts(sort=True)
    dropped = dict(reasons.iter_rows())
    check_ranges(task, f"'{split}'", dropped)
    kept = evaluated.filter(pl.col(DROPPED).is_null())
    if row >= kept.height:
        listed = ", ".join(f"{count:,} {reason}" for reason, count in dropped.items())
        why = f" Dropped: {listed}." if dropped else ""
        raise DeclarationError(
            f"--row: {task.name} has {kept.height:,} of the {evaluated.height:,} rows of split '{split}', "
            f"so there is no row {row} (rows count from 0).{why}"
        )
    chosen = kept[row]
    index = chosen[ROW][0]
    filled = [
        chosen.select(text(template.inputs).alias("a"), text(template.targets).alias("b")).row(0)
        for template in task.templates
    ]
    prompts = [(template.kind, *pair) for template, pair in zip(task.templates, filled, strict=True)]
    return Preview(task, index, None if task.preprocess else rows.row(index, named=True), prompts)
