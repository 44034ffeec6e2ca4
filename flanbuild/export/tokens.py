"""The rows of a mixture as tokens of a named tokenizer: one example or several per row, for Megatron-LM, for OLMo-core."""

import gzip
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from flanbuild.artifacts.arrow import parquet_writer
from flanbuild.export.pace import paced
from flanbuild.export.record import ExportedSplit
from flanbuild.export.sequences import (
    BLOCK,
    Array,
    TokenizedSplit,
    open_codec,
    tokenized_split,
)
from flanbuild.export.view import SPLITS, ExportRequest, Written
from flanbuild.model.codec import Codec, Ints
from flanbuild.model.tokenizer import tokenizer_digest
from flanbuild.progress import Progress
from flanbuild.read import load

SEQ_LENGTH = 2048
"""Tokens per sequence unless --seq-length says otherwise."""
LOSS_MASK = "loss_mask"
LABEL_MASK = "label_mask"
_MEGATRON_HEADER = b"MMIDIDX\x00\x00"
_MEGATRON_CODES = {np.dtype(np.uint8): 1, np.dtype(np.int32): 4, np.dtype(np.uint16): 8}
_MEGATRON_UINT16 = 65500
"""Megatron-LM stores the tokens of vocabularies below this size as uint16."""


def tokens(request: ExportRequest, folder: Path, progress: Progress) -> Written:
    """Writes Parquet with one example per row: `input_ids`, `attention_mask`, `labels`, and its index `example`.

    There is no column of positions: they are 0, 1, 2, …, and collators that pad do not pad such a column.
    """
    return _write(request, folder, progress, _write_examples)


def packed(request: ExportRequest, folder: Path, progress: Progress) -> Written:
    """Writes Parquet with several whole examples per row, packed as for flanbuild's own training.

    `position_ids` restart at each example; `seq_lengths` are the lengths of the examples, which TRL reads; `examples`
    are their indices in the split. Rows have at most --seq-length tokens and no padding, and are in keyed order.
    """
    return _write(request, folder, progress, _write_packed)


def megatron(request: ExportRequest, folder: Path, progress: Progress) -> Written:
    """Writes an indexed dataset of Megatron-LM for each split, `train.bin` and `train.idx`: a document per example.

    `train_loss_mask.bin` and `.idx` hold a byte for each token, 1 where the loss applies, in the same documents.
    """
    return _write(request, folder, progress, _write_megatron)


def olmo_core(request: ExportRequest, folder: Path, progress: Progress) -> Written:
    """Writes flat arrays without header, as OLMo-core reads them: `train/*.npy` and `train_label_mask/*.npy`.

    The mask has a bool for each token. `train/*.csv.gz` has the bounds of each document, which OLMo-core needs for
    remote files; in local files it finds documents by the end token.
    """
    return _write(request, folder, progress, _write_olmo)


_WriteSplit = Callable[[Path, TokenizedSplit, Codec, int], ExportedSplit]


def _write(request: ExportRequest, folder: Path, progress: Progress, write_split: _WriteSplit) -> Written:
    seq_length = SEQ_LENGTH if request.seq_length is None else request.seq_length
    codec = open_codec(request.tokenizer, seq_length)
    work = folder / ".work"
    splits = {}
    for name in SPLITS:
        rows = load(request.mixture, name, ("prompt", "completion"))
        if len(rows):
            split = tokenized_split(rows, codec, seq_length, work / "tokens", paced(progress))
            splits[name] = write_split(folder, split, codec, seq_length)
    shutil.rmtree(work, ignore_errors=True)
    digest = tokenizer_digest(codec.tokenizer)
    return Written(
        splits=splits, settings={"tokenizer": digest, "seq_length": seq_length, "end_token": codec.end}
    )


def _write_examples(folder: Path, split: TokenizedSplit, _codec: Codec, _length: int) -> ExportedSplit:
    schema = pa.schema(
        [
            ("input_ids", pa.list_(pa.int32())),
            ("attention_mask", pa.list_(pa.int8())),
            ("labels", pa.list_(pa.int32())),
            ("example", pa.int64()),
        ]
    )
    for name, rows in split.parts(split.rows):
        with parquet_writer(_new(folder, f"{name}.parquet"), schema) as writer:
            for number, block in enumerate(split.blocks(rows)):
                ones = np.ones(len(block.tokens), np.int8)
                sides = (_lists(side, block.lengths) for side in (block.tokens, ones, block.labels))
                numbers = pa.array(rows[number * BLOCK : (number + 1) * BLOCK])
                writer.write_table(pa.table([*sides, numbers], schema=schema))
    return split.counts()


def _write_packed(folder: Path, split: TokenizedSplit, _codec: Codec, length: int) -> ExportedSplit:
    int32_lists = ("input_ids", "labels", "position_ids", "seq_lengths")
    schema = pa.schema(
        [*((name, pa.list_(pa.int32())) for name in int32_lists), ("examples", pa.list_(pa.int64()))]
    )
    sequences = split.packed(length)
    for name, part in split.parts(sequences.order):
        with parquet_writer(_new(folder, f"{name}.parquet"), schema) as writer:
            for block, members, counts in sequences.blocks(part):
                ends = np.concatenate([[0], np.cumsum(block.lengths)])
                lengths = np.diff(ends[np.concatenate([[0], np.cumsum(counts)])])
                columns = [
                    *(_lists(side, lengths) for side in (block.tokens, block.labels, block.positions)),
                    _lists(block.lengths.astype(np.int32), counts),
                    _lists(members, counts),
                ]
                writer.write_table(pa.table(columns, schema=schema))
    return split.counts(sequences=len(sequences.order))


def _write_megatron(folder: Path, split: TokenizedSplit, codec: Codec, _length: int) -> ExportedSplit:
    dtype = np.dtype(np.uint16 if len(codec.tokenizer) < _MEGATRON_UINT16 else np.int32)
    prefix, mask = folder / split.name, folder / f"{split.name}_{LOSS_MASK}"
    lengths: list[Ints] = []
    with prefix.with_suffix(".bin").open("wb") as file, mask.with_suffix(".bin").open("wb") as mask_file:
        for block in split.blocks(split.rows):
            block.tokens.astype(dtype).tofile(file)
            block.target.astype(np.uint8).tofile(mask_file)
            lengths.append(block.lengths)
    documents = np.concatenate([np.empty(0, np.int64), *lengths])
    _write_megatron_index(prefix.with_suffix(".idx"), documents, dtype)
    _write_megatron_index(mask.with_suffix(".idx"), documents, np.dtype(np.uint8))
    return split.counts()


def _write_megatron_index(path: Path, lengths: Ints, dtype: np.dtype[Any]) -> None:
    """The layout of version 1: type, counts, then the length, the byte position and the document of each sequence."""
    count = len(lengths)
    with path.open("wb") as file:
        file.write(_MEGATRON_HEADER)
        file.write(np.array([1], "<u8").tobytes())
        file.write(bytes([_MEGATRON_CODES[dtype]]))
        file.write(np.array([count, count + 1], "<u8").tobytes())
        lengths.astype("<i4").tofile(file)
        ((np.cumsum(lengths) - lengths) * dtype.itemsize).astype("<i8").tofile(file)
        np.arange(count + 1).astype("<i8").tofile(file)


def _write_olmo(folder: Path, split: TokenizedSplit, codec: Codec, _length: int) -> ExportedSplit:
    dtype = np.min_scalar_type(
        len(codec.tokenizer) - 1
    )  # the smallest, which OLMo-core infers from the vocabulary
    for name, rows in split.parts(split.rows):
        path = _new(folder, f"{name}.npy")
        mask_path = _new(folder, f"{split.name}_{LABEL_MASK}/{path.name}")
        lengths = []
        with path.open("wb") as file, mask_path.open("wb") as mask_file:
            for block in split.blocks(rows):
                block.tokens.astype(dtype).tofile(file)
                block.target.tofile(mask_file)
                lengths.append(block.lengths)
        _write_bounds(path.with_suffix(".csv.gz"), lengths)
    return split.counts()


def _write_bounds(path: Path, lengths: Iterable[Ints]) -> None:
    """The first token of each document and the one behind its last, without a time stamp in the gzip header."""
    import polars as pl

    ends = np.cumsum(np.concatenate([np.zeros(1, np.int64), *lengths]))
    bounds = pl.DataFrame({"start": ends[:-1], "end": ends[1:]})
    with path.open("wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed_file:
        packed_file.write(bounds.write_csv(include_header=False).encode())


def _lists(values: Array, lengths: Ints) -> pa.ListArray:
    """A list of `values` for each of `lengths`."""
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(values))


def _new(folder: Path, name: str) -> Path:
    """The path of a file in a folder that now exists."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
