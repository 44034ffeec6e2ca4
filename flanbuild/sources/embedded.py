"""The sample world as a source: every dataset's schema, no network."""

import pyarrow as pa

from flanbuild.sources import Kind, Upstream
from flanbuild.sources.sample import sample_splits, sample_table
from flanbuild.tasks import Source as Declared


class SampleSource:
    """`rows` rows for a train split, fewer for the others."""

    kind: Kind = "sample"

    def __init__(self, rows: int) -> None:
        self.rows = rows

    def commit(self, declared: Declared) -> str:  # noqa: ARG002  the sample has one revision
        """The sample is part of flanbuild; its size is all that can be chosen."""
        return f"sample of {self.rows} rows"

    def fingerprint(self, declared: Declared, splits: tuple[str, ...]) -> str:  # noqa: ARG002
        """Rows depend on their number alone."""
        return self.commit(declared)

    def split(self, declared: Declared, split: str, columns: list[str]) -> Upstream | None:  # noqa: ARG002
        """The split as upstream has it."""
        if split not in sample_splits(declared.repo, declared.config):
            return None
        table: pa.Table = sample_table(declared.repo, declared.config, split, rows=self.rows)
        return Upstream(table.schema, iter([table]))
