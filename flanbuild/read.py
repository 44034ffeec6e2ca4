"""Reads a mixture folder: rows by index, in order, as Arrow, as a `datasets.Dataset`, or in batches for torch.

    examples = flanbuild.load("data/mixtures/flan2021-without-nli")
    examples[0]["prompt"], len(examples), examples.table

    loader = examples.loader(batch_size=32, rank=0, world_size=8, seed=1, num_workers=2)
    for batch in loader:            # one epoch, from the loaded state on
        step(batch)
        state = loader.state_dict() # resumes after this batch, on any number of ranks and workers

Shards are memory-mapped: opening reads the manifest and the footer of each shard, and memory holds the pages
that were accessed. The module imports numpy, pyarrow, pydantic and xxhash, so that a trainer can import it
cheaply.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import pyarrow as pa
import pyarrow.ipc
import xxhash

from flanbuild.artifacts.arrow import BATCH_ROWS, TRAIN_SCHEMA
from flanbuild.artifacts.files import digest_of, sha256_of
from flanbuild.artifacts.records import MANIFEST, Manifest, Shard, read_record
from flanbuild.errors import ArtifactError, DeclarationError, nearest, require
from flanbuild.keys import row_keys, task_key

if TYPE_CHECKING:
    from datasets import Dataset
    from numpy.typing import NDArray

Row = dict[str, Any]
UNPACKED = 64
"""Decompressed record batches kept in memory. Batches of uncompressed shards are views, and all are kept."""


def load(
    folder: str | Path,
    split: str = "train",
    columns: Sequence[str] | None = None,
    *,
    check: bool = True,
) -> "Examples":
    """Returns the rows of a split in the order of its shards; with `columns`, only these columns.

    Each record batch is compared with its digest in the manifest when it is first read, so a damaged byte is an
    ArtifactError and neither another text nor a dead process; `check=False` leaves that out.

    Raises ArtifactError if the manifest is missing, damaged or of another format, or if a shard is missing or
    has another size than the manifest records (`flanbuild verify` compares every byte). Raises
    DeclarationError if there is no such split or column.
    """
    folder = Path(folder)
    manifest = read_record(folder / MANIFEST, Manifest)
    shards = {str(name): shards for name, shards in manifest.shards.items()}
    if split not in shards:
        raise DeclarationError(f"{folder}: no split '{split}'.{nearest(split, shards)}")
    for name in columns or ():
        if name not in TRAIN_SCHEMA.names:
            raise DeclarationError(f"{folder}: no column '{name}'.{nearest(name, TRAIN_SCHEMA.names)}")
    return Examples(folder, split, columns, manifest, shards[split], check=check)


class Examples(Sequence[Row]):
    """The rows of one split, read only. A map-style dataset for torch; pickles as its path."""

    def __init__(
        self,
        folder: Path,
        split: str,
        columns: Sequence[str] | None,
        manifest: Manifest,
        shards: Sequence[Shard],
        *,
        check: bool = True,
    ) -> None:
        names = [name for name in TRAIN_SCHEMA.names if columns is None or name in columns]
        self.folder, self.split, self.digest = folder, split, manifest.digest
        self.manifest, self.shards = manifest, tuple(shards)
        self.schema = pa.schema([TRAIN_SCHEMA.field(name) for name in names])
        self._files = [_File(folder / shard.path, shard, check=check) for shard in shards]
        self._readers = [file.reader for file in self._files]
        self._check = check
        self._starts: list[int] = [0, *accumulate(shard.rows for shard in shards)]
        compressed = manifest.mixture.get("compression", "none") != "none"
        self._columns = lru_cache(UNPACKED if compressed else None)(
            lambda shard, number: self._read(shard, number).columns
        )

    def __len__(self) -> int:
        return self._starts[-1]

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        chosen = range(len(self))[index]
        return self._row(chosen) if isinstance(chosen, int) else self.__getitems__(chosen)

    def __getitems__(self, indices: Iterable[int]) -> list[Row]:
        """Returns the rows at these indices; torch fetches a batch with this method."""
        return [self._row(i) for i in indices]

    def __iter__(self) -> Iterator[Row]:
        for shard, reader in enumerate(self._readers):
            for number in range(reader.num_record_batches):
                yield from self._read(shard, number).to_pylist()

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(load, check=self._check), (self.folder, self.split, self.schema.names)

    def __repr__(self) -> str:
        return f"<{len(self):,} {self.split} examples of {self.folder}: {', '.join(self.schema.names)}>"

    @property
    def table(self) -> pa.Table:
        """All rows as one Arrow table over the mapped files, for polars, DuckDB and others; without a copy."""
        for file in self._files:
            file.check_all()
        tables = [reader.read_all().select(self.schema.names) for reader in self._readers]
        return pa.concat_tables(tables) if tables else self.schema.empty_table()

    def batches(self, rows: int | None = None) -> Iterator[pa.RecordBatch]:
        """Record batches in order, of the first `rows` rows or of all."""
        left = len(self) if rows is None else rows
        for shard in range(len(self.shards)):
            for batch in self.shard_batches(shard):
                if left <= 0:
                    return
                yield batch.slice(0, left)
                left -= batch.num_rows

    def shard_batches(self, shard: int) -> Iterator[pa.RecordBatch]:
        """Record batches of one shard, in order. Threads may read different shards at once."""
        for number in range(self._readers[shard].num_record_batches):
            yield self._read(shard, number)

    def table_of(self, start: int, stop: int) -> pa.Table:
        """The rows from `start` to `stop` as a table; batches outside are not read."""
        found, at = [], 0
        for shard, reader in enumerate(self._readers):
            if at + self.shards[shard].rows <= start or at >= stop:
                at += self.shards[shard].rows
                continue
            for number in range(reader.num_record_batches):
                batch = self._read(shard, number)
                first, last = max(start - at, 0), min(stop - at, batch.num_rows)
                if first < last:
                    found.append(batch.slice(first, last - first))
                at += batch.num_rows
        return pa.Table.from_batches(found, self.schema)

    def verify(self) -> "Examples":
        """Compares every byte with the manifest and returns itself.

        Raises ArtifactError, which names the shard that differs.
        """
        for shard in self.shards:
            if (digest := sha256_of(self.folder / shard.path)) != shard.sha256:
                raise ArtifactError(
                    f"{self.folder / shard.path}: its sha256 is {digest[:12]}…, the manifest records "
                    f"{shard.sha256[:12]}…; build the mixture again."
                )
        return self

    def to_dataset(self) -> "Dataset":
        """Returns a `datasets.Dataset` over the mapped files, without a copy.

        Its fingerprint derives from the mixture's digest, the split and the columns. Without a given
        fingerprint, `datasets` pickles all rows to compute one. Raises FlanbuildError if `datasets` is not
        installed.
        """
        require("Examples.to_dataset()", "hub", ("datasets",))
        from datasets import Dataset, NamedSplit

        fingerprint = digest_of([self.digest, self.split, self.schema.names])[:16]
        return Dataset(self.table, split=NamedSplit(self.split), fingerprint=fingerprint)

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
        """Returns batches for one of `world_size` ranks; `options` go to torch's DataLoader (num_workers, …).

        With `seed`, each epoch has its own order. Without it, every epoch has the order of the shards, which
        is already mixed. A batch is a list of rows, or what `collate_fn` returns. Raises DeclarationError if
        `rank` or `batch_size` is out of range, FlanbuildError if torch is not installed.
        """
        return Loader(self, batch_size, rank, world_size, seed, drop_last, {"collate_fn": list} | options)

    def _row(self, index: int) -> Row:
        shard = bisect_right(self._starts, index) - 1
        number, row = divmod(index - self._starts[shard], BATCH_ROWS)
        columns = self._columns(shard, number)
        return {name: column[row].as_py() for name, column in zip(self.schema.names, columns, strict=True)}

    def _read(self, shard: int, number: int) -> pa.RecordBatch:
        # IpcReadOptions(included_fields=…) would copy; an uncompressed batch is a view of the file.
        self._files[shard].check_batch(number)
        return self._readers[shard].get_batch(number).select(self.schema.names)


class Loader:
    """Batches of one epoch per iteration, in an order that is the same for any number of ranks and workers.

    With W ranks and batches of B rows, step k takes rows k·W·B to (k+1)·W·B of the epoch's order, B for each
    rank in turn. torch's DataLoader passes whole batches to its workers and returns them in order, so the
    state is (epoch, position), counted in rows of all ranks. `position` counts the rows that were returned,
    not those that workers have prefetched. An iteration that was left early continues after its last batch.

    The rows that remain at the end of an epoch are split evenly, so that ranks differ by at most one row and
    some may have one batch less. Set `drop_last` to leave these rows out if all ranks must take the same
    number of steps.
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
                f"loader: found rank {rank}, world_size {world_size}, batch_size {batch_size}; "
                "expected 0 <= rank < world_size and batch_size >= 1."
            )
        require("Examples.loader()", "train", ("torch",))
        self.examples, self.batch_size, self.seed, self.drop_last = examples, batch_size, seed, drop_last
        self.rank, self.world_size, self.options = rank, world_size, options
        self.epoch = self.position = 0

    def __iter__(self) -> Iterator[Any]:
        from torch.utils.data import DataLoader

        batches: DataLoader[Any] = DataLoader(
            self.examples,  # type: ignore[arg-type]  # any Sequence works
            batch_sampler=list(self._batches()),
            **self.options,
        )
        for batch in batches:
            self.position = min(self.position + self.batch_size * self.world_size, len(self.examples))
            yield batch
        self.epoch, self.position = self.epoch + 1, 0

    def __len__(self) -> int:
        """The number of this rank's batches in a whole epoch."""
        whole, rest = divmod(len(self.examples), self.batch_size * self.world_size)
        return whole + (not self.drop_last and self._cut(rest, self.rank) < self._cut(rest, self.rank + 1))

    def state_dict(self) -> dict[str, Any]:
        """The position of the loader: equal on all ranks, and valid for any number of ranks."""
        return {
            "epoch": self.epoch,
            "position": self.position,
            "seed": self.seed,
            "digest": self.examples.digest,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resumes from a state. Raises DeclarationError if it belongs to another mixture or another seed."""
        own = self.state_dict()
        for key in ("digest", "seed"):
            if state[key] != own[key]:
                raise DeclarationError(
                    f"{self.examples.folder}: the state has {key} {state[key]}, this loader has {own[key]}."
                )
        self.epoch, self.position = state["epoch"], state["position"]

    def order(self) -> "NDArray[np.int64]":
        """Row indices in the order of the current epoch, shape (rows,)."""
        rows = np.arange(len(self.examples))
        if self.seed is None:
            return rows
        key = task_key(self.seed, f"epoch {self.epoch}", self.examples.split)
        return np.argsort(row_keys(key, rows), kind="stable")

    def _batches(self) -> Iterator[list[int]]:
        """Yields this rank's rows of each step from `position` on."""
        order, step = self.order(), self.batch_size * self.world_size
        for start in range(self.position, len(order), step):
            rows = order[start : start + step]
            if self.drop_last and len(rows) < step:
                return
            batch = rows[self._cut(len(rows), self.rank) : self._cut(len(rows), self.rank + 1)]
            if len(batch):
                yield batch.tolist()

    def _cut(self, rows: int, rank: int) -> int:
        return rows * rank // self.world_size


class _File:
    """A mapped shard, whose parts are compared with the manifest when they are first read."""

    def __init__(self, path: Path, shard: Shard, *, check: bool) -> None:
        if not path.is_file():
            raise ArtifactError(f"{path}: no such file, but the manifest names it.")
        if (size := path.stat().st_size) != shard.bytes:
            raise ArtifactError(f"{path}: found {size:,} bytes, the manifest records {shard.bytes:,}.")
        self.path, self.shard = path, shard
        self._buffer = pa.memory_map(str(path)).read_buffer()
        self._cuts = [*shard.edges, size]
        self._unchecked = set(range(len(shard.digests))) if check else set()
        self._compare(len(shard.digests) - 1, "footer")
        try:
            self.reader = pa.ipc.open_file(pa.BufferReader(self._buffer))
        except pa.ArrowInvalid as error:
            raise ArtifactError(
                f"{path}: not a complete Arrow file ({str(error).splitlines()[0]})."
            ) from None
        expected = -(-shard.rows // BATCH_ROWS)
        if self.reader.num_record_batches != expected:
            raise ArtifactError(
                f"{path}: found {self.reader.num_record_batches} record batches, expected {expected} of "
                f"{BATCH_ROWS:,} rows."
            )

    def check_batch(self, number: int) -> None:
        """Raises ArtifactError if the bytes of a record batch are not those that the manifest names."""
        if number in self._unchecked:
            first = number * BATCH_ROWS
            last = min(first + BATCH_ROWS, self.shard.rows) - 1
            self._compare(number, f"batch {number} (rows {first:,} to {last:,})")

    def check_all(self) -> None:
        """The same for all record batches."""
        for number in range(len(self.shard.edges) - 1):
            self.check_batch(number)

    def _compare(self, part: int, name: str) -> None:
        if part not in self._unchecked:
            return
        start, end = self._cuts[part : part + 2]
        if xxhash.xxh3_64_hexdigest(memoryview(self._buffer)[start:end]) != self.shard.digests[part]:
            raise ArtifactError(
                f"{self.path}: {name}: its bytes are not those that the manifest names; build the mixture again."
            )
        self._unchecked.discard(part)
