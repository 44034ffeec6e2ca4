"""The model before training: built small from a seed, or loaded; with its attention set and packing tested."""

from itertools import chain
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from flanbuild.errors import DeclarationError
from flanbuild.model.codec import Codec
from flanbuild.model.loader import check_vocabulary, load_model, load_tokenizer, max_positions
from flanbuild.model.tokenizer import train_tokenizer
from flanbuild.read import Examples
from flanbuild.training.base import base_ref
from flanbuild.training.config import SMALL, TrainConfig

_LEAK = 1e-3
_TOKENIZER_ROWS = 10_000
"""Rows that a tokenizer is trained on: the first ones, which are a fair draw of all tasks."""


def tokenizer_for(config: TrainConfig, train: Examples) -> Any:
    """The tokenizer that the config asks for. A trained one reads the first rows of the mixture."""
    if config.own_tokenizer:
        texts = (
            text
            for batch in train.batches(_TOKENIZER_ROWS)
            for text in chain(*zip(batch["prompt"].to_pylist(), batch["completion"].to_pylist(), strict=True))
        )
        return train_tokenizer(texts, config.vocab_size)
    option = "train.tokenizer" if config.tokenizer else "train.model"
    return load_tokenizer(base_ref(config), option=option)


def starting_model(config: TrainConfig, codec_tokenizer: Any) -> Any:
    """The model that training starts from, in float32: the same weights each time.

    Raises DeclarationError if it does not fit the tokenizer or the sequence length.
    """
    if config.model == SMALL:
        return _small(config, Codec(codec_tokenizer, encoder_decoder=False))
    model = load_model(base_ref(config), option="train.model", dtype=torch.float32)
    _check(model, config)
    codec = Codec(codec_tokenizer, bool(model.config.is_encoder_decoder), config.template)
    check_vocabulary(model, codec, option="train.tokenizer", name=config.model)
    return model


def set_up(model: Any, config: TrainConfig, device: torch.device) -> None:
    """Moves the model to the device and sets its attention. Raises DeclarationError if packed examples would mix."""
    model.to(device)
    on_gpu = device.type == "cuda" and config.packing and model._supports_flex_attn
    attention = ("flex_attention" if on_gpu else None) if config.attention == "auto" else config.attention
    if attention:
        model.set_attn_implementation(attention)
    if config.packing and leak(model) > _LEAK:
        raise DeclarationError(
            f"train.packing: '{config.model}' lets packed examples see each other, which would spoil training:"
            " use --no-packing."
        )


@torch.no_grad()
def leak(model: Any, **options: Any) -> float:
    """How far the logits of a packed example are from its own when alone, in standard deviations of the latter.

    About 1e-6 where examples are isolated, above 0.01 where they are not.
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


def _small(config: TrainConfig, codec: Codec) -> Any:
    """A Llama of a few layers with random weights."""
    shape = LlamaConfig(
        vocab_size=len(codec.tokenizer),
        hidden_size=config.hidden_size,
        intermediate_size=3 * config.hidden_size,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        num_key_value_heads=config.heads,
        max_position_embeddings=config.seq_length,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=codec.end,
        pad_token_id=codec.pad,
    )
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        return LlamaForCausalLM(shape)


def _check(model: Any, config: TrainConfig) -> None:
    positions = max_positions(model) or config.seq_length
    if config.seq_length > positions:
        raise DeclarationError(
            f"train.seq_length: found {config.seq_length}, '{config.model}' reads at most {positions} tokens."
        )
    if config.packing and model.config.is_encoder_decoder:
        raise DeclarationError(
            f"train.packing: '{config.model}' is an encoder-decoder, which cannot be packed: use --no-packing."
        )
