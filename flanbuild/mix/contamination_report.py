"""All matches of a mixture with their texts, as one Parquet file outside the mixture folder.

A mixture folder can be published; this file has texts of evaluation rows and should not be.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from flanbuild.artifacts.arrow import parquet_writer
from flanbuild.artifacts.files import atomic_path
from flanbuild.mix.matching import KINDS
from flanbuild.mix.pairs import Pairs, Reference, TrainingRows
from flanbuild.mix.references import SPLITS

SCHEMA = pa.schema(
    [
        ("task", pa.string()),
        ("row", pa.int64()),
        ("reference", pa.string()),
        ("split", pa.string()),
        ("item", pa.int64()),
        ("kind", pa.string()),
        ("exact", pa.bool_()),
        ("score", pa.float64()),
        ("training_text", pa.large_string()),
        ("evaluation_text", pa.large_string()),
    ]
)
"""One match. `row` and `item` count the rows of their splits after preprocessing, or the rows of a file."""


def write(
    path: Path, pairs: Pairs, training: Sequence[TrainingRows], references: Sequence[Reference]
) -> None:
    """Writes the kept matches of all pairs, task by task. Texts are read of the rows that match, and no others."""
    evaluation: dict[str, pl.DataFrame] = {}
    with atomic_path(path) as part, parquet_writer(part, SCHEMA) as writer:
        for rows in training:
            for reference in references:
                frame = pairs.get(rows, reference)
                if frame is not None and frame.height:
                    if reference.name not in evaluation:
                        evaluation[reference.name] = _evaluation_texts(reference)
                    writer.write_table(_with_texts(rows, reference, frame, evaluation[reference.name]))


def sorted_matches(frame: pl.DataFrame) -> pl.DataFrame:
    """The strongest matches first: by kind, exactness and score."""
    return frame.sort(
        "kind", "exact", "score", "row", "split", "item", descending=[True, True, True, False, False, False]
    )


def _evaluation_texts(reference: Reference) -> pl.DataFrame:
    items = reference.items()
    frame = pl.DataFrame({"item": items.rows, "split": items.splits})
    frame = frame.with_columns(evaluation_text=_joined(column.texts for column in items.columns))
    return frame.unique(["item", "split"], keep="first")


def _with_texts(
    training: TrainingRows, reference: Reference, frame: pl.DataFrame, evaluation: pl.DataFrame
) -> pa.Table:
    rows = np.unique(frame["row"].to_numpy())
    texts = pl.DataFrame({"row": rows, "training_text": _joined(training.texts(rows).columns.values())})
    joined = frame.join(evaluation, on=["item", "split"], how="left").join(texts, on="row", how="left")
    table = sorted_matches(joined).select(
        pl.lit(training.task.name).alias("task"),
        "row",
        pl.lit(reference.name).alias("reference"),
        pl.col("split").replace_strict(dict(enumerate(SPLITS)), return_dtype=pl.String),
        "item",
        pl.col("kind").replace_strict(KINDS, return_dtype=pl.String),
        "exact",
        "score",
        "training_text",
        "evaluation_text",
    )
    return table.to_arrow().cast(SCHEMA)


def _joined(columns: Iterable[pl.Series]) -> pl.Series:
    """The texts of each row, one below the other."""
    frame = pl.DataFrame({str(i): column for i, column in enumerate(columns)})
    return frame.select(pl.concat_str(pl.all(), separator="\n", ignore_nulls=True)).to_series()
