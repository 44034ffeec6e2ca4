"""`training.json`: what a model folder was made from and how. Training writes it, evaluation reads it."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ClassVar, Literal

from flanbuild.artifacts.records import Digest, Part, Record

MODEL_FILES = (
    "added_tokens.json",
    "chat_template.jinja",
    "config.json",
    "generation_config.json",
    "merges.txt",
    "model*.safetensors",
    "model.safetensors.index.json",
    "special_tokens_map.json",
    "spiece.model",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.txt",
)
"""What `save_pretrained` may write for a model and a tokenizer. A file that is left over from another model is read."""


class MixtureRef(Part):
    """A mixture by name and digest."""

    name: str
    digest: Digest


class ModelRef(Part):
    """A model with its tokenizer: a folder, or a name on the hub."""

    kind: Literal["folder", "hub"]
    name: str
    """a folder is absolute, or relative to the folder of the record that names it"""
    revision: str | None = None
    """the commit of a hub model"""
    tokenizer: str | None = None
    """a folder or a hub name; None is the model's own tokenizer"""

    @classmethod
    def of(cls, name: str, revision: str | None = None, tokenizer: str | None = None) -> "ModelRef":
        """What a person means by `name`: a folder if there is one, otherwise a name on the hub."""
        kind: Literal["folder", "hub"] = "folder" if Path(name).exists() else "hub"
        return cls(kind=kind, name=name, revision=revision if kind == "hub" else None, tokenizer=tokenizer)

    def resolved(self, folder: Path) -> "ModelRef":
        """The same model with its paths taken relative to `folder`, so that any working directory finds it."""
        update: dict[str, str] = {}
        if self.kind == "folder":
            update["name"] = str(folder / self.name)
        if self.tokenizer is not None and (folder / self.tokenizer).exists():
            update["tokenizer"] = str(folder / self.tokenizer)
        return self.model_copy(update=update)


class Environment(Part):
    """What a run ran on. It decides the digits of the result, not their meaning."""

    device: str
    """`cpu`, or the name of the GPU"""
    processes: int = 1
    versions: dict[str, str]


class TokenCounts(Part):
    """Training examples as tokens, and what truncation took from them."""

    examples: int
    tokens: int
    completion_tokens: int
    truncated_prompts: int
    truncated_prompt_tokens: int
    truncated_completions: int
    truncated_completion_tokens: int
    border_merges: int
    """examples that the tokenizer would tokenize in another way as one text"""
    sequences: int
    packing_efficiency: float
    """share of the sequences that holds tokens"""


class TrainingRecord(Record):
    """`training.json` of a model folder."""

    FORMAT: ClassVar[int] = 2

    mixture: MixtureRef
    holdout: tuple[str, ...]
    config: dict[str, Any]
    """the settings that decide the result, as given"""
    base: ModelRef
    """the model before training, with the tokenizer of this folder"""
    tokenizer: Digest
    """of the files that the tokenizer saves"""
    dtype: str
    """of the computation; weights are float32"""
    attention: str
    data: TokenCounts
    environment: Environment


@cache
def model_versions() -> dict[str, str]:
    """The versions of the packages that decide a model's numbers."""
    versions = {}
    for name in ("accelerate", "flanbuild", "safetensors", "tokenizers", "torch", "transformers"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "unknown"
    return versions
