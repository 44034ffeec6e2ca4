"""What an evaluation is told."""

from dataclasses import dataclass
from typing import Annotated, Literal

from flanbuild.declare.settings import faults
from flanbuild.errors import DeclarationError

Dtype = Literal["auto", "float32", "bfloat16"]

_LEAST = {"examples": 1, "prompt_length": 8, "max_new_tokens": 1, "batch_tokens": 1, "batch": 1}


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """How much is asked of the model, and in what portions. FLAN 2021 reads 1,024 tokens and writes 256."""

    examples: Annotated[int | None, "Source rows a task; without it all that were rendered."] = None
    prompt_length: Annotated[int, "Tokens; a longer prompt loses its beginning, and is counted."] = 1024
    max_new_tokens: Annotated[int, "Where the model writes."] = 64
    batch_tokens: Annotated[int, "A batch, padding included, where options are ranked."] = 8192
    batch: Annotated[int, "Prompts a batch, where the model writes."] = 32
    dtype: Annotated[Dtype, "Of the weights; auto is bfloat16 on a GPU."] = "auto"

    def __post_init__(self) -> None:
        found = faults(self, "evaluate", _LEAST)
        if found:
            raise DeclarationError(*found)
