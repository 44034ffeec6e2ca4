"""The sample source: rows of every dataset's true schema, from a small world of our own, offline.

>>> sample_splits("aps/super_glue", "rte")
('train', 'validation', 'test')
>>> sample_table("aps/super_glue", "rte", "train", rows=100).num_rows
100

The label follows from the text: what is entailed is entailed, an answer stands in its passage, a translation
is one. Row i of a split is the same however many are asked for, unless upstream sorts the split by class.
"""

import pyarrow as pa

from flanbuild.errors import SourceError, nearest
from flanbuild.sample.dataset import Dataset
from flanbuild.sample.registry import DATASETS

__all__ = ["sample_splits", "sample_table"]

_LEAST = 60  # rows of a small split: enough to carve from and to score


def sample_splits(repo: str, config: str) -> tuple[str, ...]:
    """The split names upstream."""
    return tuple(_find(repo, config).splits)


def sample_table(repo: str, config: str, split: str, *, rows: int) -> pa.Table:
    """A split in its upstream schema.

    `rows` is what a train split gets (or the first split, where there is no train); the others get a fifth,
    though at least 60 where `rows` allows. No split has more rows than it has upstream.
    """
    dataset = _find(repo, config)
    if split not in dataset.splits:
        hint = nearest(split, dataset.splits)
        raise SourceError(f"the sample of {repo} {config} has no split '{split}'.{hint}")
    main = split.startswith("train") or split == next(iter(dataset.splits))
    wanted = rows if main else min(rows, max(_LEAST, rows // 5))
    return dataset.table(split, min(wanted, dataset.splits[split]))


def _find(repo: str, config: str) -> Dataset:
    dataset = DATASETS.get((repo, config))
    if dataset is not None:
        return dataset
    repos = {name for name, _ in DATASETS}
    if repo not in repos:
        raise SourceError(f"no sample of repository '{repo}'.{nearest(repo, repos)}")
    configs = [name for of, name in DATASETS if of == repo]
    raise SourceError(f"the sample of {repo} has no config '{config}'.{nearest(config, configs)}")
