"""Which optional packages are here, asked before work that needs them starts."""

from importlib.util import find_spec

from flanbuild.errors import FlanbuildError

TRAIN = (
    "accelerate",
    "matplotlib",
    "rouge_score",
    "sacrebleu",
    "safetensors",
    "sklearn",
    "tokenizers",
    "torch",
    "transformers",
)


def require_train(work: str, modules: tuple[str, ...] = TRAIN) -> None:
    """Stops with one sentence when a package of the `train` extra is missing. `work` says what wants it."""
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise FlanbuildError(f"{work} needs {', '.join(missing)}: pip install 'flanbuild[train]'.")
