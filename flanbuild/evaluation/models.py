"""A model that answers: read from a folder or by name, with its way from text to tokens and back."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    GenerationConfig,
)
from transformers.utils.logging import disable_progress_bar

from flanbuild.errors import DeclarationError
from flanbuild.evaluation.config import EvaluateConfig

disable_progress_bar()  # type: ignore[no-untyped-call]  # ours is enough


@dataclass(frozen=True)
class EvalModel:
    """A model in eval mode, its tokenizer, and how long a prompt may be."""

    model: Any
    tokenizer: Any
    config: EvaluateConfig

    @property
    def encoder_decoder(self) -> bool:
        """Whether prompt and answer are two sequences."""
        return bool(self.model.config.is_encoder_decoder)

    @property
    def end(self) -> int:
        """The token that ends a text."""
        return int(self.tokenizer.eos_token_id)

    @property
    def pad(self) -> int:
        """What fills up a batch; it is never attended to."""
        return int(self.end if self.tokenizer.pad_token_id is None else self.tokenizer.pad_token_id)

    def prompts(self, texts: Sequence[str], answer_tokens: int) -> tuple[list[list[int]], int]:
        """Tokens of prompts, and how many were cut to leave room for `answer_tokens`.

        As in training, the beginning goes and the end, with question and options, stays.
        """
        limit = max(self._room(answer_tokens), 1)
        whole = self.encoder_decoder  # a decoder goes on from the prompt, so nothing may end it
        tokens = self.tokenizer(list(texts), add_special_tokens=whole, verbose=False)["input_ids"]
        first = self._first()
        if first is not None and not whole:
            tokens = [[first, *prompt] for prompt in tokens]
        return [_cut(prompt, limit, first) for prompt in tokens], sum(
            len(prompt) > limit for prompt in tokens
        )

    def completions(self, texts: Sequence[str]) -> list[list[int]]:
        """Tokens of completions with their end, as in training."""
        tokens = self.tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
        return [[*completion, self.end] for completion in tokens]

    def _first(self) -> int | None:
        """The token that the tokenizer begins a text with, if it does."""
        first = self.tokenizer.bos_token_id
        begins = first is not None and self.tokenizer("a")["input_ids"][0] == first
        return int(first) if begins else None

    def _room(self, answer_tokens: int) -> int:
        limit, positions = (
            self.config.prompt_length,
            getattr(self.model.config, "max_position_embeddings", None),
        )
        if positions is None or self.encoder_decoder:
            return limit
        return min(limit, int(positions) - answer_tokens)


def load(name: str, config: EvaluateConfig, revision: str | None = None) -> EvalModel:
    """A folder that `train` wrote, another model folder, or a name on the hub."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    bf16 = config.dtype == "bfloat16" or (config.dtype == "auto" and device.type == "cuda")
    try:
        shape = AutoConfig.from_pretrained(name, revision=revision)
        kind = AutoModelForSeq2SeqLM if shape.is_encoder_decoder else AutoModelForCausalLM
        dtype = torch.bfloat16 if bf16 else torch.float32
        model: Any = kind.from_pretrained(name, revision=revision, dtype=dtype)
        tokenizer = AutoTokenizer.from_pretrained(name, revision=revision)
    except (OSError, ValueError) as error:
        where = "no such folder, and no model" if not Path(name).is_dir() else "no model"
        raise DeclarationError(
            f"evaluate.model: {name}: {where} can be read: {str(error).splitlines()[0]}"
        ) from error
    answerer = EvalModel(model.to(device).eval(), tokenizer, config)
    model.generation_config = _greedy(answerer)
    return answerer


def _greedy(answerer: EvalModel) -> GenerationConfig:
    """Instead of the model's own: some bring sampling or penalties."""
    return GenerationConfig(  # type: ignore[no-untyped-call]
        do_sample=False,
        num_beams=1,
        max_new_tokens=answerer.config.max_new_tokens,
        eos_token_id=answerer.end,
        pad_token_id=answerer.pad,
        decoder_start_token_id=getattr(answerer.model.config, "decoder_start_token_id", None),
    )


def _cut(tokens: list[int], limit: int, first: int | None) -> list[int]:
    if len(tokens) <= limit:
        return tokens
    if first is not None and tokens[0] == first and limit > 1:
        return [first, *tokens[len(tokens) - limit + 1 :]]
    return tokens[len(tokens) - limit :]
