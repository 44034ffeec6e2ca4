"""A model to evaluate, with its codec, its truncation and greedy generation."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from transformers import GenerationConfig

from flanbuild.errors import ExecutionError
from flanbuild.evaluation.config import EvaluateConfig
from flanbuild.evaluation.protocols import PROTOCOLS, Protocol
from flanbuild.model.codec import Codec, Truncation
from flanbuild.model.loader import (
    check_vocabulary,
    computation_dtype,
    default_device,
    load_model,
    load_tokenizer,
    max_positions,
    out_of_memory,
)
from flanbuild.model.probes import NOISE, check_causal, padding_error
from flanbuild.model.record import ModelRef
from flanbuild.model.settings import Template


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

    @cached_property
    def ends(self) -> frozenset[int]:
        """The tokens that end a generated text."""
        return frozenset({self.codec.end, *_ends(self.model)})

    @cached_property
    def takes_padding(self) -> bool:
        """Whether answers and scores do not change when rows of other lengths are in the batch."""
        return padding_error(self.model) < NOISE


def eval_model(model: Any, tokenizer: Any, config: EvaluateConfig) -> EvalModel:
    """A loaded model made ready: evaluation mode, and greedy generation in place of its own settings."""
    template: Template = "chat" if config.template == "chat" else "none"
    codec = Codec(tokenizer, bool(model.config.is_encoder_decoder), template)
    model.generation_config = _greedy(model, codec, config)
    return EvalModel(model.eval(), codec, config)


def load(ref: ModelRef, config: EvaluateConfig) -> EvalModel:
    """Loads a model into main memory; `on_device` moves it to where it computes."""
    model = load_model(ref, option="evaluate.model", dtype=computation_dtype(config.dtype))
    tokenizer = load_tokenizer(ref, option="evaluate.model")
    check_causal(model, option="evaluate.model", name=ref.name)
    ready = eval_model(model, tokenizer, config)
    check_vocabulary(model, ready.codec, option="evaluate.tokenizer", name=ref.name)
    return ready


@contextmanager
def on_device(model: EvalModel) -> Iterator[EvalModel]:
    """The model on the default device; afterwards it is in main memory again, so that the next one has the room."""
    model.model.to(default_device())
    try:
        yield model
    finally:
        model.model.to("cpu")


@contextmanager
def enough_memory(task: str, setting: str) -> Iterator[None]:
    """Turns an out-of-memory error of torch into an ExecutionError that names the setting to lower."""
    try:
        yield
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        raise ExecutionError(
            f"evaluate: {task}: the memory of the device does not hold a batch; lower {setting}. The tasks that were"
            " answered are kept."
        ) from error


def _greedy(model: Any, codec: Codec, config: EvaluateConfig) -> GenerationConfig:
    """Replaces the model's own settings, which may bring sampling or penalties."""
    return GenerationConfig(  # type: ignore[no-untyped-call]
        do_sample=False,
        num_beams=1,
        max_new_tokens=config.max_new_tokens,
        eos_token_id=sorted({codec.end, *_ends(model)}),
        pad_token_id=codec.pad,
        decoder_start_token_id=getattr(model.config, "decoder_start_token_id", None),
    )


def _ends(model: Any) -> list[int]:
    """The tokens that the model's own settings name as ends of a text; there may be several."""
    ends = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    return ends if isinstance(ends, list) else [] if ends is None else [ends]
