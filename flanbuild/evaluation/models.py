"""A model to evaluate, with its codec, its truncation and greedy generation."""

from dataclasses import dataclass
from typing import Any

from transformers import GenerationConfig

from flanbuild.evaluation.config import EvaluateConfig
from flanbuild.evaluation.protocols import PROTOCOLS, Protocol
from flanbuild.model.codec import Codec, Truncation
from flanbuild.model.loader import (
    computation_dtype,
    default_device,
    load_model,
    load_tokenizer,
    max_positions,
)
from flanbuild.model.record import ModelRef


@dataclass(frozen=True)
class EvalModel:
    """A model in evaluation mode with its codec."""

    model: Any
    codec: Codec
    config: EvaluateConfig

    @property
    def encoder_decoder(self) -> bool:
        """Whether prompt and answer are two sequences."""
        return self.codec.encoder_decoder

    @property
    def protocol(self) -> Protocol:
        """The rules by which texts become tokens and scores become answers."""
        return PROTOCOLS[self.config.protocol]

    @property
    def truncation(self) -> Truncation:
        """The rule of training, with all positions of the model and whole completions."""
        return Truncation(
            max_positions(self.model), self.config.prompt_length, encoder_decoder=self.encoder_decoder
        )


def eval_model(model: Any, tokenizer: Any, config: EvaluateConfig) -> EvalModel:
    """A loaded model made ready: evaluation mode, and greedy generation in place of its own settings."""
    codec = Codec(tokenizer, encoder_decoder=bool(model.config.is_encoder_decoder))
    model.generation_config = _greedy(model, codec, config)
    return EvalModel(model.eval(), codec, config)


def load(ref: ModelRef, config: EvaluateConfig) -> EvalModel:
    """Loads a model folder or a hub model onto the default device."""
    model = load_model(ref, option="evaluate.model", dtype=computation_dtype(config.dtype))
    tokenizer = load_tokenizer(ref, option="evaluate.model")
    return eval_model(model.to(default_device()), tokenizer, config)


def _greedy(model: Any, codec: Codec, config: EvaluateConfig) -> GenerationConfig:
    """Replaces the model's own settings, which may bring sampling or penalties."""
    return GenerationConfig(  # type: ignore[no-untyped-call]
        do_sample=False,
        num_beams=1,
        max_new_tokens=config.max_new_tokens,
        eos_token_id=codec.end,
        pad_token_id=codec.pad,
        decoder_start_token_id=getattr(model.config, "decoder_start_token_id", None),
    )
