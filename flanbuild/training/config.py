"""What a training run is told: one frozen value, checked before any work."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from flanbuild.errors import DeclarationError, nearest

Schedule = Literal["constant", "linear", "cosine"]
Optimizer = Literal["adamw", "adafactor"]
Dtype = Literal["auto", "float32", "bfloat16"]
Attention = Literal["auto", "eager", "sdpa", "flex_attention"]

SMALL = "small"
TRAINED = "trained"
# What may change between a run and its resumption: none of them touches a number that is learnt.
_BESIDE_THE_NUMBERS = ("gradient_accumulation", "log_every", "save_every")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """The model, how examples become sequences, and how it learns. The defaults are for two CPU cores.

    FLAN 2021 itself: sequences of 1,024 + 256 tokens, 8,192 tokens a batch, 30,000 steps of Adafactor at 3e-5.
    """

    model: str = SMALL  # or a folder, or a name on the hub
    revision: str | None = None  # of a hub model: a commit
    tokenizer: str | None = None  # None: the model's own, which for `small` is one trained on the mixture
    vocab_size: int = 4096
    hidden_size: int = 128
    layers: int = 4
    heads: int = 4

    seq_length: int = 512
    prompt_length: int = 1024
    completion_length: int = 256
    packing: bool = True

    batch: int = 8  # sequences a step, over all processes
    gradient_accumulation: int = 1  # pieces a step is computed in
    steps: int = 60
    learning_rate: float = 1e-3
    warmup: int = 6  # steps
    schedule: Schedule = "cosine"
    optimizer: Optimizer = "adamw"
    weight_decay: float = 0.0
    clip: float = 1.0  # norm of the gradient
    seed: int = 0

    dtype: Dtype = "auto"  # bfloat16 autocast on a GPU; weights stay float32
    attention: Attention = (
        "auto"  # flex_attention for packed sequences on a GPU, the model's own choice elsewhere
    )
    validation_examples: int = 500
    log_every: int = 10  # steps; validation loss goes with it
    save_every: int = 50

    def __post_init__(self) -> None:
        faults = [*self._wrong_numbers(), *self._wrong_words()]
        if faults:
            raise DeclarationError(*faults)

    @property
    def own_tokenizer(self) -> bool:
        """Whether the tokenizer is trained on the mixture."""
        return self.tokenizer == TRAINED or (self.tokenizer is None and self.model == SMALL)

    def numbers(self) -> dict[str, Any]:
        """The settings that decide what is learnt."""
        return {name: value for name, value in asdict(self).items() if name not in _BESIDE_THE_NUMBERS}

    def _wrong_numbers(self) -> list[str]:
        least = {"vocab_size": 300, "hidden_size": 8, "seq_length": 8, "warmup": 0, "validation_examples": 1}
        least |= dict.fromkeys(
            (
                "layers",
                "heads",
                "prompt_length",
                "completion_length",
                "batch",
                "gradient_accumulation",
                "steps",
            ),
            1,
        )
        least |= dict.fromkeys(("log_every", "save_every"), 1)
        faults = [
            f"train.{name}: found {getattr(self, name)}, at least {low} is needed."
            for name, low in least.items()
            if getattr(self, name) < low
        ]
        if not self.learning_rate > 0:
            faults.append(f"train.learning_rate: found {self.learning_rate}, more than 0 is needed.")
        if self.completion_length >= self.seq_length:
            faults.append(
                f"train.seq_length: {self.seq_length} tokens leave a completion of {self.completion_length} no room"
                f" for its prompt; make it longer or completion_length shorter."
            )
        if self.heads > 0 and self.hidden_size % (2 * self.heads):
            faults.append(
                f"train.hidden_size: {self.hidden_size} is no multiple of twice the {self.heads} heads."
            )
        return faults

    def _wrong_words(self) -> list[str]:
        allowed = {"schedule": Schedule, "optimizer": Optimizer, "dtype": Dtype, "attention": Attention}
        return [
            f"train.{name}: no '{getattr(self, name)}'.{nearest(getattr(self, name), get_args(words))}"
            for name, words in allowed.items()
            if getattr(self, name) not in get_args(words)
        ]
