"""The sample source: generated rows for every dataset of the paper, without a network.

>>> sample_splits("aps/super_glue", "rte")
('train', 'validation', 'test')
>>> len(sample_records("aps/super_glue", "rte", "train", rows=100))
100

The label of a row is correct: an entailed hypothesis follows from its premise, an answer occurs in its passage, a
translation has the meaning of its source. Row i of a split does not depend on the number of rows requested, unless
upstream sorts the split by class.
"""

import pyarrow as pa
import pyarrow.compute as pc

from flanbuild.artifacts.columns import check_schema, hub_schema
from flanbuild.declare.task import Task
from flanbuild.errors import SourceError, nearest
from flanbuild.sample.dataset import SampleDataset, SampleRecord
from flanbuild.sample.registry import DATASETS

__all__ = ["sample_records", "sample_splits", "sample_table"]

_MIN_ROWS = 60  # of a small split: enough to carve from and to score
_CHECKED_ROWS = 32  # rows whose values show the type of a column


def sample_splits(repo: str, config: str) -> tuple[str, ...]:
    """The names of the upstream splits. Raises SourceError for an unknown repository or config."""
    return tuple(_dataset(repo, config).splits)


def sample_records(repo: str, config: str, split: str, *, rows: int) -> list[SampleRecord]:
    """The rows of a split in upstream's order, with all upstream columns; `rows` as in `sample_table`."""
    dataset = _dataset(repo, config)
    return dataset.records(split, _count(dataset, f"the sample of {repo} {config}", split, rows))


def sample_table(task: Task, split: str, *, rows: int) -> pa.Table:
    """An upstream split of the task with the task's columns, types and class names.

    `rows` is the size of a train split (or of the first split, if there is no train split). Other splits get a
    fifth of it, but at least 60 rows if `rows` allows it. No split has more rows than upstream.

    Raises SourceError for an unknown repository, config or split, and for a declared column or class that the
    generated rows do not have.
    """
    source = task.source
    origin = f"the sample of {source.repo} {source.config}"
    dataset = _dataset(source.repo, source.config)
    count = _count(dataset, origin, split, rows)
    check_schema(task, _schema_of(dataset.records(split, min(count, _CHECKED_ROWS))), origin)
    try:
        table = dataset.table(split, count, hub_schema(task))
    except pa.ArrowInvalid as error:
        raise SourceError(f"{task.path}: columns: {origin}: {str(error).splitlines()[0]}.") from None
    _check_class_ids(task, table, origin)
    return table


def _dataset(repo: str, config: str) -> SampleDataset:
    dataset = DATASETS.get((repo, config))
    if dataset is not None:
        return dataset
    configs = [name for known, name in DATASETS if known == repo]
    if not configs:
        hint = nearest(repo, {known for known, _ in DATASETS})
        raise SourceError(f"no sample of repository '{repo}'.{hint}")
    raise SourceError(f"the sample of {repo} has no config '{config}'.{nearest(config, configs)}")


def _count(dataset: SampleDataset, origin: str, split: str, rows: int) -> int:
    """The number of rows of a split, given the size of a train split."""
    if split not in dataset.splits:
        raise SourceError(f"{origin} has no split '{split}'.{nearest(split, dataset.splits)}")
    is_main = split.startswith("train") or split == next(iter(dataset.splits))
    wanted = rows if is_main else min(rows, max(_MIN_ROWS, rows // 5))
    return min(wanted, dataset.splits[split])


def _schema_of(records: list[SampleRecord]) -> pa.Schema:
    """The columns of the records, with types inferred from their values."""
    return pa.schema([(name, pa.infer_type([record[name] for record in records])) for name in records[0]])


def _check_class_ids(task: Task, table: pa.Table, origin: str) -> None:
    column = task.label_column
    last = pc.max(table[column]).as_py() if column else None
    if last is not None and last >= len(task.labels):
        raise SourceError(
            f"{task.path}: labels: {len(task.labels)} classes, but column '{column}' of {origin} has class {last}."
        )
