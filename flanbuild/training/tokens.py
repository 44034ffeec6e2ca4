"""A split of a mixture as tokens: made once, kept on disk, memory-mapped, truncated by arithmetic.

The cache of a run may be shared: a file lock lets one process tokenize while the others wait and then read its result.
"""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from itertools import chain, pairwise
from pathlib import Path
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from flanbuild.artifacts.executor import JOBS, Workers, run
from flanbuild.artifacts.files import locked, read_json, staged, write_json
from flanbuild.model.codec import Codec, Ints, Tokens, Truncation, kept
from flanbuild.model.tokenizer import tokenizer_digest
from flanbuild.progress import Advance, Progress, silent
from flanbuild.read import Examples

_PART_ROWS = 4096
_LEAST_PARTS = 6
"""Fewer parts than these are not worth the start of other processes, each of which imports the tokenizer."""
_FORMAT = 3  # raise it when equal inputs give other tokens


@dataclass(frozen=True)
class TokenizedExamples:
    """Whole tokens of all examples one after another, and where they are: prompt, completion, end token.

    `kept_prompt` and `kept_completion` are the numbers of tokens that training uses of each side.
    """

    tokens: NDArray[np.integer]
    starts: Ints
    prompts: Ints
    kept_prompt: Ints
    kept_completion: Ints
    prefix: int = 0
    """special tokens at the start of each prompt, which truncation keeps"""
    border_merges: int = 0
    """examples that the tokenizer would tokenize in another way as one text"""

    def __len__(self) -> int:
        return len(self.prompts)

    @property
    def lengths(self) -> Ints:
        """Tokens of each example after truncation."""
        return self.kept_prompt + self.kept_completion

    def prompt(self, index: int) -> NDArray[np.integer]:
        """The prompt's special tokens and its end, where the question and its options stand."""
        start, length = self.starts[index], self.prompts[index]
        whole = self.tokens[start : start + length]
        head, tail = kept(int(length), int(self.kept_prompt[index]), self.prefix)
        return whole if head == length else np.concatenate([whole[:head], whole[tail:]])

    def completion(self, index: int) -> NDArray[np.integer]:
        """The beginning of the completion. A truncated one has no end token, since its text does not end there."""
        start = self.starts[index] + self.prompts[index]
        return self.tokens[start : start + self.kept_completion[index]]

    def report(self) -> dict[str, int]:
        """Examples and tokens, and how many of them truncation took."""
        prompt_lost = self.prompts - self.kept_prompt
        completion_lost = np.diff(self.starts) - self.prompts - self.kept_completion
        return {
            "examples": len(self),
            "tokens": int(self.lengths.sum()),
            "completion_tokens": int(self.kept_completion.sum()),
            "truncated_prompts": int((prompt_lost > 0).sum()),
            "truncated_prompt_tokens": int(prompt_lost.sum()),
            "truncated_completions": int((completion_lost > 0).sum()),
            "truncated_completion_tokens": int(completion_lost.sum()),
            "border_merges": self.border_merges,
        }


def tokenize(
    examples: Examples,
    codec: Codec,
    cache: Path,
    truncation: Truncation,
    *,
    rows: int,
    tokens: int | None = None,
    progress: Progress = silent,
) -> TokenizedExamples:
    """The tokens of a split, made only if the folder `cache` lacks them for these shards, tokenizer and settings.

    It takes the first `rows` rows, and stops earlier at the row that reaches `tokens` tokens after truncation: the
    rows of a mixture are in keyed order, so the first ones are a fair draw and the others would not be reached.
    Tokens of the split for other settings are deleted from the cache. Other processes wait for this one.
    """
    split = examples.split
    folder = cache / _name(examples, codec, truncation, rows, tokens)
    with locked(cache):
        if not folder.is_dir():
            with staged(folder) as part, progress(rows, f"tokenize {split}") as advance:
                _write(part, examples, codec, truncation, rows, tokens, advance)
        for old in cache.glob(f"{split}-{'[0-9a-f]' * 16}"):
            if old != folder:
                shutil.rmtree(old)
        return read_tokens(folder, truncation, prefix=len(codec.prefix))


def read_tokens(folder: Path, truncation: Truncation, *, prefix: int) -> TokenizedExamples:
    """The tokens in a folder of the cache, memory-mapped. `prefix`: special tokens at the start of each prompt."""
    prompts, completions = (np.load(folder / f"{side}.npy") for side in ("prompts", "completions"))
    kept_completion = truncation.completions(completions)
    return TokenizedExamples(
        tokens=np.memmap(folder / "tokens.bin", dtype=np.int32, mode="r"),
        starts=np.concatenate([[0], np.cumsum(prompts + completions)]),
        prompts=prompts,
        kept_prompt=truncation.prompts(prompts, kept_completion),
        kept_completion=kept_completion,
        prefix=prefix,
        border_merges=read_json(folder / "counts.json")["border_merges"],
    )


def _write(
    folder: Path,
    examples: Examples,
    codec: Codec,
    truncation: Truncation,
    rows: int,
    tokens: int | None,
    advance: Advance,
) -> None:
    began, done, left = monotonic(), 0, tokens
    parts: list[_Part] = []
    with (folder / "tokens.bin").open("wb") as file:
        while done < rows and (left is None or left > 0):
            stop = min(rows, done + _next_rows(parts, left))
            for part in _encode(examples, done, stop, codec, folder):
                done += len(part.prompts)
                advance(len(part.prompts), f"{_rate([*parts, part], began):,.0f} tokens/s")
                if left is not None:
                    count, left = _reached(part.prompts, part.completions, truncation, left)
                    part = part.first(count)
                part.tokens.tofile(file)
                parts.append(replace(part, tokens=part.tokens[:0]))
    np.save(folder / "prompts.npy", np.concatenate([part.prompts for part in parts]))
    np.save(folder / "completions.npy", np.concatenate([part.completions for part in parts]))
    write_json(folder / "counts.json", {"border_merges": sum(int(part.merges.sum()) for part in parts)})


@dataclass(frozen=True)
class _Part:
    """A range of rows: their tokens one after another, the lengths of their sides, and which ones merge."""

    tokens: NDArray[np.int32]
    prompts: Ints
    completions: Ints
    merges: NDArray[np.bool_]

    def first(self, rows: int) -> "_Part":
        """The first rows of the range."""
        end = int((self.prompts[:rows] + self.completions[:rows]).sum())
        return _Part(self.tokens[:end], self.prompts[:rows], self.completions[:rows], self.merges[:rows])


def _next_rows(parts: Sequence[_Part], left: int | None) -> int:
    """How many rows to encode next: a first part shows how many tokens a row has."""
    if not parts:
        return _PART_ROWS
    if left is None:
        return sys.maxsize
    rows = sum(len(part.prompts) for part in parts)
    tokens = sum(int(part.prompts.sum() + part.completions.sum()) for part in parts)
    return int(left * rows / tokens * 1.02) + 100


def _encode(examples: Examples, start: int, stop: int, codec: Codec, folder: Path) -> Iterator[_Part]:
    """The rows from `start` to `stop` in order, in parts: on all cores where they are many."""
    cuts = [*range(start, stop, _PART_ROWS), stop]
    ranges = list(pairwise(cuts))
    if len(ranges) < _LEAST_PARTS or JOBS == 1:
        for first, last in ranges:
            yield _encoded(examples, first, last, codec)
        return
    for wave in (ranges[at : at + 4 * JOBS] for at in range(0, len(ranges), 4 * JOBS)):
        paths = [folder / f"{first}.part.npz" for first, _ in wave]
        items = [(_encode_to, (examples, *part, codec, path)) for part, path in zip(wave, paths, strict=True)]
        run(items, Workers(JOBS))
        for path in paths:
            with np.load(path) as arrays:
                yield _Part(**arrays)
            path.unlink()


def _encode_to(examples: Examples, start: int, stop: int, codec: Codec, path: Path) -> None:
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # the other cores have parts of their own
    part = _encoded(examples, start, stop, codec)
    np.savez(path, **vars(part))


def _encoded(examples: Examples, start: int, stop: int, codec: Codec) -> _Part:
    rows = examples.table_of(start, stop)
    prompts, completions = rows["prompt"].to_pylist(), rows["completion"].to_pylist()
    left, right = codec.encode_prompts(prompts), codec.encode_completions(completions)
    tokens = chain.from_iterable(chain(*pair) for pair in zip(left, right, strict=True))
    return _Part(
        tokens=np.fromiter(tokens, dtype=np.int32),
        prompts=_lengths(left),
        completions=_lengths(right),
        merges=codec.merges_border(prompts, completions),
    )


def _rate(parts: Sequence[_Part], began: float) -> float:
    tokens = sum(int(part.prompts.sum() + part.completions.sum()) for part in parts)
    return tokens / max(monotonic() - began, 1e-6)


def _reached(prompts: Ints, completions: Ints, truncation: Truncation, left: int) -> tuple[int, int]:
    """How many rows it takes to reach `left` tokens, and how many tokens are left after all of them."""
    right = truncation.completions(completions)
    total = np.cumsum(truncation.prompts(prompts, right) + right)
    count = min(int(np.searchsorted(total, left)) + 1, len(total))
    return count, left - int(total[count - 1])


def _lengths(sides: Sequence[Tokens]) -> Ints:
    return np.fromiter(map(len, sides), dtype=np.int64, count=len(sides))


def _name(examples: Examples, codec: Codec, truncation: Truncation, rows: int, tokens: int | None) -> str:
    """The folder's name: the split, and a digest of all that decides its tokens."""
    shards = [shard.sha256 for shard in examples.shards]
    value = [
        _FORMAT,
        shards,
        tokenizer_digest(codec.tokenizer),
        astuple(truncation),
        rows,
        tokens,
        codec.template,
    ]
    return f"{examples.split}-{hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]}"
