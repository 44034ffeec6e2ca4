"""Generated answers: the likeliest token each time, until the end of the text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import LogitsProcessor, LogitsProcessorList

from flanbuild.evaluation.models import EvalModel, enough_memory
from flanbuild.evaluation.requests import Request, not_finite
from flanbuild.progress import Advance


@dataclass(frozen=True)
class Generated:
    """Answers in the order of their requests."""

    texts: list[str]
    cut: int
    """answers that reached `max_new_tokens` before their end"""


@torch.no_grad()
def generate(model: EvalModel, requests: Sequence[Request], advance: Advance, *, task: str) -> Generated:
    """The answer to each request, cut as the protocol says. It does not depend on the batch.

    A model that padding would disturb answers one request at a time. Raises ExecutionError, naming the task, if the model's scores are not finite.
    """
    order = sorted(range(len(requests)), key=lambda index: (-len(requests[index].prompt), index))
    answers, cut = [""] * len(requests), 0
    size = model.config.batch if model.takes_padding else 1
    for start in range(0, len(order), size):
        batch = order[start : start + size]
        with enough_memory(task, "evaluate.batch"):
            rows = _generate_batch(model, [requests[index].prompt for index in batch], task)
        for index, row in zip(batch, rows, strict=True):
            answers[index] = model.protocol.answer(model.codec.decode_text(row))
            cut += not model.ends.intersection(row)
        advance(len(batch))
    return Generated(answers, cut)


def _generate_batch(model: EvalModel, prompts: Sequence[Sequence[int]], task: str) -> list[list[int]]:
    """The new tokens of each prompt, up to its end or to the limit, with padding behind."""
    length = max(map(len, prompts))
    tokens = torch.full((len(prompts), length), model.codec.pad)
    mask = torch.zeros_like(tokens)
    for row, prompt in enumerate(prompts):
        # A decoder's answers all begin behind the last column; an encoder counts positions from the first.
        start = 0 if model.encoder_decoder else length - len(prompt)
        tokens[row, start : start + len(prompt)] = torch.tensor(prompt)
        mask[row, start : start + len(prompt)] = 1
    device = model.model.device
    generated: Any = model.model.generate(
        input_ids=tokens.to(device),
        attention_mask=mask.to(device),
        logits_processor=LogitsProcessorList([_FiniteCheck(task)]),
    )
    new = generated[:, 1:] if model.encoder_decoder else generated[:, length:]
    rows: list[list[int]] = new.tolist()
    return rows


class _FiniteCheck(LogitsProcessor):
    """Stops at scores that are no numbers. A score of minus infinity forbids a token, which is legitimate."""

    def __init__(self, task: str) -> None:
        self._task = task

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
        if not torch.isfinite(scores.max(dim=-1).values).all():
            raise not_finite(self._task)
        return scores
