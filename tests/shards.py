"""A mixture folder without flanbuild.mix and without torch: real shards and a typed manifest."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from flanbuild.artifacts.arrow import TRAIN_SCHEMA, Compression, write_batches
from flanbuild.artifacts.digests import part_digests, rows_digest
from flanbuild.artifacts.files import sha256_of
from flanbuild.artifacts.records import MANIFEST, ContaminationRecord, Manifest, Shard, write_record


def row(number: int) -> dict[str, Any]:
    """A row of a train shard."""
    return {
        "prompt": f"What follows {number}?\n",
        "completion": str(number + 1),
        "task": "counting",
        "dataset": "counting",
        "cluster": "misc",
        "template": number % 2,
        "row": number,
        "repeat": 0,
        "options": [str(number), str(number + 1)],
    }


def write_shards(
    folder: Path,
    train: Sequence[dict[str, Any]],
    validation: Sequence[dict[str, Any]],
    compression: Compression = "none",
    name: str = "counting",
) -> Path:
    """Two train shards and one of validation, with a manifest that holds nothing out."""
    half = len(train) // 2
    shards = {
        "train": (
            _shard(folder, "train/00000-of-00002.arrow", train[:half], compression),
            _shard(folder, "train/00001-of-00002.arrow", train[half:], compression),
        ),
        "validation": (_shard(folder, "validation/00000-of-00001.arrow", validation, compression),),
    }
    manifest = Manifest.of(
        mixture={"name": name, "compression": compression},
        holdout=(),
        held_out={},
        tasks={},
        licenses={},
        contamination=ContaminationRecord(
            rule="report", ngram=8, threshold=0.3, normalization=1, matching=1, references={}, found=()
        ),
        shards=shards,
        rows={"train": len(train), "validation": len(validation)},
        fingerprint="",
        versions={},
    )
    write_record(folder / MANIFEST, manifest.with_changes(digest=manifest.identity()))
    return folder


def _shard(folder: Path, path: str, rows: Sequence[dict[str, Any]], compression: Compression) -> Shard:
    file = folder / path
    table = pa.Table.from_pylist(list(rows), schema=TRAIN_SCHEMA)
    edges = write_batches(file, TRAIN_SCHEMA, [table], compression)
    return Shard(
        path=path,
        rows=len(rows),
        bytes=file.stat().st_size,
        sha256=sha256_of(file),
        rows_digest=rows_digest(table),
        edges=tuple(edges),
        digests=part_digests(file, edges),
    )
