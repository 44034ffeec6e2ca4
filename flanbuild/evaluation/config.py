"""Settings of an evaluation."""

from dataclasses import dataclass
from typing import Annotated, Literal

from flanbuild.declare.settings import faults
from flanbuild.errors import DeclarationError
from flanbuild.model.settings import PROMPT_LENGTH, Dtype

ProtocolName = Literal["flan", "lm-eval", "t0"]
_LEAST = {
    "examples": 1,
    "templates": 1,
    "dev_examples": 0,
    "seen_tasks": 0,
    "seen_examples": 1,
    "prompt_length": 8,
    "max_new_tokens": 1,
    "batch_tokens": 1,
    "batch": 1,
}


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """Which rows are used, how prompts are truncated, and the batch sizes. FLAN 2021 generates up to 256 tokens."""

    protocol: Annotated[
        ProtocolName, "Rules of scoring: flan is ours, lm-eval and t0 give the numbers of those harnesses."
    ] = "flan"
    examples: Annotated[int | None, "Rows per task, each under every template; by default all rows."] = None
    templates: Annotated[int | None, "Templates per task, the first ones; by default all."] = None
    dev_examples: Annotated[
        int, "Dev rows per task, which decide the template that is best on dev; 0 scores none."
    ] = 100
    seen_tasks: Annotated[
        int, "Trained tasks of which dev rows are scored beside the held-out tasks; 0 scores none."
    ] = 4
    seen_examples: Annotated[int, "Dev rows per trained task, each under every template."] = 20
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
        if self.template == "chat" and self.protocol != "flan":
            messages.append(
                f"evaluate.template: the protocol {self.protocol} has no chat template; use the protocol flan."
            )
        if messages:
            raise DeclarationError(*messages)
