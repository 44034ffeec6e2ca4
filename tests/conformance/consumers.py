"""The table of consumers: what is installed, which view of the mixture is read, and by which snippet."""

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
SNIPPETS = FOLDER / "snippets"
TORCH = "torch==2.13.0"
"""The CPU build; data is read the same by any."""
WITH_GPU = ("bitsandbytes", "flash-attn", "torchvision", "triton", "vllm", "xformers")
"""Packages that need a GPU or the CUDA build of torch; no consumer needs them to read text."""
CUDA_FILES = (
    "torchaudio/lib/_torchaudio*.so",  # torchaudio, which LLaMA-Factory imports, does without it
    "streaming/vision/*.py",  # datasets of images, on torchvision; `import streaming` imports them
)
"""Files below site-packages that only the CUDA build of torch can load; they are removed."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment."""

    distribution: str
    """the package whose version the table shows"""
    requirements: tuple[str, ...]
    imports: tuple[str, ...] = ()
    """packages of WITH_GPU that the consumer imports even on a CPU"""

    @property
    def overrides(self) -> tuple[str, ...]:
        """Requirements that replace those of the consumer."""
        left_out = (name for name in WITH_GPU if name not in self.imports)
        return (TORCH, *(f"{name}; sys_platform == 'never'" for name in left_out))


@dataclass(frozen=True)
class Consumer:
    """One way of one consumer to read a mixture; `name` is also the snippet's file name."""

    name: str
    environment: str
    view: str
    trains: bool = False
    """whether tokens and labels are checked, with each tokenizer"""
    known: str = ""
    """what docs/conformance.md says is not right, as the run words it; anything else fails the run"""

    @property
    def snippet(self) -> Path:
        """The file that docs/conformance.md shows."""
        return SNIPPETS / f"{self.name}.py"

    @property
    def glue(self) -> int:
        """Lines of the snippet that are neither empty nor a comment."""
        lines = map(str.strip, self.snippet.read_text(encoding="utf-8").splitlines())
        return sum(bool(line) and not line.startswith("#") for line in lines)


def _environment(distribution: str, *others: str) -> Environment:
    return Environment(distribution, (distribution, *others))


ENVIRONMENTS = {
    "axolotl": Environment("axolotl", ("axolotl",), imports=("bitsandbytes", "triton")),
    "datasets": _environment("datasets", "torch"),
    "duckdb": _environment("duckdb"),
    "litdata": _environment("litdata", "polars", "pyarrow"),
    "llamafactory": _environment("llamafactory"),
    "lm-eval": _environment("lm-eval", "torch", "transformers"),
    "mlcroissant": _environment("mlcroissant", "pyarrow"),
    "olmo-core": _environment("ai2-olmo-core"),
    "oumi": _environment("oumi"),
    "pandas": _environment("pandas", "pyarrow"),
    "polars": _environment("polars"),
    "pyarrow": _environment("pyarrow"),
    "ray": Environment("ray", ("ray[data]",)),
    "streaming": _environment("mosaicml-streaming"),
    "torch": _environment("torch", "flanbuild"),
    "torchdata": _environment("torchdata", "datasets", "torch"),
    "torchtune": _environment("torchtune", "torch", "torchao<0.12"),
    "trl": _environment("trl"),
}
SHARDS = "shards"
SPACE = "a space is added before the completion"
"""by a tokenizer that puts a space before each text, where prompt and completion are tokenized apart"""
CONSUMERS = (
    Consumer("datasets_folder", "datasets", SHARDS),
    Consumer("datasets_streaming", "datasets", SHARDS),
    Consumer("datasets_by_node", "datasets", SHARDS),
    Consumer("trl_text", "trl", SHARDS, trains=True),
    Consumer("trl_messages", "trl", "messages", trains=True),
    Consumer("trl_packed", "trl", SHARDS, trains=True),
    Consumer("llamafactory", "llamafactory", SHARDS, trains=True, known=SPACE),
    Consumer("axolotl", "axolotl", SHARDS, trains=True, known=SPACE),
    Consumer("axolotl_tokens", "axolotl", "tokens", trains=True),
    Consumer("torchtune", "torchtune", SHARDS, trains=True),
    Consumer("oumi", "oumi", SHARDS, trains=True),
    Consumer("olmo_core", "olmo-core", "olmo-core", trains=True),
    Consumer("polars", "polars", SHARDS),
    Consumer("pyarrow", "pyarrow", SHARDS),
    Consumer("pandas", "pandas", SHARDS),
    Consumer("duckdb", "duckdb", "parquet"),
    Consumer("torch", "torch", SHARDS),
    Consumer("torchdata", "torchdata", SHARDS),
    Consumer("ray", "ray", "parquet"),
    Consumer("litdata", "litdata", "parquet"),
    Consumer("streaming", "streaming", "jsonl"),
    Consumer("lm_eval", "lm-eval", "lm-eval"),
    Consumer("mlcroissant", "mlcroissant", "hub"),
)
