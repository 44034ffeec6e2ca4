"""LoRA through peft: small matrices beside the layers are trained in place of the weights (Hu et al., 2021).

A run with `lora_rank` writes an adapter folder, which flanbuild, peft and vLLM read, or the whole model with
`lora_merge`.
"""

import warnings
from pathlib import Path
from typing import Any

import torch

from flanbuild.errors import DeclarationError, require
from flanbuild.training.config import TrainConfig


def with_adapters(model: Any, config: TrainConfig) -> Any:
    """The model with adapters, whose weights are the only ones that are trained; the same weights each time.

    Raises DeclarationError if the model has none of the layers that `lora_targets` names.
    """
    require("train.lora_rank", "train", ("peft",))
    from peft import LoraConfig, get_peft_model

    targets = config.lora_targets
    settings = LoraConfig(
        r=config.lora_rank,
        lora_alpha=config.lora_alpha,
        lora_dropout=config.lora_dropout,
        target_modules=targets if targets == "all-linear" else targets.split(","),
    )
    with torch.random.fork_rng(), _quiet():
        torch.manual_seed(config.seed)
        try:
            return get_peft_model(model, settings)
        except ValueError as error:
            raise DeclarationError(f"train.lora_targets: {' '.join(str(error).split())}") from error


def save_adapted(
    model: Any, weights: dict[str, torch.Tensor], folder: Path, base: str, *, merge: bool
) -> None:
    """Writes the adapter, which names `base` as its model, or with `merge` the whole model.

    `base` is a name on the hub, an absolute path, or a path relative to `folder`.
    """
    with _quiet():
        if merge:
            model.merge_and_unload(safe_merge=True).save_pretrained(folder)
        else:
            model.peft_config["default"].base_model_name_or_path = base
            model.save_pretrained(folder, state_dict=weights, save_embedding_layers=False)


class _quiet(warnings.catch_warnings):  # noqa: N801  used as a function
    """Without the warnings of peft about older names of transformers."""

    def __enter__(self) -> Any:
        result = super().__enter__()
        warnings.simplefilter("ignore", FutureWarning)
        return result
