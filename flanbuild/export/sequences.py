"""A split of a mixture as blocks of tokens, for all layouts that hold tokens.

The codec of training tokenizes: prompt and completion apart, the tokens that the tokenizer puts before a text once, one
end token behind each completion. A prompt that is too long loses its beginning. A completion is never cut: an example
whose completion does not fit beside one token of its prompt is left out. Both are counted.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flanbuild.errors import DeclarationError, require
from flanbuild.export.record import ExportedSplit
from flanbuild.keys import keyed_order, task_key
from flanbuild.model.codec import Codec, Ints, Truncation
from flanbuild.model.record import ModelRef
from flanbuild.model.settings import IGNORED
from flanbuild.progress import Progress
from flanbuild.read import Examples
from flanbuild.training.packing import pack
from flanbuild.training.tokens import TokenizedExamples, tokenize

LEAST_SEQ_LENGTH = 8
BLOCK = 8192
"""Examples or sequences that are written at once."""

Array = NDArray[Any]


@dataclass(frozen=True)
class Block:
    """Examples as one flat array of tokens."""

    tokens: Array
    target: NDArray[np.bool_]
    """whether the loss applies to a token"""
    lengths: Ints
    """tokens of each example"""

    @property
    def labels(self) -> Array:
        """The tokens that the loss applies to, and IGNORED for the others."""
        return np.where(self.target, self.tokens, np.int32(IGNORED))

    @property
    def positions(self) -> Array:
        """The position of each token in its example."""
        return _ragged(np.zeros_like(self.lengths), self.lengths).astype(np.int32)


@dataclass(frozen=True)
class TokenizedSplit:
    """The examples of a split that fit into a sequence, and the names of the split's files."""

    name: str
    examples: TokenizedExamples
    rows: Ints
    """indices of the examples that fit, in order"""
    shards: tuple[str, ...]
    """paths of the mixture's shards without suffix; an export has as many files"""
    seed: int

    def parts(self, items: Ints) -> Iterator[tuple[str, Ints]]:
        """The name of each file without suffix, and its share of `items`, which keep their order."""
        for number, name in enumerate(self.shards):
            start, end = (len(items) * n // len(self.shards) for n in (number, number + 1))
            yield name, items[start:end]

    def blocks(self, rows: Ints) -> Iterator[Block]:
        """These examples, BLOCK at once."""
        for start in range(0, len(rows), BLOCK):
            yield _gather(self.examples, rows[start : start + BLOCK])

    def packed(self, seq_length: int) -> "PackedSplit":
        """The examples as sequences of several, in keyed order; none is split."""
        index = pack(self.examples.lengths[self.rows], seq_length)
        order = keyed_order(task_key(self.seed, "sequences", self.name), np.arange(len(index)))
        return PackedSplit(self, self.rows[index.order], index.starts, order)

    def counts(self, sequences: int | None = None) -> ExportedSplit:
        """What an export has of the split, as its record says."""
        lost = (self.examples.prompts - self.examples.kept_prompt)[self.rows]
        completions = self.examples.kept_completion[self.rows]
        return ExportedSplit(
            rows=len(self.rows),
            left_out=len(self.examples) - len(self.rows),
            sequences=sequences,
            tokens=int((self.examples.kept_prompt[self.rows] + completions).sum()),
            completion_tokens=int(completions.sum()),
            truncated_prompts=int((lost > 0).sum()),
            truncated_prompt_tokens=int(lost.sum()),
        )


@dataclass(frozen=True)
class PackedSplit:
    """Sequences of several examples: `members[starts[i]:starts[i + 1]]` are those of sequence i."""

    split: TokenizedSplit
    members: Ints
    starts: Ints
    order: Ints
    """sequences in the order in which they are written"""

    def blocks(self, sequences: Ints) -> Iterator[tuple[Block, Ints, Ints]]:
        """BLOCK sequences at once: their tokens, their examples, and how many examples each sequence has."""
        for start in range(0, len(sequences), BLOCK):
            part = sequences[start : start + BLOCK]
            counts = self.starts[part + 1] - self.starts[part]
            members = self.members[_ragged(self.starts[part], counts)]
            yield _gather(self.split.examples, members), members, counts


def tokenized_split(
    rows: Examples, codec: Codec, seq_length: int, work: Path, progress: Progress
) -> TokenizedSplit:
    """Tokenizes a split into a file below `work`, which is mapped; 40 bytes for each example stay in memory."""
    truncation = Truncation(seq_length, prompt_length=seq_length)
    examples = tokenize(rows, codec, work, truncation, rows=len(rows), progress=progress)
    least = np.minimum(examples.prompts, examples.prefix + 1)
    return TokenizedSplit(
        name=rows.split,
        examples=examples,
        rows=np.flatnonzero(examples.kept_prompt >= least),
        shards=tuple(str(PurePosixPath(shard.path).with_suffix("")) for shard in rows.shards),
        seed=int(rows.manifest.mixture.get("seed", 0)),
    )


def open_codec(tokenizer: str | None, seq_length: int) -> Codec:
    """The codec of a tokenizer: a folder or a name on the hub. Raises DeclarationError if there is none."""
    if tokenizer is None:
        raise DeclarationError("export: this layout needs --tokenizer, a folder or a name on the hub.")
    if seq_length < LEAST_SEQ_LENGTH:
        raise DeclarationError(f"--seq-length: found {seq_length}, at least {LEAST_SEQ_LENGTH} is needed.")
    require("export of tokens", "train", ("torch", "transformers"))
    from flanbuild.model.loader import load_tokenizer

    ref = ModelRef(kind="hub", name="", tokenizer=tokenizer)  # a tokenizer needs no model beside it
    return Codec(load_tokenizer(ref, option="--tokenizer"), encoder_decoder=False)


def _gather(examples: TokenizedExamples, rows: Ints) -> Block:
    """The tokens of examples: of each prompt what `kept` says, and the completion. No Python runs per example."""
    prompts, limit, completions = (
        side[rows] for side in (examples.prompts, examples.kept_prompt, examples.kept_completion)
    )
    cut = prompts > limit
    head = np.where(cut, np.where(examples.prefix < limit, examples.prefix, 0), prompts)
    tail = np.where(cut, limit - head, 0)
    starts = examples.starts[rows]
    segment_starts = np.stack([starts, starts + prompts - tail, starts + prompts], axis=1).ravel()
    segments = np.stack([head, tail, completions], axis=1)
    return Block(
        tokens=examples.tokens[_ragged(segment_starts, segments.ravel())],
        target=np.repeat(np.tile([False, False, True], len(rows)), segments.ravel()),
        lengths=segments.sum(axis=1),
    )


def _ragged(starts: Ints, lengths: Ints) -> Ints:
    """The ranges start, start + 1, … of these lengths, one after another.

    >>> _ragged(np.array([5, 0]), np.array([2, 3])).tolist()
    [5, 6, 0, 1, 2]
    """
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts - before, lengths) + np.arange(int(lengths.sum()))
