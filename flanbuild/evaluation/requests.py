"""Requests to a model: prompts, truncated, with the completions to be ranked or room for generated tokens."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from flanbuild.errors import DeclarationError, ExecutionError
from flanbuild.model.codec import Ints, Tokens

if TYPE_CHECKING:
    from flanbuild.evaluation.models import EvalModel


@dataclass(frozen=True)
class Request:
    """Tokens of a prompt and of its options. No options: the answer is generated."""

    prompt: list[int]
    options: list[list[int]]

    @property
    def size(self) -> int:
        """Tokens of the prompt and all options."""
        return len(self.prompt) + sum(map(len, self.options))


@dataclass(frozen=True, kw_only=True)
class Requests:
    """The requests of a task in the order of its rows, and what tokenization did to its texts."""

    requests: Sequence[Request]
    rows: Sequence[int]
    """the row of each request: a row may have several, each with some of its options"""
    truncated_prompts: int
    border_merges: int = 0
    """pairs of prompt and option that the tokenizer would tokenize in another way as one text"""
    unknown_tokens: int = 0
    """tokens that stand for text that the tokenizer cannot spell"""
    equal_options: int = 0
    """rows in which two options have the same tokens, so that the first of them always wins"""

    def by_row(self, logliks: Sequence[Sequence[float]]) -> list[list[float]]:
        """The scores of requests as those of rows."""
        scores: list[list[float]] = [[] for _ in range(max(self.rows, default=-1) + 1)]
        for row, own in zip(self.rows, logliks, strict=True):
            scores[row] += own
        return scores


def ranking_requests(
    model: "EvalModel", prompts: Sequence[str], options: Sequence[Sequence[str]], *, task: str
) -> Requests:
    """Requests for the log-likelihood of each option. Each prompt gets the room that its own options leave.

    Raises DeclarationError, naming the task, if an option does not fit the model or has no token.
    """
    encoded = model.protocol.encode(model.codec, prompts, options)
    _check_options(model, options, encoded.options, task)
    pairs = list(zip(encoded.prompts, encoded.options, strict=True))
    truncated = _truncated(model, pairs)
    apart = truncated if model.protocol.each_option_truncates else ()
    parts = [
        (index, Request(prompt, part))
        for index, (prompt, own) in enumerate(pairs)
        for part in ([[option] for option in own] if index in apart else [own])
    ]
    limits = _room(model, _longest(request.options for _, request in parts), task)
    return Requests(
        requests=[
            replace(request, prompt=_cut(model, request.prompt, limit))
            for (_, request), limit in zip(parts, limits, strict=True)
        ],
        rows=[index for index, _ in parts],
        truncated_prompts=len(truncated),
        border_merges=encoded.border_merges,
        unknown_tokens=_unknown(model, (tokens for prompt, own in pairs for tokens in (prompt, *own))),
        equal_options=sum(len(set(map(tuple, own))) < len(own) for _, own in pairs),
    )


def generation_requests(model: "EvalModel", prompts: Sequence[str], *, task: str) -> Requests:
    """Requests for generated text. Each prompt leaves room for `max_new_tokens`.

    Raises DeclarationError, naming the task, if these alone do not fit the model.
    """
    whole = model.protocol.encode_prompts(model.codec, prompts)
    limits = _room(model, np.full(len(prompts), model.config.max_new_tokens, dtype=np.int64), task)
    return Requests(
        requests=[
            Request(_cut(model, prompt, limit), []) for prompt, limit in zip(whole, limits, strict=True)
        ],
        rows=range(len(whole)),
        truncated_prompts=sum(len(prompt) > limit for prompt, limit in zip(whole, limits, strict=True)),
        unknown_tokens=_unknown(model, whole),
    )


def not_finite(task: str) -> ExecutionError:
    """The error for scores of a model that are no finite numbers."""
    return ExecutionError(
        f"evaluate: {task}: the model's scores are not finite numbers; if it runs in bfloat16, try --dtype float32."
    )


def _check_options(
    model: "EvalModel", options: Sequence[Sequence[str]], tokens: Sequence[Sequence[Tokens]], task: str
) -> None:
    for texts, row in zip(options, tokens, strict=True):
        for text, own in zip(texts, row, strict=True):
            if not own:
                raise DeclarationError(
                    f"evaluate: {task}: the option {text!r} has no token of its own, which protocol"
                    f" {model.protocol.name} needs to score it."
                )


def _truncated(model: "EvalModel", pairs: Sequence[tuple[Tokens, Sequence[Tokens]]]) -> set[int]:
    """Rows whose prompt is cut beside their longest option."""
    limits = model.protocol.limits(model).room(_longest(own for _, own in pairs)).tolist()
    prompts = [prompt for prompt, _ in pairs]
    return {
        index
        for index, (prompt, limit) in enumerate(zip(prompts, limits, strict=True))
        if len(prompt) > limit
    }


def _room(model: "EvalModel", reserved: Ints, task: str) -> list[int]:
    """Maximum tokens of each prompt beside `reserved` tokens of its answer."""
    truncation = model.protocol.limits(model)
    positions, longest = truncation.seq_length, int(reserved.max(initial=0))
    limits = truncation.room(reserved)
    if positions is not None and (longest > positions or limits.min(initial=1) < 1):
        raise DeclarationError(
            f"evaluate: {task}: an answer of {longest} tokens leaves no room for a prompt, since the model reads at most"
            f" {positions} tokens."
        )
    return [int(limit) for limit in limits]


def _cut(model: "EvalModel", prompt: Tokens, limit: int) -> Tokens:
    return prompt if len(prompt) <= limit else model.protocol.truncate(model.codec, prompt, limit)


def _unknown(model: "EvalModel", texts: Iterable[Tokens]) -> int:
    unknown = model.codec.tokenizer.unk_token_id
    return 0 if unknown is None else sum(tokens.count(unknown) for tokens in texts)


def _longest(rows: Iterable[Sequence[Tokens]]) -> Ints:
    """Tokens of the longest option of each row."""
    return np.fromiter((max(map(len, row)) for row in rows), dtype=np.int64)
