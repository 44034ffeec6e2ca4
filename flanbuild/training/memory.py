"""How much memory a run needs, estimated before its first step."""

from typing import Any

import torch

from flanbuild.progress import log
from flanbuild.training.config import TrainConfig

_FLOATS = 4
_MOMENTS = {"adamw": 8, "adafactor": 0}
"""Bytes of optimizer state per trained weight; adafactor's is a row and a column per matrix."""
_PER_LAYER = 17
"""Numbers that a layer keeps per token and dimension for the backward pass (Korthikanti et al., 2022, section 4.1)."""


def estimate(model: Any, config: TrainConfig, sequences: int, *, bf16: bool, kept: float) -> dict[str, int]:
    """Bytes by use for micro-batches of `sequences`, of whose tokens the share `kept` needs logits.

    Activations are an estimate for a transformer whose attention keeps no matrix of scores.
    """
    weights = sum(p.numel() for p in model.parameters())
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    text = model.config.get_text_config()
    layers, hidden = int(text.num_hidden_layers), int(text.hidden_size)
    tokens, size = sequences * config.seq_length, 2 if bf16 else 4
    per_layer = 1 if config.gradient_checkpointing else _PER_LAYER
    once = _PER_LAYER if config.gradient_checkpointing else 0
    return {
        "weights": weights * _FLOATS,
        "gradients": trained * _FLOATS,
        "optimizer": trained * _MOMENTS[config.optimizer],
        "activations": tokens * hidden * size * (per_layer * layers + once),
        "logits": int(tokens * kept * text.vocab_size * (2 * _FLOATS + size)),
    }


def log_estimate(
    model: Any, config: TrainConfig, sequences: int, device: torch.device, *, bf16: bool, kept: float
) -> None:
    """Logs the estimate in one line, and a second one if the device has less memory."""
    parts = estimate(model, config, sequences, bf16=bf16, kept=kept)
    listed = ", ".join(f"{name} {_gib(value)}" for name, value in parts.items())
    log(f"train: about {_gib(sum(parts.values()))} GiB of memory: {listed}")
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        already = parts["weights"]  # on the device when this is called
        if sum(parts.values()) - already > free:
            log(
                f"train: the device has {_gib(free + already)} GiB; raise train.gradient_accumulation, or set"
                " train.gradient_checkpointing"
            )


def _gib(value: int) -> str:
    return f"{value / 2**30:.2f}"
