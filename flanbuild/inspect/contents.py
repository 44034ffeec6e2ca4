"""What the examples of a mixture are like: lengths, use of templates, the first examples of each task.

Counted in one pass over the shards. Memory holds a count for each distinct length of a task, not the texts.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from flanbuild.artifacts.records import Manifest, MixtureTask
from flanbuild.progress import Progress, silent
from flanbuild.read import Examples

SIDES = ("prompt", "completion")
_BATCHES = 32
"""Record batches that are counted together."""
_COMMIT_DIGITS = 40
_LENGTHS = ["task", "side", "length"]
_TEMPLATES = ["task", "template"]


@dataclass(frozen=True)
class Lengths:
    """How long texts are, in characters or tokens: the total, and five points of the distribution."""

    total: int
    low: int
    """the 5th percentile"""
    median: int
    high: int
    """the 95th percentile"""
    longest: int


@dataclass(frozen=True)
class Contents:
    """What one pass over a split has counted."""

    counts: pl.DataFrame
    """task, side (prompt or completion), length in characters, examples of that length"""
    templates: Mapping[str, Mapping[int, int]]
    """task -> template -> examples"""
    repeated: Mapping[str, int]
    """task -> examples whose row came before"""
    first: Mapping[str, Sequence[int]]
    """task -> the positions in the split of its first examples"""

    def lengths(self, side: str, task: str | None = None) -> Lengths | None:
        """Lengths of one side of a task's examples, or of all examples; None where there are none."""
        chosen = self.counts.filter(pl.col("side") == side)
        if task is not None:
            chosen = chosen.filter(pl.col("task") == task)
        chosen = chosen.group_by("length").agg(pl.col("examples").sum()).sort("length")
        return of_counts(chosen["length"].to_numpy(), chosen["examples"].to_numpy())


def contents(examples: Examples, first: int, *, progress: Progress = silent) -> Contents:
    """Counts a split. `first`: how many positions of examples to note for each task.

    Raises ArtifactError for a shard whose bytes are not those that the manifest names.
    """
    lengths, templates, repeated, positions = [], [], [], []
    start = 0
    with progress(len(examples), "read examples") as advance:
        for frame in _frames(examples):
            positions.append(
                frame.with_row_index("at", start).group_by("task", maintain_order=True).head(first)
            )
            sides = [frame.select("task", pl.lit(s).alias("side"), pl.col(s).alias("length")) for s in SIDES]
            lengths.append(pl.concat(sides).group_by(_LENGTHS).len("examples"))
            templates.append(frame.group_by(_TEMPLATES).len("examples"))
            repeated.append(frame.group_by("task").agg((pl.col("repeat") > 0).sum().alias("examples")))
            start += frame.height
            advance(frame.height)
    empty = pl.DataFrame(schema={"task": pl.String, "at": pl.UInt32})
    kept = pl.concat([empty, *(part.select("task", "at") for part in positions)])
    kept = kept.group_by("task", maintain_order=True).head(first)
    used: dict[str, dict[int, int]] = {}
    for task, template, count in _sums(templates, _TEMPLATES).iter_rows():
        used.setdefault(task, {})[template] = count
    return Contents(
        counts=_sums(lengths, _LENGTHS),
        templates=used,
        repeated=dict(_sums(repeated, ["task"]).iter_rows()),
        first={str(task): part["at"].to_list() for (task,), part in kept.group_by("task")},
    )


def by_cluster(manifest: Manifest) -> dict[str, dict[str, MixtureTask]]:
    """Cluster -> its tasks that give examples, both in alphabetical order."""
    clusters: dict[str, dict[str, MixtureTask]] = {}
    for name, task in sorted(manifest.tasks.items(), key=lambda item: (item[1].cluster, item[0])):
        if task.given:
            clusters.setdefault(task.cluster, {})[name] = task
    return clusters


def short_commit(commit: str) -> str:
    """The first 12 digits of a commit; what stands for a commit at other sources is not shortened."""
    return commit[:12] if len(commit) == _COMMIT_DIGITS else commit


def of_counts(lengths: NDArray[Any], examples: NDArray[Any]) -> Lengths | None:
    """Lengths in ascending order and how many examples have each; percentiles are lengths that occur.

    >>> of_counts(np.array([1, 2, 9]), np.array([10, 80, 10]))
    Lengths(total=260, low=1, median=2, high=9, longest=9)
    """
    if not len(lengths):
        return None
    below = np.cumsum(examples)
    low, median, high = (int(lengths[np.searchsorted(below, q * below[-1])]) for q in (0.05, 0.5, 0.95))
    return Lengths(int((lengths * examples).sum()), low, median, high, int(lengths[-1]))


def token_lengths(
    examples: Examples, positions: Mapping[str, Sequence[int]], codec: Any
) -> dict[str, dict[str, Lengths]]:
    """Task -> side -> tokens of the examples at these positions, by a `model.codec.Codec`, end token included."""
    tokens: dict[str, dict[str, Lengths]] = {}
    for task, places in positions.items():
        rows = examples.__getitems__(places)
        sides = {
            "prompt": codec.encode_prompts([row["prompt"] for row in rows]),
            "completion": codec.encode_completions([row["completion"] for row in rows]),
        }
        counted = {
            side: of_counts(*np.unique(list(map(len, encoded)), return_counts=True))
            for side, encoded in sides.items()
        }
        tokens[task] = {side: lengths for side, lengths in counted.items() if lengths}
    return tokens


def _frames(examples: Examples) -> Iterator[pl.DataFrame]:
    """Task, template, repeat, and the characters of prompt and completion."""
    batches = examples.batches()
    while group := list(islice(batches, _BATCHES)):
        table = pa.Table.from_batches(group)
        columns = {name: table[name] for name in ("task", "template", "repeat")}
        columns |= {side: pc.utf8_length(table[side]) for side in SIDES}
        yield pl.DataFrame(pl.from_arrow(pa.table(columns)))


def _sums(parts: Sequence[pl.DataFrame], by: Sequence[str]) -> pl.DataFrame:
    """The counts of all parts, in the order of their keys."""
    if not parts:
        return pl.DataFrame(schema=[*by, "examples"])
    return pl.concat(parts).group_by(by).agg(pl.col("examples").sum()).sort(by)
