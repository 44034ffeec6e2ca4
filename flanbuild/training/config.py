"""Settings of a training run: one frozen value, checked before any work."""

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from flanbuild.declare.settings import faults
from flanbuild.errors import DeclarationError
from flanbuild.model.settings import PROMPT_LENGTH, SMALL, Dtype, Template

Schedule = Literal["constant", "linear", "cosine"]
Optimizer = Literal["adamw", "adafactor"]
Attention = Literal["auto", "eager", "sdpa", "flex_attention"]

TRAINED = "trained"
# Settings that may change between a run and its continuation, since they change nothing that is written.
_WITHOUT_EFFECT = ("save_every", "log_with")

_LEAST = {
    **dict.fromkeys(("layers", "heads", "prompt_length", "completion_length", "batch", "steps"), 1),
    **dict.fromkeys(("gradient_accumulation", "validation_examples", "log_every", "save_every"), 1),
    **dict.fromkeys(("warmup", "weight_decay", "seed", "lora_rank", "lora_dropout"), 0),
    "lora_alpha": 1,
    "vocab_size": 300,
    "hidden_size": 8,
    "seq_length": 8,
    "learning_rate": 1e-12,
    "clip": 1e-12,
}


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """The model, how examples become sequences, and the optimization. The defaults suit two CPU cores.

    FLAN 2021 itself: prompts of 1,024 and completions of 256 tokens, 8,192 tokens per batch, 30,000 steps of
    Adafactor with a learning rate of 3e-5.
    """

    model: Annotated[
        str,
        "`small` (built from the sizes below), a folder of a model or an adapter, a GGUF file, or a name on the hub.",
    ] = SMALL
    revision: Annotated[str | None, "Commit of a hub model."] = None
    tokenizer: Annotated[
        str | None,
        "`trained` on the mixture, a folder or a hub name; by default the model's own tokenizer.",
    ] = None
    tokenizer_revision: Annotated[str | None, "Commit of a tokenizer on the hub."] = None
    template: Annotated[
        Template, "`chat` puts prompts into the tokenizer's chat template, which instruct models need."
    ] = "none"
    vocab_size: Annotated[int, "Maximum tokens of a trained tokenizer."] = 2048
    hidden_size: Annotated[int, "Hidden size of the small model."] = 128
    layers: Annotated[int, "Layers of the small model."] = 2
    heads: Annotated[int, "Attention heads of the small model."] = 4

    seq_length: Annotated[int, "Tokens per sequence."] = 512
    prompt_length: Annotated[
        int, "Maximum tokens per prompt; a longer one loses its beginning, and is counted."
    ] = PROMPT_LENGTH
    completion_length: Annotated[
        int, "Maximum tokens per completion; a longer one loses its end, and is counted."
    ] = 256
    packing: Annotated[bool, "Several examples per sequence, isolated from each other."] = True

    batch: Annotated[int, "Sequences per step, over all processes."] = 8
    gradient_accumulation: Annotated[int, "Micro-batches per step and process."] = 1
    steps: Annotated[int, "Updates of the weights."] = 100
    learning_rate: Annotated[float, "Peak learning rate."] = 3e-3
    warmup: Annotated[int, "Steps until the peak learning rate."] = 6
    schedule: Annotated[Schedule, "Learning rate after the peak."] = "cosine"
    optimizer: Annotated[Optimizer, "Optimizer."] = "adamw"
    weight_decay: Annotated[float, "Decay per step, multiplied by the learning rate."] = 0.0
    clip: Annotated[float, "Maximum norm of the gradient."] = 1.0
    seed: Annotated[int, "Seed of the small model's weights, the order of sequences, and dropout."] = 0

    dtype: Annotated[
        Dtype, "Type of the computation; auto is bfloat16 on a GPU that supports it. Weights stay float32."
    ] = "auto"
    attention: Annotated[
        Attention, "Attention implementation; auto is flex_attention for packed sequences on a GPU."
    ] = "auto"
    compile: Annotated[
        bool, "torch.compile of the model; for packed sequences, whose shapes do not change."
    ] = False
    gradient_checkpointing: Annotated[
        bool, "Compute activations twice instead of keeping them: less memory, a third more time."
    ] = False
    lora_rank: Annotated[
        int, "Rank of LoRA adapters that are trained in place of the weights; 0 is none."
    ] = 0
    lora_alpha: Annotated[int, "Scale of LoRA adapters, divided by their rank."] = 32
    lora_dropout: Annotated[float, "Dropout of LoRA adapters."] = 0.0
    lora_targets: Annotated[
        str, "Layers with LoRA adapters: all-linear, or names with commas such as q_proj,v_proj."
    ] = "all-linear"
    lora_merge: Annotated[bool, "Write the whole model with adapters merged, in place of an adapter."] = False
    log_with: Annotated[
        str | None, "Tracker of accelerate that gets the losses too, such as tensorboard or wandb."
    ] = None
    validation_examples: Annotated[int, "Validation rows used, from the first."] = 200
    log_every: Annotated[int, "Steps between two validation losses."] = 20
    save_every: Annotated[int, "Steps between two checkpoints."] = 50

    def __post_init__(self) -> None:
        messages = faults(self, "train", _LEAST) or self._conflicts()
        if messages:
            raise DeclarationError(*messages)

    @property
    def own_tokenizer(self) -> bool:
        """Whether the tokenizer is trained on the mixture."""
        return self.tokenizer == TRAINED or (self.tokenizer is None and self.model == SMALL)

    def numbers(self) -> dict[str, Any]:
        """The settings that decide the trained weights."""
        return {name: value for name, value in asdict(self).items() if name not in _WITHOUT_EFFECT}

    def _conflicts(self) -> list[str]:
        """Values that are not valid together."""
        conflicts = []
        if self.completion_length >= self.seq_length:
            conflicts.append(
                f"train.seq_length: {self.seq_length} tokens leave no room for a prompt beside a completion of"
                f" {self.completion_length}; raise it, or lower completion_length."
            )
        if self.hidden_size % (2 * self.heads):
            conflicts.append(
                f"train.hidden_size: {self.hidden_size} is not a multiple of twice the {self.heads} heads."
            )
        if self.lora_merge and not self.lora_rank:
            conflicts.append("train.lora_merge: there is no adapter to merge; set lora_rank.")
        if self.compile and not self.packing:
            conflicts.append("train.compile: padded batches have many shapes; use it with packing.")
        return conflicts
