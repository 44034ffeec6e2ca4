"""Reading a mixture back: rows by number, in order, as Arrow, or in batches for torch.

    examples = flanbuild.load("data/mixtures/flan2021-without-nli")
    examples[0]["prompt"], len(examples), examples.table

    loader = examples.loader(batch_size=32, rank=0, world_size=8, seed=1, num_workers=2)
    for batch in loader:                 # one epoch, from where the state stands
        save(loader.state_dict())        # resumes after this batch, on any number of ranks and workers

Shards are memory-mapped: opening reads the manifest and the shards' footers, and memory holds what is in use.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import pyarrow as pa
import pyarrow.ipc
from numpy.typing import NDArray

from flanbuild import manifest, shards
from flanbuild.errors import ArtifactError, DeclarationError, nearest
from flanbuild.keys import row_keys, task_key

if TYPE_CHECKING:
    from torch.utils.data import DataLoader

Row = dict[str, Any]
UNPACKED = 64
"""Batches of a compressed shard that are kept unpacked. Uncompressed ones are views of the file and are all kept."""


def load(folder: str | Path, split: str = "train", columns: Sequence[str] | None = None) -> "Examples":
    """The rows of a split, in the order of the shards; with `columns`, only these.

    Raises ArtifactError where a shard is missing or not as long as the manifest says, DeclarationError where there is
    no such split or column. `flanbuild verify` compares the bytes themselves.
    """
    folder = Path(folder)
    record = shards.read_json(folder / manifest.NAME)
    if not isinstance(record, dict) or record.get("format") != manifest.FORMAT:
        raise ArtifactError(f"{folder / manifest.NAME}: not a manifest of format {manifest.FORMAT}.")
    if split not in record["shards"]:
        raise DeclarationError(f"{folder}: no split '{split}'.{nearest(split, record['shards'])}")
    readers = [_open(folder / said["path"], said) for said in record["shards"][split]]
    schema = readers[0].schema if readers else shards.TRAIN
    for name in columns or ():
        if name not in schema.names:
            raise DeclarationError(f"{folder}: no column '{name}'.{nearest(name, schema.names)}")
    return Examples(folder, split, record["digest"], readers, list(columns or schema.names), schema)


class Examples(Sequence[Row]):
    """The rows of one split as dictionaries, read only. A map-style dataset for torch; pickles as its path."""

    def __init__(
        self,
        folder: Path,
        split: str,
        digest: str,
        readers: Sequence[pa.ipc.RecordBatchFileReader],
        columns: list[str],
        schema: pa.Schema,
    ) -> None:
        self.folder, self.split, self.digest, self.columns = folder, split, digest, columns
        self._schema = pa.schema([schema.field(name) for name in columns])
        self._places = [(reader, i) for reader in readers for i in range(reader.num_record_batches)]
        packed = any(reader.stats.num_messages and _is_packed(reader) for reader in readers)
        self._batch = lru_cache(UNPACKED if packed else None)(self._read)
        self._ends = list(accumulate(self._batch(i).num_rows for i in range(len(self._places))))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        if isinstance(index, slice):
            return self.__getitems__(range(len(self))[index])
        return self.__getitems__([range(len(self))[index]])[0]

    def __getitems__(self, indices: Iterable[int]) -> list[Row]:
        """The rows at these places, counted from 0: torch asks for a batch this way."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[Row]:
        for i in range(len(self._places)):
            yield from self._batch(i).to_pylist()
