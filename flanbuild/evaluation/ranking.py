"""How likely each option is as the completion of its prompt, the prompt being computed once for all of them.

The options of a prompt stand behind it in one row, as branches of a tree: a token sees the prompt and what
precedes it in its own option, and its position is the one it would have alone. So scores are those of
`loglikelihood_pairs`, which computes each (prompt, option) apart, at a fraction of the work:

    prompt prompt prompt | yes end | no end
    0      1      2        3   4     3  4      positions
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from inspect import signature
from itertools import chain
from typing import Any

import torch

from flanbuild.evaluation.models import EvalModel

Advance = Callable[..., None]
_SAME = 1e-2  # nats that a probe's scores may differ by; tokens that see what they should not differ by more


@dataclass(frozen=True)
class Request:
    """Tokens of a prompt and of its options, each with its end."""

    prompt: list[int]
    options: list[list[int]]

    @property
    def size(self) -> int:
        """Tokens of the whole tree."""
        return len(self.prompt) + sum(map(len, self.options))


Method = Callable[[EvalModel, Sequence[Request]], list[list[float]]]


def requests(
    answerer: EvalModel, prompts: Sequence[str], options: Sequence[Sequence[str]]
) -> tuple[list[Request], int]:
    """Tokens of all, and how many prompts were cut."""
    words = sorted({option for each in options for option in each})
    tokens = dict(zip(words, answerer.completions(words), strict=True))
    trees = [[tokens[option] for option in each] for each in options]
    cut_prompts, cut = answerer.prompts(prompts, max(len(tree) for each in trees for tree in each))
    return [Request(prompt, tree) for prompt, tree in zip(cut_prompts, trees, strict=True)], cut


def loglikelihoods(
    answerer: EvalModel, asked: Sequence[Request], method: Method, advance: Advance
) -> list[list[float]]:
    """The log-likelihood of each option of each question, in batches of like size."""
    scores: list[list[float]] = [[] for _ in asked]
    for places in _batches(asked, answerer.config.batch_tokens):
        found = method(answerer, [asked[place] for place in places])
        for place, logliks in zip(places, found, strict=True):
            scores[place] = logliks
        advance(len(places))
    return scores


def method_for(answerer: EvalModel) -> Method:
    """The cheapest way that is right for this model: some ignore masks, or look back only so far."""
    if answerer.encoder_decoder:
        return loglikelihood_encoder_decoder
    if getattr(answerer.model.config, "sliding_window", None):
        return loglikelihood_pairs
    probe = [Request([answerer.end, 1, 2, 3], [[4, 5, 6], [5, 4], [6]])]
    tree, pairs = loglikelihood_trees(answerer, probe)[0], loglikelihood_pairs(answerer, probe)[0]
    same = all(abs(a - b) < _SAME * (1 + abs(b)) for a, b in zip(tree, pairs, strict=True))
    return loglikelihood_trees if same else loglikelihood_pairs


@torch.no_grad()
def loglikelihood_trees(answerer: EvalModel, asked: Sequence[Request]) -> list[list[float]]:
    """Prompts computed once, by a mask that keeps options apart."""
    length = max(question.size for question in asked)
    tokens = torch.full((len(asked), length), answerer.pad)
    positions = torch.zeros((len(asked), length), dtype=torch.long)
    branch = torch.full((len(asked), length), -1)  # 0: the prompt, 1…: options, -1: padding, on the left
    for row, question in enumerate(asked):
        parts = [question.prompt, *question.options]
        start = length - question.size
        for number, part in enumerate(parts):
            offset = len(question.prompt) if number else 0
            tokens[row, start : start + len(part)] = torch.tensor(part)
            positions[row, start : start + len(part)] = torch.arange(offset, offset + len(part))
            branch[row, start : start + len(part)] = number
            start += len(part)
    keep = 1 + max(question.size - len(question.prompt) for question in asked)
    device = answerer.model.device
    logits = _logits(
        answerer.model,
        keep,
        input_ids=tokens.to(device),
        position_ids=positions.to(device),
        attention_mask=_tree_mask(branch.to(device), answerer.model.dtype),
    )
    return _logliks(
        logits, [_tree_places(question, keep) for question in asked], [question.options for question in asked]
    )


@torch.no_grad()
def loglikelihood_pairs(answerer: EvalModel, asked: Sequence[Request]) -> list[list[float]]:
    """Each (prompt, option) as a row of its own."""
    pairs = [(question.prompt, option) for question in asked for option in question.options]
    length = max(len(prompt) + len(option) for prompt, option in pairs)
    tokens = torch.full((len(pairs), length), answerer.pad)
    mask = torch.zeros((len(pairs), length), dtype=torch.long)
    for row, (prompt, option) in enumerate(pairs):
        start = length - len(prompt) - len(option)
        tokens[row, start:], mask[row, start:] = torch.tensor(prompt + option), 1
    keep = 1 + max(len(option) for _, option in pairs)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    device = answerer.model.device
    given = {"input_ids": tokens, "attention_mask": mask, "position_ids": positions}
    logits = _logits(answerer.model, keep, **{name: value.to(device) for name, value in given.items()})
    places = [[list(range(keep - 1 - len(option), keep - 1))] for _, option in pairs]
    scores = iter(_logliks(logits, places, [[option] for _, option in pairs]))
    return [[next(scores)[0] for _ in question.options] for question in asked]


@torch.no_grad()
def loglikelihood_encoder_decoder(answerer: EvalModel, asked: Sequence[Request]) -> list[list[float]]:
    """For an encoder-decoder: prompts go through the encoder once, options through the decoder."""
    model, device = answerer.model, answerer.model.device
    tokens, mask = _right_padded([question.prompt for question in asked], answerer.pad)
    encoded = model.get_encoder()(
        input_ids=tokens.to(device), attention_mask=mask.to(device)
    ).last_hidden_state
    options = [option for question in asked for option in question.options]
    counts = torch.tensor([len(question.options) for question in asked])
    labels, kept = _right_padded(options, answerer.pad)
    logits = model(
        encoder_outputs=(encoded.repeat_interleave(counts.to(device), dim=0),),
        attention_mask=mask.repeat_interleave(counts, dim=0).to(device),
        labels=labels.masked_fill(kept == 0, -100).to(device),
        use_cache=False,
    ).logits
    scores = iter(
        _logliks(logits.float(), [[list(range(len(option)))] for option in options], [[o] for o in options])
    )
    return [[next(scores)[0] for _ in question.options] for question in asked]


def _tree_mask(branch: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Added to attention: 0 where a token may look, the lowest number where not. Padding sees itself."""
    length = branch.shape[1]
    before = torch.ones(length, length, dtype=torch.bool, device=branch.device).tril()
    looking, seen = branch[:, :, None], branch[:, None, :]
    allowed = before & (seen >= 0) & ((seen == 0) | (seen == looking)) & (looking >= 0)
    allowed |= torch.eye(length, dtype=torch.bool, device=branch.device)
    mask = torch.zeros(allowed.shape, dtype=dtype, device=branch.device)
    return mask.masked_fill(~allowed, torch.finfo(dtype).min)[:, None]


def _tree_places(question: Request, keep: int) -> list[list[int]]:
    """Of the last `keep` places of a row, those that foretell each token of each option."""
    start = keep - sum(map(len, question.options))
    prompt_end, places = start - 1, []
    for option in question.options:
        places.append([prompt_end, *range(start, start + len(option) - 1)])
        start += len(option)
    return places


def _logliks(
    logits: torch.Tensor, places: Sequence[Sequence[list[int]]], options: Sequence[Sequence[list[int]]]
) -> list[list[float]]:
    """For each row the log-likelihood of its options, whose tokens are foretold at `places`."""
    at, _ = _right_padded([list(chain(*row)) for row in places], 0)
    wanted, _ = _right_padded([list(chain(*row)) for row in options], 0)
    at, wanted = at.to(logits.device), wanted.to(logits.device)
    rows = torch.arange(len(at), device=logits.device)[:, None]
    tokens = (logits[rows, at, wanted] - logits.logsumexp(-1)[rows, at]).double().cpu()
    return [
        [float(part.sum()) for part in row[: sum(map(len, each))].split([len(option) for option in each])]
        for row, each in zip(tokens, options, strict=True)
    ]


def _logits(model: Any, keep: int, **given: torch.Tensor) -> torch.Tensor:
    """Of the last `keep` places, as float32; models that can are spared the others."""
    options = {"logits_to_keep": keep} if "logits_to_keep" in signature(model.forward).parameters else {}
    logits: torch.Tensor = model(**given, **options, use_cache=False).logits
    return logits[:, -keep:].float()


def _right_padded(rows: Sequence[Sequence[int]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    tokens = torch.full((len(rows), max(map(len, rows))), pad)
    mask = torch.zeros_like(tokens)
    for index, row in enumerate(rows):
        tokens[index, : len(row)], mask[index, : len(row)] = torch.tensor(row), 1
    return tokens, mask


def _batches(asked: Sequence[Request], tokens: int) -> Iterator[list[int]]:
    """Places of requests, longest first, in batches of at most `tokens` with padding, or one question."""
    batch: list[int] = []
    for place in sorted(range(len(asked)), key=lambda place: (-asked[place].size, place)):
        if batch and (len(batch) + 1) * asked[batch[0]].size > tokens:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch
