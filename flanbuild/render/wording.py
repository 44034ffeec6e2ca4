"""Rows under templates: from evaluated fields to Arrow tables of prompts and completions."""

import numpy as np
import polars as pl
import pyarrow as pa

from flanbuild.artifacts.arrow import EVALUATION_SCHEMA, RENDERED_SCHEMA, rendered_position
from flanbuild.declare.task import Task
from flanbuild.render.examples import ANSWERS, CHOICES, DROPPED, ROW
from flanbuild.render.preprocessors import SOURCE_ROW
from flanbuild.render.splits import RowIndices
from flanbuild.render.templates import text


def dealt(
    task: Task, frame: pl.DataFrame, rank: RowIndices, templates: int, count: int, separator: str
) -> pa.Table:
    """Each row under `count` of its first `templates` templates, as RENDERED_SCHEMA.

    Version v of the row at rank r stands at `rendered_position(r, v)`, under template (r + v) mod `templates`, so any prefix
    uses all templates evenly. `rank` gives the rank of each row of `frame`.
    """
    # Dropped columns would otherwise be copied with every template.
    frame = frame.drop(SOURCE_ROW, DROPPED, ANSWERS, strict=False)
    under = (rank + np.arange(count)[:, None]) % templates
    parts, positions = [], []
    for index in range(templates):
        version, rows = np.nonzero(under == index)
        parts.append(_under(task, frame[rows], index, separator))
        positions.append(rendered_position(rank[rows], version, frame.height))
    # Rows are put in order at the end, by pointers to their texts.
    order = np.argsort(np.concatenate(positions))
    return _to_arrow(pl.concat(parts, rechunk=True)[order], RENDERED_SCHEMA)


def evaluation_table(task: Task, frame: pl.DataFrame, separator: str) -> pa.Table:
    """Every row under every forward template, template after template, as EVALUATION_SCHEMA."""
    parts = []
    for index in task.forward:
        rendered = _under(task, frame, index, separator)
        target = pl.col("completion")
        if task.templates[index].targets in {f"{{{name}}}" for name in task.answer_fields}:
            references = pl.Series("answers", frame[ANSWERS])
        else:  # the target of such a template is its own reference: a translation into the other language
            references = rendered.select(answers=pl.concat_list(target))["answers"]
        parts.append(rendered.with_columns(target.alias("answer"), references))
    names = {"task": task.name, "dataset": task.dataset, "cluster": task.cluster}
    table = pl.concat(parts).with_columns(**{key: pl.lit(value) for key, value in names.items()})
    return _to_arrow(table, EVALUATION_SCHEMA)


def _under(task: Task, frame: pl.DataFrame, index: int, separator: str) -> pl.DataFrame:
    template = task.templates[index]
    ranked = template.kind == "forward" and task.options is not None
    return frame.select(
        text(template.inputs, separator).alias("prompt"),
        text(template.targets).alias("completion"),
        pl.lit(index, pl.Int16).alias("template"),
        pl.col(ROW).alias("row"),
        (pl.col(CHOICES) if ranked else pl.lit([], pl.List(pl.String))).alias("options"),
    )


def _to_arrow(frame: pl.DataFrame, schema: pa.Schema) -> pa.Table:
    """One chunk a column in the fixed types; polars' own string views and chunks depend on its plan."""
    table = frame.select(schema.names).to_arrow(compat_level=pl.CompatLevel.oldest())
    return table.cast(schema).combine_chunks()
