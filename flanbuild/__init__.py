"""Builds instruction-tuning mixtures from declarations, reproducible to the byte.

import flanbuild

built = flanbuild.build("flan2021", holdout="nli")
examples = flanbuild.load(built.folder)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flanbuild.builder import build
    from flanbuild.read import load

__version__ = "0.1.0"
__all__ = ["__version__", "build", "load"]

_HOMES = {"build": "flanbuild.builder", "load": "flanbuild.read"}


def __getattr__(name: str) -> Any:
    # Loaded on first use: pyarrow and numpy take half a second to import, and most commands do not read mixtures.
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'flanbuild' has no attribute '{name}'")
