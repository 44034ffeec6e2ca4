"""Short forward passes that show how a model computes, since no configuration says it reliably.

    sees_ahead(model), leak(model), padding_error(model)

Each returns the largest change of a logit that should not change, in standard deviations of the logits: 0 to 1e-5 for a
model that does what is asked of it. Tokens are drawn several times, from a seed, in examples of several lengths.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from inspect import Parameter, signature
from typing import Any

import torch

from flanbuild.errors import DeclarationError

NOISE = 1e-4
"""What float noise may change, in float32. Two layers show 4e-6 and the 30 of SmolLM2 1e-5; models that mix examples show
5e-4 and more, even with fresh weights."""
_LENGTHS = ((16, 16), (5, 40), (33, 8))
"""Tokens of two examples, for each draw."""


def check_causal(model: Any, *, option: str, name: str) -> None:
    """Raises DeclarationError if a decoder's logits depend on later tokens."""
    if not model.config.is_encoder_decoder and sees_ahead(model) > NOISE:
        raise DeclarationError(
            f"{option}: '{name}' sees the tokens it has to predict, so it is no causal language model; a model of the"
            " BERT kind needs is_decoder=true and weights trained for it."
        )


@torch.no_grad()
def sees_ahead(model: Any) -> float:
    """How far logits move when the token behind them changes."""
    with _evaluating(model):
        worst = 0.0
        for draw, (_, length) in enumerate(_LENGTHS):
            tokens = draw_tokens(model, length + 1, draw)
            other = tokens.clone()
            other[0, -1] = tokens[0, 0]
            logits, changed = (_forward(model, input_ids=t)[:, :-1] for t in (tokens, other))
            worst = max(worst, _distance(changed, logits))
        return worst


@torch.no_grad()
def leak(model: Any, **options: Any) -> float:
    """How far the logits of a packed example are from its own when alone."""
    options = {"use_cache": False, **options}
    with _evaluating(model):
        worst = 0.0
        for draw, (first, second) in enumerate(_LENGTHS):
            tokens = draw_tokens(model, first + second, draw)
            positions = torch.cat([torch.arange(first), torch.arange(second)])[None].to(model.device)
            together = _forward(model, input_ids=tokens, position_ids=positions, **options)[:, first:]
            alone = _forward(model, input_ids=tokens[:, first:], position_ids=positions[:, first:], **options)
            worst = max(worst, _distance(together, alone))
        return worst


@torch.no_grad()
def padding_error(model: Any) -> float:
    """How far logits move when the prompt is padded: on the left for a decoder, on the right for an encoder."""
    with _evaluating(model), in_float32(model):
        worst = 0.0
        for draw, (padding, length) in enumerate(_LENGTHS):
            tokens = draw_tokens(model, length, draw)
            fill = draw_tokens(model, padding, draw + 100)
            if model.config.is_encoder_decoder:
                mask = torch.cat([torch.ones_like(tokens), torch.zeros_like(fill)], 1)
                padded = {"input_ids": torch.cat([tokens, fill], 1), "attention_mask": mask}
                answer = {"decoder_input_ids": tokens[:, :5]}
                together = _forward(model, **padded, **answer)
                alone = _forward(model, input_ids=tokens, **answer)
            else:
                mask = torch.cat([torch.zeros_like(fill), torch.ones_like(tokens)], 1)
                positions = (mask.cumsum(-1) - 1).clamp(min=0)
                padded = {"input_ids": torch.cat([fill, tokens], 1), "attention_mask": mask}
                together = _forward(model, **padded, position_ids=positions)[:, padding:]
                alone = _forward(model, input_ids=tokens)
            worst = max(worst, _distance(together, alone))
        return worst


def draw_tokens(model: Any, length: int, draw: int) -> torch.Tensor:
    """A row of ordinary tokens, the same for each equal `draw`."""
    rows = model.get_input_embeddings().weight.shape[0]
    rows = min(rows, getattr(model.config.get_text_config(), "vocab_size", rows))
    special = {
        token
        for name in ("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id")
        for token in _listed(getattr(model.config.get_text_config(), name, None))
    }
    ordinary = torch.tensor([token for token in range(min(rows, 2000)) if token not in special])
    generator = torch.Generator().manual_seed(draw)
    return ordinary[torch.randint(len(ordinary), (1, length), generator=generator)].to(model.device)


@contextmanager
def in_float32(model: Any) -> Iterator[None]:
    """The model in float32, in which a wrong mask can be told from rounding. Afterwards it is what it was, to the bit."""
    tensors = [t for t in (*model.parameters(), *model.buffers()) if t.is_floating_point()]
    dtypes = [tensor.dtype for tensor in tensors]
    for tensor in tensors:
        tensor.data = tensor.data.float()
    try:
        yield
    finally:
        for tensor, dtype in zip(tensors, dtypes, strict=True):
            tensor.data = tensor.data.to(dtype)


def accepts(model: Any, name: str) -> bool:
    """Whether the model's forward pass takes an argument of this name."""
    parameters = signature(model.forward).parameters
    return name in parameters or any(p.kind is Parameter.VAR_KEYWORD for p in parameters.values())


def _forward(model: Any, **inputs: Any) -> torch.Tensor:
    inputs = {name: value for name, value in inputs.items() if accepts(model, name)}
    logits: torch.Tensor = model(**{"use_cache": False, **inputs}).logits
    return logits.float()


def _distance(left: torch.Tensor, right: torch.Tensor) -> float:
    return float((left - right).abs().max() / right.std())


def _listed(value: Any) -> list[int]:
    return value if isinstance(value, list) else [] if value is None else [value]


@contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
