"""Faults of a config dataclass, in the words of the person who set it, all at once."""

from collections.abc import Mapping
from dataclasses import fields
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from flanbuild.errors import nearest

_WANTED = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def faults(config: Any, section: str, least: Mapping[str, float]) -> list[str]:
    """Fields whose value is not of their type, not among their words, or below `least`."""
    hints = get_type_hints(type(config))
    found = []
    for field in fields(config):
        value = getattr(config, field.name)
        fault = _mistyped(value, hints[field.name]) or _too_low(value, least.get(field.name))
        found += [f"{section}.{field.name}: {fault}"] if fault else []
    return found


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
