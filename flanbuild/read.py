"""Reading a mixture back: rows by number, in order, as Arrow, or in batches for torch.

    examples = flanbuild.load("data/mixtures/flan2021-without-nli")
    examples[0]["prompt"], len(examples), examples.table

    loader = examples.loader(batch_size=32, rank=0, world_size=8, seed=1, num_workers=2)
    for batch in loader:            # an epoch, from where the state stands
        step(batch)
        state = loader.state_dict() # goes on behind this batch, on any number of ranks and workers

Shards are memory-mapped: opening reads the manifest and each shard's footer; memory holds what is looked at.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import pyarrow as pa
import pyarrow.ipc

from flanbuild.artifacts.arrow import BATCH_ROWS, TRAIN_SCHEMA
from flanbuild.artifacts.files import sha256_of
from flanbuild.artifacts.records import MANIFEST, Manifest, Shard, read_record
from flanbuild.errors import ArtifactError, DeclarationError, nearest, require_train
from flanbuild.keys import row_keys, task_key

if TYPE_CHECKING:
    from numpy.typing import NDArray

Row = dict[str, Any]
UNPACKED = 64
"""Record batches of compressed shards that are kept unpacked. Of plain ones all are kept: they are views."""


def load(folder: str | Path, split: str = "train", columns: Sequence[str] | None = None) -> "Examples":
    """The rows of a split in the order of its shards; with `columns`, only these columns.

    Raises ArtifactError where a shard is missing or not as long as the manifest says (`flanbuild verify` compares
    every byte), DeclarationError where there is no such split or column.
    """
    folder = Path(folder)
    manifest = read_record(folder / MANIFEST, Manifest)
    if split not in manifest.shards:
        raise DeclarationError(f"{folder}: no split '{split}'.{nearest(split, manifest.shards)}")
    for name in columns or ():
        if name not in TRAIN_SCHEMA.names:
            raise DeclarationError(f"{folder}: no column '{name}'.{nearest(name, TRAIN_SCHEMA.names)}")
    return Examples(folder, split, columns, manifest)


class Examples(Sequence[Row]):
    """The rows of one split, read only. For torch a map-style dataset, which pickles as its path."""

    def __init__(self, folder: Path, split: str, columns: Sequence[str] | None, manifest: Manifest) -> None:
        self.manifest, self.shards = manifest, dict(manifest.shards)[split]  # type: ignore[index]
        names = [name for name in TRAIN_SCHEMA.names if columns is None or name in columns]
        self.folder, self.split, self.digest = folder, split, manifest.digest
        self.schema = pa.schema([TRAIN_SCHEMA.field(name) for name in names])
        self._readers = [_open(folder / shard.path, shard) for shard in self.shards]
        self._starts: list[int] = [0, *accumulate(shard.rows for shard in self.shards)]
        packed = manifest.mixture.get("compression", "none") != "none"
        self._columns = lru_cache(UNPACKED if packed else None)(
            lambda shard, number: self._read(shard, number).columns
        )

    def __len__(self) -> int:
        return self._starts[-1]

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        places = range(len(self))[index]
        return self._row(places) if isinstance(places, int) else self.__getitems__(places)

    def __getitems__(self, indices: Iterable[int]) -> list[Row]:
        """The rows at these places: torch asks for a batch this way."""
        return [self._row(i) for i in indices]

    def __iter__(self) -> Iterator[Row]:
        for shard, reader in enumerate(self._readers):
            for number in range(reader.num_record_batches):
                yield from self._read(shard, number).to_pylist()

    def __reduce__(self) -> tuple[Any, ...]:
        return load, (self.folder, self.split, self.schema.names)

    def __repr__(self) -> str:
        return f"<{len(self):,} {self.split} examples of {self.folder}: {', '.join(self.schema.names)}>"

    @property
    def table(self) -> pa.Table:
        """All rows as one Arrow table over the mapped files, for polars, DuckDB, `datasets` and the like."""
        tables = [reader.read_all().select(self.schema.names) for reader in self._readers]
        return pa.concat_tables(tables) if tables else self.schema.empty_table()

    def batches(self, rows: int | None = None) -> Iterator[pa.RecordBatch]:
        """Record batches in order, of the first `rows` rows or of all."""
        left = len(self) if rows is None else rows
        for shard, reader in enumerate(self._readers):
            for number in range(reader.num_record_batches):
                if left <= 0:
                    return
                batch = self._read(shard, number).slice(0, left)
                left -= batch.num_rows
                yield batch

    def verify(self) -> "Examples":
        """Compares every byte with the manifest and returns itself. Raises ArtifactError naming the shard that differs."""
        for shard in self.shards:
            if (digest := sha256_of(self.folder / shard.path)) != shard.sha256:
                raise ArtifactError(
                    f"{self.folder / shard.path}: its sha256 is {digest[:12]}… and the manifest says"
                    f" {shard.sha256[:12]}…; build the mixture again."
                )
        return self

    def loader(
        self,
        batch_size: int,
        *,
        rank: int = 0,
        world_size: int = 1,
        seed: int | None = None,
        drop_last: bool = False,
        **options: Any,
    ) -> "Loader":
        """Batches for one of `world_size` ranks; `options` go to torch's DataLoader (num_workers, collate_fn, …).

        With `seed`, each epoch has an order of its own; without, all have the order of the shards, which is mixed.
        A batch is a list of rows unless `collate_fn` makes something else of it.
        """
        return Loader(self, batch_size, rank, world_size, seed, drop_last, {"collate_fn": list} | options)

    def _row(self, index: int) -> Row:
        shard = bisect_right(self._starts, index) - 1
        number, place = divmod(index - self._starts[shard], BATCH_ROWS)
        columns = self._columns(shard, number)
        return {name: column[place].as_py() for name, column in zip(self.schema.names, columns, strict=True)}

    def _read(self, shard: int, number: int) -> pa.RecordBatch:
        # IpcReadOptions(included_fields=…) would copy what it reads; a plain batch is views of the file.
        return self._readers[shard].get_batch(number).select(self.schema.names)


class Loader:
    """An epoch of batches at a time, in an order that is the same for any number of ranks and workers.

    Step k of W ranks with batches of B is the k-th run of W·B rows of the epoch's order, B of them for each rank
    in turn. torch's DataLoader hands whole batches to its workers and gives them back in order, so the whole
    state is (epoch, position), counted in rows of all ranks. `position` counts what was given out, not what
    workers have fetched ahead. A loop that is left goes on behind its last batch when iterated again.

    The rows left over at the end of an epoch are dealt evenly, so that ranks differ by one row, and those
    that get none have a batch less; `drop_last` leaves these rows out, which ranks that must keep step need.
    """

    def __init__(
        self,
        examples: Examples,
        batch_size: int,
        rank: int,
        world_size: int,
        seed: int | None,
        drop_last: bool,
        options: dict[str, Any],
    ) -> None:
        if batch_size < 1 or not 0 <= rank < world_size:
            raise DeclarationError(
                f"rank {rank} of {world_size} with batches of {batch_size}: ranks count from 0 and batches have rows."
            )
        require_train("The loader", ("torch",))
        self.examples, self.batch_size, self.seed, self.drop_last = examples, batch_size, seed, drop_last
        self.rank, self.world_size, self.options = rank, world_size, options
        self.epoch = self.position = 0

    def __iter__(self) -> Iterator[Any]:
        from torch.utils.data import DataLoader

        batches: DataLoader[Any] = DataLoader(
            self.examples,  # type: ignore[arg-type]  # a Sequence will do
            batch_sampler=list(self._batches()),
            **self.options,
        )
        for batch in batches:
            self.position = min(self.position + self.batch_size * self.world_size, len(self.examples))
            yield batch
        self.epoch, self.position = self.epoch + 1, 0

    def __len__(self) -> int:
        """Batches of this rank in a whole epoch."""
        whole, rest = divmod(len(self.examples), self.batch_size * self.world_size)
        return whole + (not self.drop_last and self._cut(rest, self.rank) < self._cut(rest, self.rank + 1))

    def state_dict(self) -> dict[str, Any]:
        """Where the loader stands: equal on all ranks, and good for any number of them."""
        return {
            "epoch": self.epoch,
            "position": self.position,
            "seed": self.seed,
            "digest": self.examples.digest,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from there. Raises DeclarationError if that was another mixture or another order."""
        own = self.state_dict()
        for key in ("digest", "seed"):
            if state[key] != own[key]:
                raise DeclarationError(
                    f"{self.examples.folder}: the state is of {key} {state[key]}, this loader of {own[key]}."
                )
        self.epoch, self.position = state["epoch"], state["position"]

    def order(self) -> "NDArray[np.int64]":
        """Places of the rows in the order of the current epoch."""
        rows = np.arange(len(self.examples))
        if self.seed is None:
            return rows
        key = task_key(self.seed, f"epoch {self.epoch}", self.examples.split)
        return np.argsort(row_keys(key, rows), kind="stable")

    def _batches(self) -> Iterator[list[int]]:
        """This rank's share of each step from `position` on."""
        order, whole = self.order(), self.batch_size * self.world_size
        for start in range(self.position, len(order), whole):
            rows = order[start : start + whole]
            if self.drop_last and len(rows) < whole:
                return
            mine = rows[self._cut(len(rows), self.rank) : self._cut(len(rows), self.rank + 1)]
            if len(mine):
                yield mine.tolist()

    def _cut(self, rows: int, rank: int) -> int:
        return rows * rank // self.world_size


def _open(path: Path, shard: Shard) -> pa.ipc.RecordBatchFileReader:
    """The mapped shard, once it is as long as the manifest says."""
    if not path.is_file():
        raise ArtifactError(f"{path}: no such shard, though the manifest names it.")
    if (size := path.stat().st_size) != shard.bytes:
        raise ArtifactError(f"{path}: {size:,} bytes, and the manifest says {shard.bytes:,}.")
    try:
        reader = pa.ipc.open_file(pa.memory_map(str(path)))
    except pa.ArrowInvalid as error:
        raise ArtifactError(f"{path}: not a whole Arrow file ({str(error).splitlines()[0]}).") from None
    if reader.num_record_batches != -(-shard.rows // BATCH_ROWS):
        raise ArtifactError(f"{path}: not in batches of {BATCH_ROWS:,} rows, as flanbuild writes them.")
    return reader
