"""The log-likelihood of each option as the completion of its prompt; the prompt is computed once for all of them.

The options of a prompt stand behind it in one row, as branches of a tree: a token sees the prompt and the tokens before
it in its own option, and its position is the one it would have alone. The scores equal those of `loglikelihood_pairs`,
which computes each (prompt, option) apart, at a fraction of the work:

    prompt prompt prompt | yes end | no end
    0      1      2        3   4     3  4      positions
"""

from collections.abc import Callable, Iterator, Sequence
from inspect import signature
from itertools import chain
from math import isfinite
from typing import Any

import torch

from flanbuild.evaluation.models import EvalModel
from flanbuild.evaluation.record import Ranking
from flanbuild.evaluation.requests import Request, not_finite
from flanbuild.progress import Advance

_SAME = 1e-2
"""Nats that the scores of a probe may differ by; a token that sees what it should not changes them more."""
_UNABLE = (RuntimeError, ValueError, TypeError, IndexError)
"""What models raise when they cannot take a mask of four dimensions."""

Method = Callable[[EvalModel, Sequence[Request]], list[list[float]]]


def loglikelihoods(
    model: EvalModel, requests: Sequence[Request], method: Method, advance: Advance, *, task: str
) -> list[list[float]]:
    """The log-likelihood in nats of each option of each request, computed in batches of like size.

    Raises ExecutionError, naming the task, at the first one that is not finite.
    """
    scores: list[list[float]] = [[] for _ in requests]
    for batch in _batches(requests, model.config.batch_tokens):
        for index, logliks in zip(batch, method(model, [requests[i] for i in batch]), strict=True):
            if not all(map(isfinite, logliks)):
                raise not_finite(task)
            scores[index] = logliks
        advance(len(batch))
    return scores


def method_for(model: EvalModel) -> Method:
    """The cheapest method that is right for this model: some ignore masks, and some see only a window of tokens."""
    if model.encoder_decoder:
        return loglikelihood_encoder_decoder
    if _sees_a_window(model.model.config.get_text_config()):
        return loglikelihood_pairs
    probe = [Request([model.codec.end, 1, 2, 3], [[4, 5, 6], [5, 4], [6]])]
    try:
        trees = loglikelihood_trees(model, probe)[0]
    except _UNABLE:
        return loglikelihood_pairs
    pairs = loglikelihood_pairs(model, probe)[0]
    same = all(abs(a - b) < _SAME * (1 + abs(b)) for a, b in zip(trees, pairs, strict=True))
    return loglikelihood_trees if same else loglikelihood_pairs


def method_name(method: Method) -> Ranking:
    """The name of a method in `scores.json`."""
    names: dict[Method, Ranking] = {
        loglikelihood_trees: "trees",
        loglikelihood_pairs: "pairs",
        loglikelihood_encoder_decoder: "encoder_decoder",
    }
    return names[method]


def _sees_a_window(config: Any) -> bool:
    """Whether some layer does not attend to all tokens before, so that its distance in the row counts."""
    layers = getattr(config, "layer_types", None) or ()
    windows = [getattr(config, name, None) for name in ("sliding_window", "window_size")]
    return any(windows) or any(layer != "full_attention" for layer in layers)


@torch.no_grad()
def loglikelihood_trees(model: EvalModel, requests: Sequence[Request]) -> list[list[float]]:
    """Log-likelihoods with each prompt computed once and a mask that keeps its options apart."""
    length = max(request.size for request in requests)
    tokens = torch.full((len(requests), length), model.codec.pad)
    positions = torch.zeros((len(requests), length), dtype=torch.long)
    branch = torch.full((len(requests), length), -1)  # 0: the prompt, 1…: options, -1: padding, on the left
    for row, request in enumerate(requests):
        parts = [request.prompt, *request.options]
        start = length - request.size
        for number, part in enumerate(parts):
            offset = len(request.prompt) if number else 0
            tokens[row, start : start + len(part)] = torch.tensor(part)
            positions[row, start : start + len(part)] = torch.arange(offset, offset + len(part))
            branch[row, start : start + len(part)] = number
            start += len(part)
    keep = 1 + max(request.size - len(request.prompt) for request in requests)
    device = model.model.device
    logits = _logits(
        model.model,
        keep,
        input_ids=tokens.to(device),
        position_ids=positions.to(device),
        attention_mask=_tree_mask(branch.to(device), model.model.dtype),
    )
    return _logliks(
        logits,
        [_tree_places(request, keep) for request in requests],
        [request.options for request in requests],
    )


@torch.no_grad()
def loglikelihood_pairs(model: EvalModel, requests: Sequence[Request]) -> list[list[float]]:
    """Log-likelihoods with each (prompt, option) as a row of its own."""
    pairs = [(request.prompt, option) for request in requests for option in request.options]
    length = max(len(prompt) + len(option) for prompt, option in pairs)
    tokens = torch.full((len(pairs), length), model.codec.pad)
    mask = torch.zeros((len(pairs), length), dtype=torch.long)
    for row, (prompt, option) in enumerate(pairs):
        start = length - len(prompt) - len(option)
        tokens[row, start:], mask[row, start:] = torch.tensor(prompt + option), 1
    keep = 1 + max(len(option) for _, option in pairs)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    device = model.model.device
    inputs = {"input_ids": tokens, "attention_mask": mask, "position_ids": positions}
    logits = _logits(model.model, keep, **{name: value.to(device) for name, value in inputs.items()})
    places = [[list(range(keep - 1 - len(option), keep - 1))] for _, option in pairs]
    scores = iter(_logliks(logits, places, [[option] for _, option in pairs]))
    return [[next(scores)[0] for _ in request.options] for request in requests]


@torch.no_grad()
def loglikelihood_encoder_decoder(model: EvalModel, requests: Sequence[Request]) -> list[list[float]]:
    """Log-likelihoods of an encoder-decoder: prompts go through the encoder once, options through the decoder."""
    network, device = model.model, model.model.device
    tokens, mask = _right_padded([request.prompt for request in requests], model.codec.pad)
    encoded = network.get_encoder()(
        input_ids=tokens.to(device), attention_mask=mask.to(device)
    ).last_hidden_state
    options = [option for request in requests for option in request.options]
    counts = torch.tensor([len(request.options) for request in requests])
    labels, kept = _right_padded(options, model.codec.pad)
    logits = network(
        encoder_outputs=(encoded.repeat_interleave(counts.to(device), dim=0),),
        attention_mask=mask.repeat_interleave(counts, dim=0).to(device),
        labels=labels.masked_fill(kept == 0, -100).to(device),
        use_cache=False,
    ).logits
    scores = iter(
        _logliks(logits.float(), [[list(range(len(option)))] for option in options], [[o] for o in options])
    )
    return [[next(scores)[0] for _ in request.options] for request in requests]


def _tree_mask(branch: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """What is added to attention scores: 0 where a token may attend, the lowest number elsewhere. Padding attends to itself."""
    length = branch.shape[1]
    before = torch.ones(length, length, dtype=torch.bool, device=branch.device).tril()
    query, key = branch[:, :, None], branch[:, None, :]
    allowed = before & (key >= 0) & ((key == 0) | (key == query)) & (query >= 0)
    allowed |= torch.eye(length, dtype=torch.bool, device=branch.device)
    mask = torch.zeros(allowed.shape, dtype=dtype, device=branch.device)
    return mask.masked_fill(~allowed, torch.finfo(dtype).min)[:, None]


def _tree_places(request: Request, keep: int) -> list[list[int]]:
    """Which of the last `keep` positions of a row predict each token of each option."""
    start = keep - sum(map(len, request.options))
    prompt_end, places = start - 1, []
    for option in request.options:
        places.append([prompt_end, *range(start, start + len(option) - 1)])
        start += len(option)
    return places


def _logliks(
    logits: torch.Tensor, places: Sequence[Sequence[list[int]]], options: Sequence[Sequence[list[int]]]
) -> list[list[float]]:
    """For each row the log-likelihoods of its options, whose tokens are predicted at `places`."""
    at, _ = _right_padded([list(chain(*row)) for row in places], 0)
    targets, _ = _right_padded([list(chain(*row)) for row in options], 0)
    at, targets = at.to(logits.device), targets.to(logits.device)
    rows = torch.arange(len(at), device=logits.device)[:, None]
    tokens = (logits[rows, at, targets] - logits.logsumexp(-1)[rows, at]).double().cpu()
    return [
        [float(part.sum()) for part in row[: sum(map(len, each))].split([len(option) for option in each])]
        for row, each in zip(tokens, options, strict=True)
    ]


def _logits(model: Any, keep: int, **inputs: torch.Tensor) -> torch.Tensor:
    """Logits of the last `keep` positions in float32; where the model can, the others are not computed."""
    options = {"logits_to_keep": keep} if "logits_to_keep" in signature(model.forward).parameters else {}
    logits: torch.Tensor = model(**inputs, **options, use_cache=False).logits
    return logits[:, -keep:].float()


def _right_padded(rows: Sequence[Sequence[int]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    tokens = torch.full((len(rows), max(map(len, rows))), pad)
    mask = torch.zeros_like(tokens)
    for index, row in enumerate(rows):
        tokens[index, : len(row)], mask[index, : len(row)] = torch.tensor(row), 1
    return tokens, mask


def _batches(requests: Sequence[Request], tokens: int) -> Iterator[list[int]]:
    """Indices of requests, longest first, in batches of at most `tokens` tokens with padding, or of one request."""
    batch: list[int] = []
    for index in sorted(range(len(requests)), key=lambda index: (-requests[index].size, index)):
        if batch and (len(batch) + 1) * requests[batch[0]].size > tokens:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
