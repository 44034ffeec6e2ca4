"""Settings of an evaluation."""

from dataclasses import dataclass
from typing import Annotated, Literal

from flanbuild.declare.settings import faults
from flanbuild.errors import DeclarationError
from flanbuild.model.settings import PROMPT_LENGTH, Dtype

_LEAST = {"examples": 1, "prompt_length": 8, "max_new_tokens": 1, "batch_tokens": 1, "batch": 1}


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """Which rows are used, how prompts are truncated, and the batch sizes. FLAN 2021 generates up to 256 tokens."""

    examples: Annotated[int | None, "Rows per task, each under every template; by default all rows."] = None
    prompt_length: Annotated[
        int, "Maximum tokens per prompt; a longer one loses its beginning, and is counted."
    ] = PROMPT_LENGTH
    max_new_tokens: Annotated[int, "Maximum tokens to generate per answer."] = 64
    batch_tokens: Annotated[int, "Tokens per batch when ranking options, padding included."] = 8192
    batch: Annotated[int, "Prompts per batch when generating."] = 32
    dtype: Annotated[
        Dtype, "Type of weights and computation; auto is bfloat16 on a GPU that supports it."
    ] = "auto"
    revision: Annotated[str | None, "Commit of a hub model."] = None
    tokenizer: Annotated[
        str | None, "Folder or hub name of a tokenizer; by default the model's own tokenizer."
    ] = None
    tokenizer_revision: Annotated[str | None, "Commit of a tokenizer on the hub."] = None
    template: Annotated[
        Literal["auto", "none", "chat"],
        "`chat` puts prompts into the tokenizer's chat template; auto does what the model's training did.",
    ] = "auto"

    def __post_init__(self) -> None:
        messages = faults(self, "evaluate", _LEAST)
        if messages:
            raise DeclarationError(*messages)
