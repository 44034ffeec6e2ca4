"""Requests to a model: prompts, truncated, with the completions to be ranked or room for generated tokens."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flanbuild.errors import DeclarationError, ExecutionError
from flanbuild.evaluation.models import EvalModel
from flanbuild.model.codec import Ints


@dataclass(frozen=True)
class Request:
    """Tokens of a prompt and of its options, each with the end token. No options: the answer is generated."""

    prompt: list[int]
    options: list[list[int]]

    @property
    def size(self) -> int:
        """Tokens of the prompt and all options."""
        return len(self.prompt) + sum(map(len, self.options))


@dataclass(frozen=True)
class Requests:
    """The requests of a task, in the order of its rows, and what tokenization did to them."""

    requests: Sequence[Request]
    truncated_prompts: int
    border_merges: int
    """pairs of prompt and option that the tokenizer would tokenize in another way as one text"""


def ranking_requests(
    model: EvalModel, prompts: Sequence[str], options: Sequence[Sequence[str]], *, task: str
) -> Requests:
    """Requests for the log-likelihood of each option. Each prompt gets the room that its own options leave.

    Raises DeclarationError, naming the task, if an option does not fit the model.
    """
    texts = sorted({option for row in options for option in row})
    tokens = dict(zip(texts, model.codec.encode_completions(texts), strict=True))
    rows = [[tokens[option] for option in row] for row in options]
    kept_prompts, truncated = _prompts(model, prompts, _lengths([max(row, key=len) for row in rows]), task)
    pairs = [(prompt, option) for prompt, row in zip(prompts, options, strict=True) for option in row]
    merges = model.codec.border_merges([prompt for prompt, _ in pairs], [option for _, option in pairs])
    return Requests(
        [Request(prompt, row) for prompt, row in zip(kept_prompts, rows, strict=True)], truncated, merges
    )


def generation_requests(model: EvalModel, prompts: Sequence[str], *, task: str) -> Requests:
    """Requests for generated text. Each prompt leaves room for `max_new_tokens`.

    Raises DeclarationError, naming the task, if these alone do not fit the model.
    """
    reserved = np.full(len(prompts), model.config.max_new_tokens, dtype=np.int64)
    kept_prompts, truncated = _prompts(model, prompts, reserved, task)
    return Requests([Request(prompt, []) for prompt in kept_prompts], truncated, 0)


def not_finite(task: str) -> ExecutionError:
    """The error for scores of a model that are no finite numbers."""
    return ExecutionError(
        f"evaluate: {task}: the model's scores are not finite numbers; if it runs in bfloat16, try --dtype float32."
    )


def _prompts(
    model: EvalModel, texts: Sequence[str], reserved: Ints, task: str
) -> tuple[list[list[int]], int]:
    """Tokens of prompts beside `reserved` tokens each, and how many prompts were truncated."""
    positions, longest = model.truncation.seq_length, int(reserved.max(initial=0))
    limits = model.truncation.room(reserved)
    if positions is not None and (longest > positions or limits.min(initial=1) < 1):
        raise DeclarationError(
            f"evaluate: {task}: an answer of {longest} tokens leaves no room for a prompt, since the model reads at most"
            f" {positions} tokens."
        )
    whole = model.codec.encode_prompts(texts)
    prompts = [model.codec.truncate(prompt, int(limit)) for prompt, limit in zip(whole, limits, strict=True)]
    return prompts, sum(len(prompt) > limit for prompt, limit in zip(whole, limits.tolist(), strict=True))


def _lengths(rows: Sequence[Sequence[int]]) -> Ints:
    return np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
