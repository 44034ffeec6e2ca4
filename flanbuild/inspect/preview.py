"""One row on its way: as it lies upstream, then under every template of its page."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from flanbuild.artifacts.columns import arrow_schema, conform
from flanbuild.declare.task import SPLITS, Task
from flanbuild.errors import DeclarationError, SourceError
from flanbuild.render.examples import DROPPED, ROW, examples
from flanbuild.render.templates import text
from flanbuild.sources import Source, source_of


@dataclass(frozen=True)
class Preview:
    """The `raw` row (None where preprocessing makes other rows of the raw ones) and (kind, prompt, target) a template."""

    task: Task
    index: int
    raw: dict[str, Any] | None
    prompts: list[tuple[str, str, str]]


def preview(task: Task, source: Source, split: str, row: int) -> Preview:
    """The `row`-th of the rows that stay, in upstream order, of one of our splits."""
    if split not in task.splits:
        known = ", ".join(name for name in SPLITS if name in task.splits)
        raise DeclarationError(f"--split: {task.name} has no split '{split}'. Allowed: {known}.")
    source = source_of(task, source)
    name = task.splits[split].of[0]
    upstream = source.split(task, name)
    if upstream is None:
        raise SourceError(f"{task.path}: the {source.kind} has no split '{name}' of {task.source.repo}.")
    position = f"{source.kind} {task.source.repo} split '{name}'"
    tables = [arrow_schema(task).empty_table(), *(conform(task, t, position) for t in upstream.tables)]
    rows = pl.concat([pl.DataFrame(table) for table in tables])
    kept = examples(task, rows.lazy()).filter(pl.col(DROPPED).is_null()).slice(row, 1).collect()
    if not kept.height:
        raise DeclarationError(f"--row: {task.name} keeps fewer than {row + 1} rows of split '{name}'.")
    index = kept[ROW][0]
    filled = [
        kept.select(text(template.inputs).alias("a"), text(template.targets).alias("b")).row(0)
        for template in task.templates
    ]
    prompts = [(template.kind, *pair) for template, pair in zip(task.templates, filled, strict=True)]
    return Preview(task, index, None if task.preprocess else rows.row(index, named=True), prompts)
