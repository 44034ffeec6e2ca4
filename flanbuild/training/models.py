"""The model before training: built small from a seed, or loaded; with its attention set and packing tested."""

from itertools import chain
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from flanbuild.errors import DeclarationError
from flanbuild.model.codec import Codec
from flanbuild.model.loader import check_vocabulary, load_model, load_tokenizer, max_positions
from flanbuild.model.probes import NOISE, check_causal, draw_tokens, leak
from flanbuild.model.settings import SMALL
from flanbuild.model.tokenizer import train_tokenizer
from flanbuild.progress import log
from flanbuild.read import Examples
from flanbuild.training.adapters import with_adapters
from flanbuild.training.base import base_ref
from flanbuild.training.config import TrainConfig

_GPU_NOISE = 1e-3
"""Float noise of other kernels; whether the model isolates examples was decided on the CPU."""
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


def set_up(model: Any, config: TrainConfig, device: torch.device) -> Any:
    """The model ready to train: checked, on the device, with its attention set, and with adapters if they are asked for.

    Weights that no text reaches, such as those of a vision tower, are frozen, with a message. Raises DeclarationError
    if the model sees the tokens it has to predict, or if packed examples would see each other.
    """
    if device.type == "cpu" and config.attention == "flex_attention":
        raise DeclarationError(
            "train.attention: flex_attention has no backward pass on a CPU; use sdpa, or auto, which takes"
            " flex_attention on a GPU."
        )
    check_causal(model, option="train.model", name=config.model)
    _check_isolation(model, config, NOISE)
    _freeze_idle(model)
    model.to(device)
    on_gpu = device.type == "cuda" and config.packing and model._supports_flex_attn
    attention = ("flex_attention" if on_gpu else None) if config.attention == "auto" else config.attention
    if attention:
        model.set_attn_implementation(attention)
    if device.type != "cpu":
        _check_isolation(model, config, _GPU_NOISE)
    if config.gradient_checkpointing:
        _checkpoint_activations(model, config)
    return with_adapters(model, config) if config.lora_rank else model


def _checkpoint_activations(model: Any, config: TrainConfig) -> None:
    if not model.supports_gradient_checkpointing:
        raise DeclarationError(f"train.gradient_checkpointing: '{config.model}' does not support it.")
    current = getattr(model, "activation_checkpointing_enable", None)  # transformers 5.20 renamed it
    (current or model.gradient_checkpointing_enable)({"use_reentrant": False})


def _check_isolation(model: Any, config: TrainConfig, noise: float) -> None:
    if config.packing and leak(model) > noise:
        raise DeclarationError(
            f"train.packing: '{config.model}' lets packed examples see each other, which would spoil training:"
            " use --no-packing."
        )


def _freeze_idle(model: Any) -> None:
    """Freezes weights that get no gradient from text; optimizers and checkpoints would miss their state."""
    idle = idle_parameters(model)
    for name in idle:
        model.get_parameter(name).requires_grad_(False)
    if idle:
        count = sum(model.get_parameter(name).numel() for name in idle)
        log(
            f"train: {len(idle)} tensors ({count:,} weights) take no part in text and are frozen: {idle[0]}, …"
        )


def idle_parameters(model: Any) -> list[str]:
    """Names of the weights that a text gives no gradient, except experts that this text was not sent to."""
    model.zero_grad()
    tokens = draw_tokens(model, 48, draw=0)
    with torch.enable_grad():
        inputs = {"input_ids": tokens}
        if model.config.is_encoder_decoder:
            inputs["labels"] = draw_tokens(model, 8, draw=1)
        model(**inputs, use_cache=False).logits.float().square().mean().backward()
    idle = [name for name, weight in model.named_parameters() if weight.requires_grad and weight.grad is None]
    model.zero_grad()
    return [name for name in idle if ".experts." not in name]


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
