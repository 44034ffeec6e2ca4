"""The generated rows of flanbuild.sample as a source; it needs no network."""

from collections.abc import Callable

from flanbuild.declare.task import Task
from flanbuild.sample import sample_splits, sample_table
from flanbuild.sources import Kind, Upstream

WORTH_PROCESSES = 2_000
"""Rows of a train split from which generating them takes longer than starting a process."""


class SampleSource:
    """`rows` rows for a train split, fewer for the other splits."""

    kind: Kind = "sample"
    allow_outside = False

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.threads = rows < WORTH_PROCESSES

    def watch(self, report: Callable[[int], None]) -> None:
        """Reports nothing, since there is no download."""

    def close(self) -> None:
        """Does nothing, since no thread waits for a network."""

    def commit(self, task: Task) -> str:  # noqa: ARG002  the sample has one revision
        """The size of the sample; the rows themselves are part of flanbuild."""
        return f"sample of {self.rows} rows"

    def fingerprint(self, task: Task) -> str:
        """The same as `commit`, since a row depends on its number alone."""
        return self.commit(task)

    def split(self, task: Task, split: str) -> Upstream | None:
        """The generated rows of an upstream split, or None if upstream has no such split."""
        if split not in sample_splits(task.source.repo, task.source.config):
            return None
        table = sample_table(task, split, rows=self.rows)
        return Upstream([table.schema], iter([table]))
