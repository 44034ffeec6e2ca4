"""The rows of a mixture folder, as its manifest lists them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flanbuild.artifacts.arrow import read_table
from flanbuild.artifacts.files import read_json, sha256_of
from flanbuild.errors import ArtifactError

_ROWS = 2000


@dataclass(frozen=True)
class Mixture:
    """A folder of shards and what its manifest says of them."""

    folder: Path
    manifest: dict[str, Any]

    @property
    def digest(self) -> str:
        """The logical digest of all rows."""
        return str(self.manifest["digest"])

    def shards(self, split: str) -> list[dict[str, Any]]:
        """`train` or `validation`, in order."""
        return sorted(self.manifest["shards"].get(split, []), key=lambda shard: str(shard["path"]))

    def rows(self, split: str) -> int:
        """How many the manifest counts."""
        return sum(shard["rows"] for shard in self.shards(split))

    def texts(self, split: str, limit: int) -> Iterator[tuple[list[str], list[str]]]:
        """Prompts and completions in the order of the shards, some thousand at a time, `limit` in all."""
        left = limit
        for shard in self.shards(split):
            table = read_table(self.folder / shard["path"])
            for start in range(0, min(left, len(table)), _ROWS):
                part = table.slice(start, min(_ROWS, left - start))
                yield part["prompt"].to_pylist(), part["completion"].to_pylist()
            left -= min(left, len(table))


def open_mixture(folder: Path) -> Mixture:
    """Reads the manifest; stops if a shard is missing or not as listed, or if a split has no rows."""
    path = folder / "manifest.json"
    mixture = Mixture(folder, read_json(path))
    for split in ("train", "validation"):
        if not mixture.rows(split):
            raise ArtifactError(
                f"{path}: shards.{split}: no rows, and training needs train and validation rows."
            )
        for shard in mixture.shards(split):
            _check(folder / shard["path"], shard["sha256"])
    return mixture


def _check(path: Path, expected: str) -> None:
    if not path.is_file():
        raise ArtifactError(f"{path}: no such file, though the manifest beside it lists it.")
    found = sha256_of(path)
    if found != expected:
        raise ArtifactError(
            f"{path}: sha256 is {found[:12]}…, the manifest says {expected[:12]}…; build the mixture again."
        )
