"""The mixture as tokens: made once, kept on disk, memory-mapped, and cut to length by counting.

Prompt and completion are tokenised apart, so that the border of the loss is exact and a completion has the
same tokens here, when options are ranked and when text is generated.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from flanbuild.console import progress
from flanbuild.shards import sha256, staged
from flanbuild.training.config import TrainConfig
from flanbuild.training.mixture import Mixture

_PAD, _END = "<pad>", "<end>"
_FORMAT = 1  # another number makes every cache stale
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Examples:
    """Uncut tokens of all examples one after another: prompt, completion, end of sequence; and where they
    are.

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


def tokenise(mixture: Mixture, split: str, tokenizer: Any, cache: Path, limit: int | None = None) -> Path:
    """The folder with a split's tokens; filled only where shards or tokenizer are new. `limit` in rows."""
    rows = min(mixture.rows(split), limit or mixture.rows(split))
    place = cache / _digest(mixture, split, rows, tokenizer)
    if place.is_dir():
        return place
    with staged(place) as folder, progress(rows, f"tokenise {split}") as advance:
        prompts, completions = [], []
        with (folder / "tokens.bin").open("wb") as file:
            for prompt_texts, completion_texts in mixture.texts(split, rows):
                left, right = _encode(tokenizer, prompt_texts, completion_texts)
                _write_alternating(file, left, right)
                prompts.append(_lengths(left))
                completions.append(_lengths(right))
                advance(len(left))
        np.save(folder / "prompts.npy", np.concatenate(prompts))
        np.save(folder / "completions.npy", np.concatenate(completions))
    return place


def read_examples(folder: Path, config: TrainConfig, *, leads: bool, apart: bool) -> Examples:
    """The tokens of a folder, cut to the lengths of the config.

    `apart` is for encoder-decoders, whose prompt and completion are two sequences; elsewhere the two share
    `seq_length`, and the prompt gives way to the completion.
    """
    prompts, completions = (np.load(folder / f"{side}.npy") for side in ("prompts", "completions"))
    kept_completion = np.minimum(completions, config.completion_length)
    room = config.seq_length - (0 if apart else kept_completion)
    return Examples(
        tokens=np.memmap(folder / "tokens.bin", dtype=np.int32, mode="r"),
        starts=np.concatenate([[0], np.cumsum(prompts + completions)]),
        prompts=prompts,
        kept_prompt=np.minimum(prompts, np.minimum(room, config.prompt_length)),
        kept_completion=kept_completion,
        leads=leads,
    )


def leads(tokenizer: Any) -> bool:
    """Whether the tokenizer begins a text with a token of its own, which a cut must not take."""
    first = getattr(tokenizer, "bos_token_id", None)
    return first is not None and tokenizer("a")["input_ids"][0] == first


def train_tokenizer(mixture: Mixture, vocab_size: int, rows: int = 10_000) -> Any:
    """A byte-level BPE of the mixture's own text: its first rows, which are a fair draw of all tasks.

    The same rows give the same tokenizer, whatever the number of threads.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[_PAD, _END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    texts = chain.from_iterable(
        chain(*sides) for sides in mixture.texts("train", min(rows, mixture.rows("train")))
    )
    inner.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=inner, pad_token=_PAD, eos_token=_END
    )


def _encode(
    tokenizer: Any, prompts: list[str], completions: list[str]
) -> tuple[list[list[int]], list[list[int]]]:
    left = tokenizer(prompts, verbose=False)["input_ids"]
    right = tokenizer(completions, add_special_tokens=False, verbose=False)["input_ids"]
    end = tokenizer.eos_token_id
    return left, [[*tokens, end] for tokens in right]


def _write_alternating(file: BinaryIO, left: list[list[int]], right: list[list[int]]) -> None:
    tokens = chain.from_iterable(chain(*pair) for pair in zip(left, right, strict=True))
    np.fromiter(tokens, dtype=np.int32).tofile(file)


def _lengths(sides: Sequence[Sequence[int]]) -> Ints:
    return np.fromiter(map(len, sides), dtype=np.int64, count=len(sides))


def _digest(mixture: Mixture, split: str, rows: int, tokenizer: Any) -> str:
    shards = [shard["sha256"] for shard in mixture.shards(split)]
    said = json.dumps([_FORMAT, split, rows, shards, tokenizer_digest(tokenizer)])
    return f"{split}-{hashlib.sha256(said.encode()).hexdigest()[:16]}"


def tokenizer_digest(tokenizer: Any) -> str:
    """Of the files that the tokenizer saves."""
    with TemporaryDirectory() as name:
        tokenizer.save_pretrained(name)
        files = sorted(path for path in Path(name).rglob("*") if path.is_file())
        return hashlib.sha256("".join(path.name + sha256(path) for path in files).encode()).hexdigest()
