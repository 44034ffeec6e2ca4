"""What a training run is told: one frozen value, checked before any work."""

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from flanbuild.declare.settings import faults
from flanbuild.errors import DeclarationError

Schedule = Literal["constant", "linear", "cosine"]
Optimizer = Literal["adamw", "adafactor"]
Dtype = Literal["auto", "float32", "bfloat16"]
Attention = Literal["auto", "eager", "sdpa", "flex_attention"]

SMALL = "small"
TRAINED = "trained"
# What may change between a run and its resumption without a trace in what is written.
_BESIDE_THE_NUMBERS = ("save_every",)

_LEAST = {
    **dict.fromkeys(("layers", "heads", "prompt_length", "completion_length", "batch", "steps"), 1),
    **dict.fromkeys(("gradient_accumulation", "validation_examples", "log_every", "save_every"), 1),
    **dict.fromkeys(("warmup", "weight_decay", "seed"), 0),
    "vocab_size": 300,
    "hidden_size": 8,
    "seq_length": 8,
    "learning_rate": 1e-12,
    "clip": 1e-12,
}


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """The model, how examples become sequences, and how it learns. The defaults are for two CPU cores.

    FLAN 2021 itself: prompts of 1,024 and completions of 256 tokens, 8,192 tokens a batch, 30,000 steps of
    Adafactor at 3e-5.
    """

    model: Annotated[str, "`small`, which is built here; a folder; or a name on the hub."] = SMALL
    revision: Annotated[str | None, "The commit of a hub model."] = None
    tokenizer: Annotated[
        str | None, "`trained` on the mixture, a folder or a name; without it the model's own."
    ] = None
    vocab_size: Annotated[int, "Of a trained tokenizer."] = 2048
    hidden_size: Annotated[int, "Of the small model."] = 128
    layers: Annotated[int, "Of the small model."] = 2
    heads: Annotated[int, "Of the small model."] = 4

    seq_length: Annotated[int, "Tokens a sequence."] = 512
    prompt_length: Annotated[int, "Tokens; a longer prompt loses its beginning, and is counted."] = 1024
    completion_length: Annotated[int, "Tokens; a longer completion loses its end, and is counted."] = 256
    packing: Annotated[bool, "Several examples a sequence, none of which sees another."] = True

    batch: Annotated[int, "Sequences a step, over all processes."] = 8
    gradient_accumulation: Annotated[int, "Pieces that a process computes its share of a step in."] = 1
    steps: Annotated[int, "Updates of the weights."] = 100
    learning_rate: Annotated[float, "At its peak."] = 3e-3
    warmup: Annotated[int, "Steps until the peak."] = 6
    schedule: Annotated[Schedule, "After the peak."] = "cosine"
    optimizer: Annotated[Optimizer, "What moves the weights."] = "adamw"
    weight_decay: Annotated[float, "A step and unit of learning rate."] = 0.0
    clip: Annotated[float, "The largest norm of a gradient."] = 1.0
    seed: Annotated[int, "Of the weights, the order of sequences and dropout."] = 0

    dtype: Annotated[Dtype, "Of the computation; auto is bfloat16 on a GPU. Weights stay float32."] = "auto"
    attention: Annotated[Attention, "auto is flex_attention for packed sequences on a GPU."] = "auto"
    validation_examples: Annotated[int, "The first so many are checked on."] = 200
    log_every: Annotated[int, "Steps between two looks at the validation loss."] = 20
    save_every: Annotated[int, "Steps between two checkpoints."] = 50

    def __post_init__(self) -> None:
        found = faults(self, "train", _LEAST) or self._unfit()
        if found:
            raise DeclarationError(*found)

    @property
    def own_tokenizer(self) -> bool:
        """Whether the tokenizer is trained on the mixture."""
        return self.tokenizer == TRAINED or (self.tokenizer is None and self.model == SMALL)

    def numbers(self) -> dict[str, Any]:
        """The settings that decide what is written."""
        return {name: value for name, value in asdict(self).items() if name not in _BESIDE_THE_NUMBERS}

    def _unfit(self) -> list[str]:
        """Values that don't go together."""
        found = []
        if self.completion_length >= self.seq_length:
            found.append(
                f"train.seq_length: {self.seq_length} tokens leave a prompt no room beside a completion of"
                f" {self.completion_length}; make it longer, or completion_length shorter."
            )
        if self.hidden_size % (2 * self.heads):
            found.append(
                f"train.hidden_size: {self.hidden_size} is no multiple of twice the {self.heads} heads."
            )
        return found
