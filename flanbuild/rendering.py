"""From raw rows to prompts: normalise, filter, carve, cap, deal the templates, write.

For one task: `examples` turns upstream columns into fields, options and answers; `render` writes
`train.arrow`, `validation.arrow`, `test.arrow` and `task.json`, which counts every row that did not make it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from flanbuild import shards
from flanbuild.columns import arrow_schema
from flanbuild.declarations import Faults, Keys
from flanbuild.errors import DeclarationError, SourceError, nearest
from flanbuild.keys import keyed_order, task_key
from flanbuild.preprocessors import PREPROCESSORS
from flanbuild.sampling import versions
from flanbuild.tasks import ANSWER, OPTIONS, Split, Task, placeholders
from flanbuild.templates import options_block, text

Rows = NDArray[np.int64]

_ROW, _DROPPED, _CHOICES, _ANSWERS = "_row", "_dropped", "_options", "_answers"
"""Columns of our own beside a task's fields, `answer` and `options_`."""


@dataclass(frozen=True)
class Settings:
    """What rendering takes from the mixture and the command line."""

    seed: int
    cap: int
    templates: int
    joiner: str
    passes: float
    max_rate: int
    evaluation_examples: int


@dataclass(frozen=True)
class Chosen:
    """The rows of one split in keyed order, and what became of the others."""

    rows: Rows
    counts: dict[str, Any]


def check_expressions(tasks: Iterable[Task]) -> list[str]:
    """The faults of all pages that only polars sees: SQL, columns, types. Reads no data."""
    faults: list[str] = []
    for task in tasks:
        here = Faults(task.page)
        for keys, sentence in _faults(task):
            here.add(keys, sentence)
        faults += [fault for fault in here if fault not in faults]
    return faults


def examples(task: Task, raw: pl.LazyFrame) -> pl.LazyFrame:
    """Every raw row with its fields (strings), options, answer and answers, and why it is dropped (null: it isn't).

    Raises DeclarationError for an expression that fails; `check_expressions` finds those without data.
    """
    rows = _named_rows(task, raw)
    columns = rows.collect_schema()
    options = _options(task)
    fields = [_as_text(pl.sql_expr(sql), columns).alias(name) for name, sql in task.fields.items()]
    made = [*fields, _reason(task).alias(_DROPPED)]
    if options is not None:
        made.append(options.alias(_CHOICES))
    rows = rows.select(pl.col(_ROW), *made, *_answer(task, columns, options))
    rows = rows.with_columns(pl.coalesce(_DROPPED, _incomplete(task)).alias(_DROPPED))
    if options is not None:
        rows = rows.with_columns(options_block(pl.col(_CHOICES)))
    return rows


def render(task: Task, raw: Path, out: Path, settings: Settings) -> dict[str, Any]:
    """Writes the task's rendered folder `out` from its raw folder; returns what `task.json` says.

    A split whose upstream files are missing (`missing: skip` at download) is left out and said so.
    """
    source = shards.read_json(raw / "source.json")
    record: dict[str, Any] = {
        "task": task.name,
        "dataset": task.dataset,
        "cluster": task.cluster,
        "type": task.type,
        "metrics": list(task.metrics),
        "source": {key: source[key] for key in ("kind", "repo", "config", "commit", "digest", "licence")},
        "page": shards.sha256(task.page),
        "splits": {},
    }
    with shards.staged(out) as staging:
        for of, splits in _groups(task).items():
            missing = [name for name in of if name in source["missing"]]
            if missing:
                for split in splits:
                    record["splits"][split] = {"missing": missing}
                continue
            frame = examples(task, pl.concat([_scan(raw / f"{name}.parquet", task) for name in of]))
            for split, chosen in _choose(task, frame, splits, settings).items():
                path = staging / f"{split}.arrow"
                written = _write_split(task, frame, split, chosen.rows, path, settings)
                record["splits"][split] = {**chosen.counts, **written, "of": list(of)}
        shards.write_json(staging / "task.json", record)
    return record


def prompts(task: Task, rows: pl.DataFrame, indices: Iterable[int], joiner: str) -> pl.DataFrame:
    """`rows` under each of the templates `indices`, one after the other: prompt, completion, template and what was there."""
    frames = []
    for index in indices:
        template = task.templates[index]
        frames.append(_under(task, rows, index, joiner) if template else rows)
    return pl.concat(frames) if frames else _under(task, rows.clear(), 0, joiner)


def _under(task: Task, rows: pl.DataFrame, index: int, joiner: str) -> pl.DataFrame:
    template = task.templates[index]
    shown = template.kind == "forward" and task.options is not None
    return rows.select(
        text(template.inputs, joiner).alias("prompt"),
        text(template.targets).alias("completion"),
        pl.lit(index, pl.Int16).alias("template"),
        pl.col(_ROW).alias("row"),
        (pl.col(_CHOICES) if shown else pl.lit([], pl.List(pl.String))).alias("options"),
        *(column for column in (ANSWER, _ANSWERS) if column in rows.columns),
    )
