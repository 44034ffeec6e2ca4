"""What must not be in a mixture: all evaluation rows of held-out tasks, and files that the mixture names."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from polars.exceptions import PolarsError

from flanbuild.artifacts import artifact
from flanbuild.artifacts.digests import rows_digest
from flanbuild.artifacts.files import digest_of
from flanbuild.artifacts.records import RECORD, RawRecord, read_record
from flanbuild.declare.task import ANSWER, OPTIONS, SplitName, Task, placeholders
from flanbuild.errors import SourceError
from flanbuild.keys import row_keys, task_key
from flanbuild.mix.index import Items, PartColumn, Role
from flanbuild.mix.words import Hashes, Integers
from flanbuild.render.examples import ROW, column_text, field_text, texts
from flanbuild.render.preprocessors import SOURCE_ROW
from flanbuild.render.splits import by_upstream, open_examples, scan, select, split_errors

SPLITS: Final = ("test", "validation")
"""The splits that evaluation draws from: scores come from test, the best template from validation."""
RAW_VIEW = 1
"""The view of an item as raw columns, beside that of its fields."""
FILE_SUFFIXES = (".parquet", ".jsonl")
_FILE_ROLES: dict[str, Role] = {
    **dict.fromkeys(("question", "query", "problem", "prompt", "goal", "hypothesis", "sentence"), "question"),
    **dict.fromkeys(("passage", "context", "article", "document", "premise", "story", "support"), "passage"),
}
"""The role of a column of a file by its name; if a file has none of them, all its texts must be found."""
_FILE_ANSWERS = {"answer", "answers", "label", "target", "solution", "completion", "id"}


def task_items(task: Task, raw: Path) -> Items:
    """All test rows and dev rows of a task, those included that `where` drops. `raw`: the task's raw folder.

    A split that the source lacks has none. Raises DamagedError if a raw file is not as its record names it.
    """
    record = read_record(raw / RECORD, RawRecord)
    frames = []
    for of, group in by_upstream(task, SPLITS).items():
        if set(of) & set(record.missing):
            continue
        with split_errors(task, raw, of):
            frames += [_split_frame(task, raw, record, of, group, name) for name in group if name in SPLITS]
    columns = part_columns(task)
    schema = {ROW: pl.Int64, "split": pl.Int8, "origin": pl.UInt64}
    names = [name for name, _, _ in columns]
    frame = pl.concat([pl.DataFrame(schema=schema | dict.fromkeys(names, pl.String)), *frames])
    if (
        frame.select("split", "origin").is_duplicated().any()
    ):  # a raw row has several items, so it is none itself
        columns = [column for column in columns if column[2] != RAW_VIEW]
    return Items(
        task.name,
        frame[ROW].to_numpy(),
        frame["split"].to_numpy(),
        frame["origin"].to_numpy(),
        tuple(PartColumn(role, view, frame[name]) for name, role, view in columns),
    )


def missing_splits(task: Task, raw: Path) -> tuple[str, ...]:
    """The upstream splits with evaluation rows of a task that the source lacks."""
    record = read_record(raw / RECORD, RawRecord)
    wanted = {name for of in by_upstream(task, SPLITS) for name in of}
    return tuple(sorted(wanted & set(record.missing)))


def _split_frame(
    task: Task, raw: Path, record: RawRecord, of: tuple[str, ...], group: list[SplitName], name: SplitName
) -> pl.DataFrame:
    """One split; where others share its upstream rows, those that are set aside for it."""
    artifact.check_files(raw, record, {f"{split}.parquet" for split in of})
    rows = None
    if len(group) > 1:
        rows = pl.Series(select(task, open_examples(task, raw, record, of), of, group)[name].rows)
    frame = texts(task, scan(raw, of), rows).collect()
    origin = origins(task, of, frame[SOURCE_ROW].to_numpy())
    names = [column for column, _, _ in part_columns(task)]
    return frame.select(
        ROW, pl.lit(SPLITS.index(name), pl.Int8).alias("split"), pl.Series("origin", origin), *names
    )


def origins(task: Task, of: Sequence[str], rows: Integers) -> Hashes:
    """The key of each raw row's place upstream: repository, configuration, splits and index."""
    return row_keys(task_key(0, "id", "\0".join((task.source.repo, task.source.config, *of))), rows)


def part_columns(task: Task) -> list[tuple[str, Role, int]]:
    """The texts that make an item of a task: (name in `render.examples.texts`, role, view).

    Without declared roles these are the fields of its forward templates and, as another view, its columns.
    """
    if task.roles.passage or task.roles.question:
        roles: list[tuple[Role, str]] = [("passage", name) for name in task.roles.passage]
        roles += [("question", name) for name in task.roles.question]
        return [(_text_name(task, name), role, 0) for role, name in roles]
    inputs = {name for i in task.forward for name in placeholders(task.templates[i].inputs)}
    fields = sorted(inputs - {OPTIONS, ANSWER} - task.answer_fields - set(task.roles.answer))
    found: list[tuple[str, Role, int]] = [(_text_name(task, name), "text", 0) for name in fields]
    answers = {task.answer, task.answers, task.label_column, *task.roles.answer}
    columns = [name for name, kind in task.columns.items() if kind == "string" and name not in answers]
    if any(name.startswith("field ") for name, _, _ in found):
        names = [column_text(name) for name in columns]
        found += [(name, "text", RAW_VIEW) for name in names if name not in {each for each, _, _ in found}]
    return found


def _text_name(task: Task, name: str) -> str:
    """The name in `texts` of a field or a column; a field goes before a column."""
    if name not in task.fields:
        return column_text(name)
    sql = task.fields[name].strip()
    return (
        column_text(sql)
        if task.columns.get(sql) == "string" and sql != task.label_column
        else field_text(name)
    )


def file_items(path: Path, name: str) -> Items:
    """The rows of a Parquet or JSONL file. Raises SourceError if it is missing, unreadable or without texts."""
    if not path.is_file():
        raise SourceError(f"contamination.against: {path}: no such file.")
    try:
        frame = pl.read_parquet(path, glob=False) if path.suffix == ".parquet" else pl.read_ndjson(path)
    except PolarsError as error:
        raise SourceError(
            f"contamination.against: {path}: cannot be read ({str(error).splitlines()[0]})."
        ) from None
    named = [column for column in frame.columns if frame[column].dtype == pl.String]
    known = [column for column in named if column.lower() in _FILE_ROLES]
    wanted = known or [column for column in named if column.lower() not in _FILE_ANSWERS]
    if not wanted or not frame.height:
        raise SourceError(f"contamination.against: {path}: no rows with a column of texts.")
    return Items(
        name,
        np.arange(frame.height),
        np.zeros(frame.height, np.int8),
        np.zeros(0, np.uint64),
        tuple(
            PartColumn(_FILE_ROLES.get(column.lower(), "text"), 0, frame[column]) for column in sorted(wanted)
        ),
    )


def items_digest(items: Items) -> str:
    """Of the rows and texts of the items, whatever their columns are called."""
    columns = {f"{column.role} {column.view} {i}": column.texts for i, column in enumerate(items.columns)}
    frame = pl.DataFrame({"row": items.rows, "split": items.splits, **columns})
    if len(items.origin):
        frame = frame.with_columns(origin=pl.Series(items.origin))
    return digest_of([items.name, rows_digest(frame.to_arrow())])
