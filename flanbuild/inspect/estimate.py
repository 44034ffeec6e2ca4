"""How much a build will write, estimated from raw rows before anything is rendered."""

import shutil
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import pyarrow as pa
import pyarrow.parquet as pq

from flanbuild.artifacts.addresses import task_folder
from flanbuild.artifacts.records import RECORD, RawRecord, read_record
from flanbuild.declare.mixture import Mixture
from flanbuild.declare.rate import templates_per_row
from flanbuild.declare.task import Task

_ROW_BYTES = 40
"""Numbers and offsets of a rendered row."""


@dataclass(frozen=True)
class Estimate:
    """Rows and bytes that rendering will write, and the free bytes of the disk."""

    examples: int
    bytes: int
    free: int

    def __str__(self) -> str:
        line = (
            f"about {self.examples:,} rendered rows, {_size(self.bytes)}; a mixture takes as much again at most; "
            f"{_size(self.free)} of the disk are free."
        )
        return line if 2 * self.bytes <= self.free else f"{line} The disk may become full."


def estimate(tasks: Iterable[Task], raw: Path, mixture: Mixture, trained: Collection[str]) -> Estimate:
    """The estimate for rendering `tasks`. Raw columns are taken as they lie uncompressed in Parquet.

    Rows that are filtered out are counted, so it is an upper bound for most tasks. `raw` is the root of raw folders.
    """
    examples = size = 0
    for task in tasks:
        if task.name not in trained:
            continue
        folder = task_folder(raw, task.cluster, task.name)
        record = read_record(folder / RECORD, RawRecord)
        of = task.splits["train"].of if "train" in task.splits else ()
        names = [name for name in of if name in record.splits]
        rows = sum(record.splits[name].rows for name in names)
        if not rows:
            continue
        kept = min(rows, mixture.cap)
        count = kept * templates_per_row(mixture, kept)
        template = fmean(len(t.inputs.encode()) + len(t.targets.encode()) for t in task.templates)
        raw_bytes = sum(_uncompressed(folder / f"{name}.parquet") for name in names) / rows
        examples += count
        size += int(count * (raw_bytes + template + _ROW_BYTES))
    return Estimate(examples, size, shutil.disk_usage(raw).free)


def _uncompressed(path: Path) -> int:
    try:
        metadata = pq.read_metadata(path)
    except (pa.ArrowException, OSError, ValueError):  # a name in the footer may be no text
        return 0  # rendering compares the file with its record and says what is wrong
    return sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"
