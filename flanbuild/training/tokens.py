"""A split of a mixture as tokens: made once, kept on disk, memory-mapped, truncated by arithmetic.

The cache of a run may be shared: a file lock lets one process tokenize while the others wait and then read its result.
"""

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from flanbuild.artifacts.files import locked, read_json, staged, write_json
from flanbuild.model.codec import Codec, Ints, Tokens, Truncation, kept
from flanbuild.model.tokenizer import tokenizer_digest
from flanbuild.progress import Progress, silent
from flanbuild.read import Examples

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
        for old in cache.glob(f"{split}-*"):
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
    advance: Any,
) -> None:
    prompts, completions, merges, left = [], [], 0, tokens
    with (folder / "tokens.bin").open("wb") as file:
        for batch in examples.batches(rows):
            texts = batch["prompt"].to_pylist(), batch["completion"].to_pylist()
            left_side, right_side = codec.encode_prompts(texts[0]), codec.encode_completions(texts[1])
            count = len(left_side)
            if left is not None:
                count, left = _reached(_lengths(left_side), _lengths(right_side), truncation, left)
            _write_alternating(file, left_side[:count], right_side[:count])
            merges += codec.border_merges(texts[0][:count], texts[1][:count])
            prompts.append(_lengths(left_side[:count]))
            completions.append(_lengths(right_side[:count]))
            advance(len(left_side))
            if left is not None and left <= 0:
                break
    np.save(folder / "prompts.npy", np.concatenate(prompts))
    np.save(folder / "completions.npy", np.concatenate(completions))
    write_json(folder / "counts.json", {"border_merges": merges})


def _reached(prompts: Ints, completions: Ints, truncation: Truncation, left: int) -> tuple[int, int]:
    """How many rows it takes to reach `left` tokens, and how many tokens are left after all of them."""
    right = truncation.completions(completions)
    total = np.cumsum(truncation.prompts(prompts, right) + right)
    count = min(int(np.searchsorted(total, left)) + 1, len(total))
    return count, left - int(total[count - 1])


def _write_alternating(file: BinaryIO, left: Sequence[Tokens], right: Sequence[Tokens]) -> None:
    tokens = chain.from_iterable(chain(*pair) for pair in zip(left, right, strict=True))
    np.fromiter(tokens, dtype=np.int32).tofile(file)


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
