"""`training.json`: what a model folder was made from and how. Training writes it, evaluation reads it."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ClassVar, Literal

from flanbuild.artifacts.records import Digest, Part, Record

MODEL_FILES = (
    "README.md",
    "adapter_config.json",
    "adapter_model.safetensors",
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
"""What `save_pretrained` may write for a model, an adapter and a tokenizer. A file that is left over from another model is read."""

UNTUNED = "untuned"
"""The folder of the small model before training, inside the model folder."""


class MixtureRef(Part):
    """A mixture by name and digest."""

    name: str
    digest: Digest


class ModelRef(Part):
    """A model with its tokenizer: a path (folder of a model or an adapter, GGUF file or its folder), or a hub name."""

    kind: Literal["folder", "hub"]
    name: str
    """a path is absolute, or relative to the folder of the record that names it"""
    revision: str | None = None
    """the commit of a hub model"""
    tokenizer: str | None = None
    """a folder, a GGUF file or a hub name; None is the model's own tokenizer"""
    tokenizer_revision: str | None = None
    """the commit of a tokenizer that is not the model's own"""
    digest: Digest | None = None
    """of the files that a local model had when it was trained from; loading it compares them"""

    @classmethod
    def of(
        cls,
        name: str,
        revision: str | None = None,
        tokenizer: str | None = None,
        tokenizer_revision: str | None = None,
    ) -> "ModelRef":
        """What a person means by `name`: a path if there is one, otherwise a name on the hub."""
        kind: Literal["folder", "hub"] = "folder" if Path(name).exists() else "hub"
        return cls(
            kind=kind,
            name=name,
            revision=revision if kind == "hub" else None,
            tokenizer=tokenizer,
            tokenizer_revision=tokenizer_revision if tokenizer is not None else None,
        )

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


class TrainedCounts(Part):
    """What the steps of a training used: `trained` in the `metrics.json` of a model folder."""

    steps: int
    examples: int
    """an example counts each time it is used"""
    tokens: int
    completion_tokens: int
    examples_not_reached: int
    """examples of the mixture that no step used"""


class TrainingRecord(Record):
    """`training.json` of a model folder."""

    FORMAT: ClassVar[int] = 3

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
    weights: dict[str, Digest] = {}
    """sha256 of each file of weights; evaluation compares them"""


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
