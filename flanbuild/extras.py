"""Which optional packages are here, asked before work that needs them starts; and one that is not needed."""

import sys
from importlib.abc import MetaPathFinder
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


def spare_pandas() -> None:
    """Keeps pyarrow from importing pandas, for a process of our own that will make no Series: 1 to 2 s each.

    pyarrow looks for it once, at the first value it makes, and remembers. Not for a process that a user's code
    runs in: `pa.array` of a Series would no longer know it.
    """
    if "pandas" not in sys.modules:
        absent = _NoPandas()
        sys.meta_path.insert(0, absent)
        try:
            import pyarrow as pa

            pa.scalar(0)
        finally:
            sys.meta_path.remove(absent)


class _NoPandas(MetaPathFinder):
    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError("pandas is not needed here", name=fullname)
