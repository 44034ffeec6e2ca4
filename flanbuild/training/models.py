"""The model before training and its tokenizer: built small from a seed, or read by name."""

from itertools import chain
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
)
from transformers.utils.logging import disable_progress_bar

from flanbuild.errors import DeclarationError
from flanbuild.model.tokenizer import train_tokenizer
from flanbuild.training.config import SMALL, TrainConfig
from flanbuild.training.mixture import Mixture

_LEAK = 1e-3
_TOKENIZER_ROWS = 10_000
"""Rows that a tokenizer of our own is trained on: the first, which are a fair draw of all tasks."""

disable_progress_bar()  # type: ignore[no-untyped-call]  # ours is enough


def load_tokenizer(config: TrainConfig, mixture: Mixture) -> Any:
    """The tokenizer the config asks for, which must know how a text ends."""
    if config.own_tokenizer:
        texts = mixture.texts("train", min(_TOKENIZER_ROWS, mixture.rows("train")))
        return train_tokenizer(chain.from_iterable(chain(*sides) for sides in texts), config.vocab_size)
    name = config.tokenizer or config.model
    tokenizer = _read(
        AutoTokenizer, "train.tokenizer" if config.tokenizer else "train.model", name, config.revision
    )
    if tokenizer.eos_token_id is None:
        raise DeclarationError(f"train.tokenizer: '{name}' has no token for the end of a text.")
    return tokenizer


def untuned_model(config: TrainConfig, tokenizer: Any) -> Any:
    """The model that training starts from: the same weights each time."""
    if config.model == SMALL:
        return _small(config, tokenizer)
    shape = _read(AutoConfig, "train.model", config.model, config.revision)
    kind = AutoModelForSeq2SeqLM if shape.is_encoder_decoder else AutoModelForCausalLM
    model = _read(kind, "train.model", config.model, config.revision, dtype=torch.float32)
    _check(model, config, tokenizer)
    return model


def set_up(model: Any, config: TrainConfig, device: torch.device) -> None:
    """Moves the model, picks its attention, and makes sure that packed examples don't see each other."""
    model.to(device)
    on_gpu = device.type == "cuda" and config.packing and model._supports_flex_attn
    attention = ("flex_attention" if on_gpu else None) if config.attention == "auto" else config.attention
    if attention:
        model.set_attn_implementation(attention)
    if config.packing and leak(model) > _LEAK:
        raise DeclarationError(
            f"train.packing: '{config.model}' lets packed examples see each other, which would spoil what it"
            " learns: --no-packing."
        )


@torch.no_grad()
def leak(model: Any, **options: Any) -> float:
    """How far the logits of a packed example are from its own when alone, in standard deviations of these.

    About 1e-6 where examples are kept apart, above 0.01 where they are not.
    """
    training, device = model.training, model.device
    model.eval()
    tokens = torch.arange(1, 33, device=device)[None] % model.config.get_text_config().vocab_size
    positions = torch.arange(16, device=device)[None]
    options = {"use_cache": False, **options}
    together = model(input_ids=tokens, position_ids=positions.repeat(1, 2), **options).logits[:, 16:].float()
    alone = model(input_ids=tokens[:, 16:], position_ids=positions, **options).logits.float()
    model.train(training)
    return float((together - alone).abs().max() / alone.std())


def pad_token(tokenizer: Any) -> int:
    """What fills up a batch; it is never attended to, so any token will do."""
    return int(tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id)


def _small(config: TrainConfig, tokenizer: Any) -> Any:
    """A Llama of a few layers with random weights."""
    shape = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=config.hidden_size,
        intermediate_size=3 * config.hidden_size,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        num_key_value_heads=config.heads,
        max_position_embeddings=config.seq_length,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=pad_token(tokenizer),
    )
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        return LlamaForCausalLM(shape)


def _check(model: Any, config: TrainConfig, tokenizer: Any) -> None:
    positions = getattr(model.config, "max_position_embeddings", None) or config.seq_length
    rows = model.get_input_embeddings().weight.shape[0]
    if config.seq_length > positions:
        raise DeclarationError(
            f"train.seq_length: found {config.seq_length}, '{config.model}' reads {positions} tokens."
        )
    if len(tokenizer) > rows:
        raise DeclarationError(
            f"train.tokenizer: it has {len(tokenizer)} tokens, '{config.model}' knows {rows}; use the model's"
            " own."
        )
    if config.packing and model.config.is_encoder_decoder:
        raise DeclarationError(
            f"train.packing: '{config.model}' is an encoder-decoder, which is not packed: --no-packing."
        )


def _read(kind: Any, place: str, name: str, revision: str | None, **options: Any) -> Any:
    """`from_pretrained` with its many errors told as one sentence."""
    if Path(name).is_dir():
        revision = None
    try:
        return kind.from_pretrained(name, revision=revision, **options)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise DeclarationError(f"{place}: no model can be read from '{name}': {reason}") from error
