"""What an evaluation is told."""

from dataclasses import dataclass
from typing import Literal, get_args

from flanbuild.errors import DeclarationError, nearest

Dtype = Literal["auto", "float32", "bfloat16"]


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """How much is asked of the model, and in what portions. FLAN 2021 reads 1,024 tokens and writes 256."""

    examples: int | None = None  # source rows a task; None: all that were rendered
    prompt_length: int = 1024  # tokens; a longer prompt loses its beginning, and is counted
    max_new_tokens: int = 64
    batch_tokens: int = 8192  # padding included, when options are ranked
    batch: int = 32  # prompts, when text is generated
    dtype: Dtype = "auto"  # bfloat16 weights on a GPU

    def __post_init__(self) -> None:
        least = {"prompt_length": 8, "max_new_tokens": 1, "batch_tokens": 1, "batch": 1}
        least |= {} if self.examples is None else {"examples": 1}
        faults = [
            f"evaluate.{name}: found {getattr(self, name)}, at least {low} is needed."
            for name, low in least.items()
            if getattr(self, name) < low
        ]
        if self.dtype not in get_args(Dtype):
            faults.append(f"evaluate.dtype: no '{self.dtype}'.{nearest(self.dtype, get_args(Dtype))}")
        if faults:
            raise DeclarationError(*faults)
