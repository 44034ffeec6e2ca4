"""A folder in hub layout, `<repo>/<config>/<split>-*.parquet`: for machines without a network, and for tests."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from flanbuild import shards
from flanbuild.errors import DeclarationError, SourceError
from flanbuild.sources import Kind, Upstream
from flanbuild.tasks import Source as Declared


class MirrorSource:
    """Raises DeclarationError when the folder is missing."""

    kind: Kind = "mirror"

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise DeclarationError(f"mirror: {root} is no folder; set 'mirror' in params.yaml or --mirror DIR.")
        self.root = root

    def commit(self, declared: Declared) -> str:
        """What the page asks for; a mirror holds one revision and doesn't say which."""
        return declared.revision

    def fingerprint(self, declared: Declared, splits: tuple[str, ...]) -> str:
        """Changes when any file of the splits does."""
        files = [file for split in splits for file in self._described(declared, split)]
        return shards.digest(files)

    def split(self, declared: Declared, split: str, columns: list[str]) -> Upstream | None:
        """The split's files one after the other, in name order; all must have one schema."""
        paths = self._paths(declared, split)
        if not paths:
            return None
        schema = _open(paths[0]).schema_arrow
        return Upstream(schema, _tables(paths, columns), self._described(declared, split))

    def _paths(self, declared: Declared, split: str) -> list[Path]:
        return sorted((self.root / declared.repo / declared.config).glob(f"{split}-*.parquet"))

    def _described(self, declared: Declared, split: str) -> list[dict[str, Any]]:
        return [
            {"path": str(path.relative_to(self.root)), "bytes": path.stat().st_size, "sha256": shards.sha256(path)}
            for path in self._paths(declared, split)
        ]


def _tables(paths: list[Path], columns: list[str]) -> Iterator[pa.Table]:
    for path in paths:
        file = _open(path)
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, columns=columns)


def _open(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path, memory_map=True)
    except (pa.ArrowInvalid, OSError) as error:
        raise SourceError(f"{path}: not a whole Parquet file ({str(error).splitlines()[0]}).") from None
