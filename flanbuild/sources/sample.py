"""The sample world as a source: every dataset's schema, no network."""

from collections.abc import Callable

import pyarrow as pa

from flanbuild.declare.task import Task
from flanbuild.sample import sample_splits, sample_table
from flanbuild.sources import Kind, Upstream

WORTH_PROCESSES = 2_000
"""Rows a split from which it takes longer to make them than to start a process."""


class SampleSource:
    """`rows` rows for a train split, fewer for the others."""

    kind: Kind = "sample"

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.threads = rows < WORTH_PROCESSES

    def watch(self, report: Callable[[int], None]) -> None:
        """Nothing comes over a network."""

    def close(self) -> None:
        """Nothing waits."""

    def commit(self, task: Task) -> str:  # noqa: ARG002  the sample has one revision
        """The sample is part of flanbuild; its size is all that can be chosen."""
        return f"sample of {self.rows} rows"

    def fingerprint(self, task: Task) -> str:
        """Rows depend on their number alone."""
        return self.commit(task)

    def split(self, task: Task, split: str) -> Upstream | None:
        """The split as upstream has it."""
        repo, config = task.source.repo, task.source.config
        if split not in sample_splits(repo, config):
            return None
        table: pa.Table = sample_table(repo, config, split, rows=self.rows)
        return Upstream([table.schema], iter([table]))
