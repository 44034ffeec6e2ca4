"""Checks the values of a configuration dataclass and words all faults at once."""

from collections.abc import Mapping
from dataclasses import fields
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from flanbuild.errors import nearest

_WANTED = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def faults(config: Any, section: str, least: Mapping[str, float]) -> list[str]:
    """A sentence for each field whose value has the wrong type, is not one of its literals, or is below `least`.

    `section` names the group of settings, as in `train.steps`.
    """
    hints = get_type_hints(type(config))
    sentences = []
    for field in fields(config):
        value = getattr(config, field.name)
        fault = _mistyped(value, hints[field.name]) or _too_low(value, least.get(field.name))
        sentences += [f"{section}.{field.name}: {fault}"] if fault else []
    return sentences


def _mistyped(value: Any, kind: Any) -> str:
    if get_origin(kind) is Literal:
        words = get_args(kind)
        return "" if value in words else f"no '{value}'.{nearest(str(value), words)}"
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    if value is None and NoneType in kinds:
        return ""
    allowed = [*kinds, int] if float in kinds else list(kinds)
    if isinstance(value, bool) != (bool in kinds) or not isinstance(value, tuple(allowed)):
        return f"found {value!r}, {' or '.join(_WANTED[k] for k in kinds if k in _WANTED)} is needed."
    return ""


def _too_low(value: Any, least: float | None) -> str:
    low = least is not None and value is not None and value < least
    return f"found {value}, at least {least} is needed." if low else ""
