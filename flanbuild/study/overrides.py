"""Overrides as `dvc exp run -S` takes them: `[file:]key=value`, of params.yaml or of a mixture file.

DVC applies them with Hydra; `applied` does the same to data, so that they are checked before DVC runs.
"""

import json
import re
from collections.abc import Iterable, Mapping

from pydantic import JsonValue
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from flanbuild.declare.params import FILE
from flanbuild.errors import DeclarationError

Overrides = Mapping[str, JsonValue]
"""`[file:]key` → value; a key of several parts is dotted, and a mapping is merged into the one that is there."""

_PLAIN = re.compile(r"[A-Za-z_][\w./+-]*")
"""Text that Hydra reads as text without quotes, unless it is one of its words."""
_WORDS = {"true", "false", "null", "nan", "inf"}


def parse(given: Iterable[str]) -> dict[str, JsonValue]:
    """The overrides that a command line gives, each `[file:]key=value` with a value in YAML.

    >>> parse(["train.steps=5", "source=mirror"])
    {'train.steps': 5, 'source': 'mirror'}

    Raises DeclarationError for one that has no `=` or whose value is not YAML.
    """
    overrides: dict[str, JsonValue] = {}
    for text in given:
        name, equals, value = text.partition("=")
        try:
            if not (name and equals):
                raise YAMLError
            overrides[name] = YAML(typ="safe").load(value)
        except YAMLError:
            raise DeclarationError(f"-S {text}: expected [FILE:]KEY=VALUE with a value in YAML.") from None
    return overrides


def by_file(overrides: Overrides) -> dict[str, dict[str, JsonValue]]:
    """File → key → value."""
    files: dict[str, dict[str, JsonValue]] = {}
    for name, value in overrides.items():
        file, colon, key = name.partition(":")
        files.setdefault(file if colon else str(FILE), {})[key if colon else name] = value
    return files


def applied(data: Mapping[str, JsonValue], overrides: Overrides) -> dict[str, JsonValue]:
    """The data with the values of dotted keys replaced, and with keys that it lacks added.

    >>> applied({"train": {"steps": 1, "seed": 0}}, {"train.steps": 5, "size": {"passes": 1}})
    {'train': {'steps': 5, 'seed': 0}, 'size': {'passes': 1}}
    """
    result = dict(data)
    for name, value in overrides.items():
        first, dot, rest = name.partition(".")
        old = result.get(first)
        if dot:
            result[first] = applied(old if isinstance(old, dict) else {}, {rest: value})
        else:
            result[first] = _merged(old, value)
    return result


def _merged(old: JsonValue, new: JsonValue) -> JsonValue:
    """The new value; of two mappings the keys of both, which are not dotted here."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    return {**old, **{key: _merged(old.get(key), value) for key, value in new.items()}}


def arguments(overrides: Overrides) -> list[str]:
    """The overrides as arguments of `dvc exp run`.

    >>> arguments({"train.steps": 5, "mixtures/flan2021.yaml:clusters": ["nli", "misc"]})
    ['--set-param=++train.steps=5', '--set-param=mixtures/flan2021.yaml:++clusters=[nli,misc]']
    """
    split = [(*name.rpartition(":"), value) for name, value in overrides.items()]
    return [f"--set-param={file}{colon}++{key}={_hydra(value)}" for file, colon, key, value in split]


def _hydra(value: JsonValue) -> str:
    """A value in the grammar of Hydra's overrides."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_hydra(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_hydra, value)) + "]"
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
