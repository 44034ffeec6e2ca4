"""Builds instruction-tuning mixtures from declarations, reproducible to the byte.

import flanbuild

examples = flanbuild.load("data/mixtures/flan2021-without-nli")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flanbuild.read import load

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def __getattr__(name: str) -> Any:
    # Loaded on first use: pyarrow and numpy take half a second to import, and most commands do not read mixtures.
    if name == "load":
        return import_module("flanbuild.read").load
    raise AttributeError(f"module 'flanbuild' has no attribute '{name}'")
