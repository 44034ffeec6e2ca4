"""The layouts of exports by name, and the options that each takes: what `views:` of a mixture may hold.

The functions that write them are in flanbuild/export/views.py.
"""

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from flanbuild.declare.document import StrictModel

ViewName = Literal[
    "parquet",
    "jsonl",
    "messages",
    "alpaca",
    "seq2seq",
    "tokens",
    "packed",
    "megatron",
    "olmo-core",
    "hub",
    "lm-eval",
]
VIEW_NAMES: tuple[ViewName, ...] = get_args(ViewName)
_TOKENS = frozenset({"tokenizer", "seq_length"})
VIEW_OPTIONS: Mapping[ViewName, frozenset[str]] = dict.fromkeys(VIEW_NAMES, frozenset[str]()) | {
    "parquet": frozenset({"rename"}),
    "jsonl": frozenset({"rename"}),
    "tokens": _TOKENS,
    "packed": _TOKENS,
    "megatron": _TOKENS,
    "olmo-core": _TOKENS,
    "hub": frozenset({"date", "sign"}),
    "lm-eval": frozenset({"evaluation", "examples", "templates"}),
}
"""Layout -> the fields of ViewOptions that it takes."""
DATE = r"^\d{4}-\d{2}-\d{2}$"


def _as_text(value: Any) -> Any:
    """YAML reads 2026-11-26 as a date."""
    return value.isoformat() if isinstance(value, datetime.date) else value


class ViewOptions(StrictModel):
    """Options of one layout, named as on the command line. Paths are relative to the working directory."""

    rename: dict[str, str] = {}
    """Column of the mixture and its name in the export (parquet, jsonl)."""
    tokenizer: str | None = None
    """Tokenizer, a folder or a name on the hub (tokens, packed, megatron, olmo-core)."""
    seq_length: Annotated[int, Field(gt=0)] | None = None
    """Maximum tokens per sequence (tokens, packed, megatron, olmo-core)."""
    date: Annotated[str, Field(pattern=DATE), BeforeValidator(_as_text)] | None = None
    """Date of publication (hub)."""
    sign: Path | None = None
    """File of the private key that signs the statement of provenance (hub)."""
    evaluation: Path | None = None
    """Folder of the evaluation sets (lm-eval)."""
    examples: Annotated[int, Field(gt=0)] | None = None
    """Rows per task (lm-eval)."""
    templates: Annotated[int, Field(gt=0)] | None = None
    """Templates per task, the first ones (lm-eval)."""


def _with_options(item: Any) -> Any:
    """`parquet` and `{parquet: }` as `{parquet: {}}`."""
    named = {item: None} if isinstance(item, str) else item
    return (
        {name: {} if options is None else options for name, options in named.items()}
        if isinstance(named, dict)
        else named
    )


DeclaredView = Annotated[
    dict[ViewName, ViewOptions],
    BeforeValidator(_with_options, json_schema_input_type=ViewName | dict[ViewName, ViewOptions | None]),
]
"""One layout with its options, written as `parquet` or `{packed: {tokenizer: models/nli}}`."""


def checked_views(views: tuple[dict[ViewName, ViewOptions], ...]) -> tuple[dict[ViewName, ViewOptions], ...]:
    """The views. Raises an error of pydantic for an option that a layout does not take, and for one that comes twice."""
    seen: set[str] = set()
    for view in views:
        if len(view) != 1:
            raise ValueError("each item of views is one layout, such as {packed: {tokenizer: models/nli}}")
        [(name, options)] = view.items()
        if name in seen:
            raise _fault(f"'{name}' comes twice, and both would be written to the same folder")
        if others := sorted(options.model_fields_set - VIEW_OPTIONS[name]):
            allowed = ", ".join(sorted(VIEW_OPTIONS[name])) or "none"
            raise _fault(f"'{others[0]}' is no option of '{name}', whose options are: {allowed}")
        seen.add(name)
    return views


def _fault(sentence: str) -> PydanticCustomError:
    """Shown without the value, which may be long."""
    return PydanticCustomError("unknown_name", "{sentence}.", {"sentence": sentence})
