"""The mixture as tokens: made once, kept on disk, memory-mapped, and cut to length by counting.

Prompt and completion are tokenised apart, so that the border of the loss is exact and a completion has the
same tokens here, when options are ranked and when text is generated.
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

from flanbuild.artifacts.files import staged
from flanbuild.model.tokenizer import leading, tokenizer_digest
from flanbuild.progress import Progress, silent
from flanbuild.training.mixture import Mixture

_FORMAT = 1  # another number makes every cache stale
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Truncation:
    """How long prompt and completion may be: of one sequence that they share, where the prompt gives way.

    `apart` is for encoder-decoders, whose prompt and completion are two sequences.
    """

    seq_length: int
    prompt_length: int
    completion_length: int
    apart: bool = False

    def keep(self, prompts: Ints, completions: Ints) -> tuple[Ints, Ints]:
        """The tokens that are left of each prompt and of each completion."""
        right = np.minimum(completions, self.completion_length)
        room = self.seq_length - (0 if self.apart else right)
        return np.minimum(prompts, np.minimum(room, self.prompt_length)), right


@dataclass(frozen=True)
class TokenizedExamples:
    """Uncut tokens of all examples one after another, and where they are: prompt, completion, end token.

    `kept_prompt` and `kept_completion` say how many tokens of each side training uses.
    """

    tokens: NDArray[np.integer]
    starts: Ints
    prompts: Ints
    kept_prompt: Ints
    kept_completion: Ints
    leads: bool  # whether each prompt begins with a token that a cut must keep

    def __len__(self) -> int:
        return len(self.prompts)

    @property
    def lengths(self) -> Ints:
        """Tokens of each example after the cut."""
        return self.kept_prompt + self.kept_completion

    def prompt(self, index: int) -> NDArray[np.integer]:
        """The end of the prompt, where the question and its options stand, after the leading token if any."""
        start, full, kept = self.starts[index], self.prompts[index], self.kept_prompt[index]
        if self.leads and 1 < kept < full:
            return np.concatenate(
                [self.tokens[start : start + 1], self.tokens[start + full - kept + 1 : start + full]]
            )
        return self.tokens[start + full - kept : start + full]

    def completion(self, index: int) -> NDArray[np.integer]:
        """The beginning of the completion; a cut one has no end token, for its text does not end there."""
        start = self.starts[index] + self.prompts[index]
        return self.tokens[start : start + self.kept_completion[index]]

    def report(self) -> dict[str, int]:
        """What was cut, in examples and in tokens."""
        prompt_cut = self.prompts - self.kept_prompt
        completion_cut = np.diff(self.starts) - self.prompts - self.kept_completion
        return {
            "examples": len(self),
            "tokens": int(self.lengths.sum()),
            "completion_tokens": int(self.kept_completion.sum()),
            "prompts_cut": int((prompt_cut > 0).sum()),
            "prompt_tokens_cut": int(prompt_cut.sum()),
            "completions_cut": int((completion_cut > 0).sum()),
            "completion_tokens_cut": int(completion_cut.sum()),
        }


def tokenize(
    mixture: Mixture,
    split: str,
    tokenizer: Any,
    cache: Path,
    cut: Truncation,
    *,
    rows: int,
    tokens: int | None = None,
    progress: Progress = silent,
) -> Path:
    """The folder with a split's tokens, filled only where shards, tokenizer or settings are new.

    It takes the first `rows` of the split, and stops before that at `tokens` (after the cut): the rows of a
    mixture are in keyed order, so the first are a fair draw and the others would not be reached. Tokens of
    the split that the cache holds from before are taken away.
    """
    place = cache / _digest(
        split, mixture.shards(split), tokenizer_digest(tokenizer), astuple(cut), rows, tokens
    )
    if place.is_dir():
        return place
    prompts, completions = [], []
    left = tokens
    with staged(place) as folder, progress(rows, f"tokenize {split}") as advance:
        with (folder / "tokens.bin").open("wb") as file:
            for texts in mixture.texts(split, rows):
                pairs = _encode(tokenizer, *texts, apart=cut.apart)
                _write_alternating(file, *pairs)
                prompts.append(_lengths(pairs[0]))
                completions.append(_lengths(pairs[1]))
                advance(len(pairs[0]))
                if left is not None:
                    left -= sum(int(side.sum()) for side in cut.keep(prompts[-1], completions[-1]))
                    if left <= 0:
                        break
        np.save(folder / "prompts.npy", np.concatenate(prompts))
        np.save(folder / "completions.npy", np.concatenate(completions))
    for old in cache.glob(f"{split}-*"):
        if old != place:
            shutil.rmtree(old)
    return place


def read_examples(folder: Path, cut: Truncation, *, leads: bool) -> TokenizedExamples:
    """The tokens of a folder, memory-mapped. `leads`: whether prompts begin with a token of the tokenizer's."""
    prompts, completions = (np.load(folder / f"{side}.npy") for side in ("prompts", "completions"))
    kept_prompt, kept_completion = cut.keep(prompts, completions)
    return TokenizedExamples(
        tokens=np.memmap(folder / "tokens.bin", dtype=np.int32, mode="r"),
        starts=np.concatenate([[0], np.cumsum(prompts + completions)]),
        prompts=prompts,
        kept_prompt=kept_prompt,
        kept_completion=kept_completion,
        leads=leads,
    )


def _encode(
    tokenizer: Any, prompts: list[str], completions: list[str], *, apart: bool
) -> tuple[list[list[int]], list[list[int]]]:
    left = tokenizer(prompts, add_special_tokens=apart, verbose=False)["input_ids"]
    if not apart:  # some tokenizers would end the prompt, too
        first = leading(tokenizer)
        left = [first + tokens for tokens in left]
    right = tokenizer(completions, add_special_tokens=False, verbose=False)["input_ids"]
    end = tokenizer.eos_token_id
    return left, [[*tokens, end] for tokens in right]


def _write_alternating(file: BinaryIO, left: list[list[int]], right: list[list[int]]) -> None:
    tokens = chain.from_iterable(chain(*pair) for pair in zip(left, right, strict=True))
    np.fromiter(tokens, dtype=np.int32).tofile(file)


def _lengths(sides: Sequence[Sequence[int]]) -> Ints:
    return np.fromiter(map(len, sides), dtype=np.int64, count=len(sides))


def _digest(split: str, shards: Sequence[dict[str, Any]], *settings: Any) -> str:
    said = json.dumps([_FORMAT, [shard["sha256"] for shard in shards], *settings])
    return f"{split}-{hashlib.sha256(said.encode()).hexdigest()[:16]}"
