"""The log-likelihood of each option as the completion of its prompt; the prompt is computed once for all of them.

The options of a prompt stand behind it in one row, as branches of a tree: a token sees the prompt and the tokens before
it in its own option, and its position is the one it would have alone. The scores equal those of `loglikelihood_pairs`,
which computes each (prompt, option) apart, at a fraction of the work:

    prompt prompt prompt | yes end | no end
    0      1      2        3   4     3  4      positions
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from inspect import signature
from itertools import chain
from math import isfinite
from typing import Any

import torch

from flanbuild.evaluation.models import EvalModel, enough_memory
from flanbuild.evaluation.record import Ranking
from flanbuild.evaluation.requests import Request, not_finite
from flanbuild.model.probes import accepts, draw_tokens, in_float32
from flanbuild.progress import Advance

_NOISE = 1e-4
"""Standard deviations of a logit that the scores of a probe may differ by in float32."""
_LEAST_FILLED = 0.8
"""Share of a row of a batch that is not padding."""
_UNABLE = (RuntimeError, ValueError, TypeError, IndexError)
"""What models raise when they cannot take a mask of four dimensions."""

Method = Callable[[EvalModel, Sequence[Request]], list[list[float]]]


@dataclass(frozen=True)
class _Unit:
    """Options of one request that are computed together: rows of a batch, and tokens in each."""

    request: int
    options: range
    rows: int
    length: int


def loglikelihoods(
    model: EvalModel, requests: Sequence[Request], method: Method, advance: Advance, *, task: str
) -> list[list[float]]:
    """The log-likelihood in nats of each option of each request.

    A batch holds at most `batch_tokens` tokens, padding included, whatever the method: where the options of a request
    are too many, they are computed in several batches. Raises ExecutionError, naming the task, at the first one that
    is not finite.
    """
    scores: list[list[float]] = [[0.0] * len(request.options) for request in requests]
    left = [len(request.options) for request in requests]
    for batch in _batches(_units(requests, method, model.config.batch_tokens), model.config.batch_tokens):
        parts = [
            Request(requests[u.request].prompt, [requests[u.request].options[i] for i in u.options])
            for u in batch
        ]
        with enough_memory(task, "evaluate.batch_tokens"):
            found = method(model, parts)
        for unit, logliks in zip(batch, found, strict=True):
            if not all(map(isfinite, logliks)):
                raise not_finite(task)
            scores[unit.request][unit.options.start : unit.options.stop] = logliks
            left[unit.request] -= len(unit.options)
        advance(sum(not left[number] for number in {unit.request for unit in batch}))
    return scores


def method_for(model: EvalModel, longest: int | None = None) -> Method:
    """The cheapest method that is right for this model, tried in float32 against one forward pass per option.

    `longest` is the size of the longest request, by default the longest that the settings allow: some models see only
    a window of tokens, and some carry a state from option to option.
    """
    if model.encoder_decoder:
        return loglikelihood_encoder_decoder
    limit = model.truncation.seq_length
    longest = longest or model.config.prompt_length
    longest = max(16, longest if limit is None else min(longest, limit))
    if not _sees_a_window(model.model.config.get_text_config(), longest):
        with in_float32(model.model):
            if _trees_are_right(model, longest):
                return loglikelihood_trees
    return loglikelihood_pairs if model.takes_padding else loglikelihood_single


def method_name(method: Method) -> Ranking:
    """The name of a method in `scores.json`."""
    names: dict[Method, Ranking] = {
        loglikelihood_trees: "trees",
        loglikelihood_pairs: "pairs",
        loglikelihood_single: "single",
        loglikelihood_encoder_decoder: "encoder_decoder",
    }
    return names[method]


def _trees_are_right(model: EvalModel, longest: int) -> bool:
    """Whether trees of a long and a short prompt give the scores of each option alone."""
    tokens = draw_tokens(model.model, longest, draw=0)[0].tolist()
    options = [tokens[-3:], tokens[-5:-3], tokens[-6:-5]]
    probe = [Request(tokens[: longest - 6], options), Request(tokens[:4], options)]
    try:
        trees = loglikelihood_trees(model, probe)
    except _UNABLE:
        return False
    with torch.no_grad():
        spread = float(
            model.model(input_ids=torch.tensor([tokens[:4]], device=model.model.device)).logits.std()
        )
    alone = loglikelihood_single(model, probe)
    pairs = zip(chain(*trees), chain(*alone), strict=True)
    return all(abs(left - right) <= _NOISE * (1 + spread) for left, right in pairs)


def _sees_a_window(config: Any, longest: int) -> bool:
    """Whether some layer does not attend to all tokens before, so that its distance in the row counts."""
    layers = set(getattr(config, "layer_types", None) or ())
    names = ("sliding_window", "window_size", "attention_chunk_size")
    windows = [size for name in names if isinstance(size := getattr(config, name, None), int)]
    known = {"full_attention", "sliding_attention", "chunked_attention"}
    return any(size < longest for size in windows) or not layers <= known


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
    inputs = {"input_ids": tokens}
    if not bool(mask.all()):
        inputs |= {"attention_mask": mask, "position_ids": positions}
    logits = _logits(model.model, keep, **{name: value.to(device) for name, value in inputs.items()})
    places = [[list(range(keep - 1 - len(option), keep - 1))] for _, option in pairs]
    scores = iter(_logliks(logits, places, [[option] for _, option in pairs]))
    return [[next(scores)[0] for _ in request.options] for request in requests]


@torch.no_grad()
def loglikelihood_single(model: EvalModel, requests: Sequence[Request]) -> list[list[float]]:
    """Log-likelihoods with one forward pass for each (prompt, option), for models that padding would disturb."""
    return [
        [loglikelihood_pairs(model, [Request(request.prompt, [option])])[0][0] for option in request.options]
        for request in requests
    ]


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
    options: dict[str, Any] = {"use_cache": False} | {
        name: value for name, value in inputs.items() if accepts(model, name)
    }
    if "logits_to_keep" in signature(model.forward).parameters:
        options["logits_to_keep"] = keep
    logits: torch.Tensor = model(**options).logits
    return logits[:, -keep:].float()


def _right_padded(rows: Sequence[Sequence[int]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    tokens = torch.full((len(rows), max(map(len, rows))), pad)
    mask = torch.zeros_like(tokens)
    for index, row in enumerate(rows):
        tokens[index, : len(row)], mask[index, : len(row)] = torch.tensor(row), 1
    return tokens, mask


def _units(requests: Sequence[Request], method: Method, tokens: int) -> list[_Unit]:
    """The requests, cut so that none is more than `tokens` tokens unless a prompt with one option is."""
    units = []
    for number, request in enumerate(requests):
        first = 0
        while first < len(request.options):
            stop = first + 1
            while stop < len(request.options):
                rows, length = _extent(request, range(first, stop + 1), method)
                if rows * length > tokens:
                    break
                stop += 1
            units.append(_Unit(number, range(first, stop), *_extent(request, range(first, stop), method)))
            first = stop
    return units


def _extent(request: Request, options: range, method: Method) -> tuple[int, int]:
    """How many rows of a batch a method needs for these options, and how many tokens each."""
    lengths = [len(request.options[index]) for index in options]
    if method is loglikelihood_trees:
        return 1, len(request.prompt) + sum(lengths)
    return len(lengths), len(request.prompt) + max(lengths)


def _batches(units: Sequence[_Unit], tokens: int) -> Iterator[list[_Unit]]:
    """Units, longest first, in batches of at most `tokens` tokens with padding, or of one unit.

    No row of a batch is padded by more than a fifth of the longest.
    """
    batch: list[_Unit] = []
    rows = 0
    for unit in sorted(units, key=lambda unit: (-unit.length, unit.request, unit.options.start)):
        longest = batch[0].length if batch else unit.length
        if batch and ((rows + unit.rows) * longest > tokens or unit.length < _LEAST_FILLED * longest):
            yield batch
            batch, rows = [], 0
        batch.append(unit)
        rows += unit.rows
    if batch:
        yield batch
