"""Reading YAML that people write: version 1.2, no unknown keys, every fault with its file and line.

`read` returns plain data and `validate` turns it into a frozen model. Both collect faults in a `Faults` list
instead of stopping at the first one.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails, PydanticCustomError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from flanbuild.errors import nearest

Keys = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)

MAX_BYTES = 256 << 10
"""Bytes of a file that people write."""
MAX_DEPTH = 40
"""Levels of lists and mappings inside each other."""
MAX_ALIASES = 100
"""Aliases (`*name`) in a file. An alias inside a value with an anchor is refused: ten lines of such aliases can stand
for a billion values."""

SEGMENT = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
"""A name from a declaration that becomes part of a path: of a cluster, dataset, subset or upstream split."""

RENAMED = {
    "enough": "max_rows",
    "joiner": "separator",
    "licence": "license",
    "licences": "licenses",
    "versions": "templates_per_row",
}
"""Former names of keys. Each is a fault that states the present name."""

_EXPECTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dict_type": "a mapping of keys to values",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "float_type": "a number",
    "fraction_parsing": "a number or a fraction such as 1/3",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "list_type": "a list",
    "string_type": "text",
    "tuple_type": "a list",
}

_PATTERNS = {
    r"^[^\x00-\x1f\x7f]+$": "expected one line of text",
    r"^[^/\\\x00-\x1f\x7f][^\x00-\x1f\x7f]*$": "expected a path relative to the task file or the repository",
}
"""Patterns with a plainer wording."""
_OTHER_FORMS = ("dict_type", "list_type", "string_type", "tuple_type")
"""Errors of a form that a value does not have."""
_DERIVED = ("name", "dataset", "cluster", "path")
"""Fields of models that follow from a file's position, so that nobody declares them."""
_TOO = {
    "greater_than": "a number greater than {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "less_than": "a number less than {lt}",
    "less_than_equal": "a number of at most {le}",
    "too_short": "a list of at least {min_length} item(s)",
    "string_too_short": "text of at least {min_length} character(s)",
    "string_too_long": "text of at most {max_length} characters",
}
"""Errors of a value that is too large or too small, with the limit."""


class StrictModel(BaseModel):
    """A frozen model of a declaration, in which an unknown key is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, use_attribute_docstrings=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_boolean_as_number(cls, value: Any, info: ValidationInfo) -> Any:
        """pydantic reads true as 1, so that `cap: true` would take one row of each task."""
        inner = value.values() if isinstance(value, dict) else (value,)
        annotation: Any = cls.model_fields[info.field_name or ""].annotation
        kinds = _kinds(annotation)
        if kinds & {int, float} and bool not in kinds and any(isinstance(item, bool) for item in inner):
            raise PydanticCustomError("boolean", "expected a number")
        return value


class Faults(list[str]):
    """The faults of one file, each with the position that it is about.

    With `subset`, keys that this subset of the file replaces are found below `subsets`.
    """

    def __init__(self, path: Path, subset: str | None = None) -> None:
        super().__init__()
        self.path = path
        self.subset = subset
        self._added: set[str] = set()

    @cached_property
    def _tree(self) -> Any:
        """The file's data with line numbers, or None if the file cannot be read."""
        try:
            text = _text(self.path)
            return None if _excess(text) else _parsed(text)
        except (OSError, ValueError, YAMLError):
            return None

    def add(self, keys: Keys, sentence: str) -> None:
        """Adds a sentence about the value under `keys`, unless it is already there."""
        keys = self._in_subset(keys)
        fault = ": ".join(filter(None, (self.position(keys), dotted(keys), sentence)))
        if fault not in self._added:
            self._added.add(fault)
            self.append(fault)

    def position(self, keys: Keys) -> str:
        """`path:line` of the value under `keys`, or the path alone if the file has no such value."""
        line = _line(self._tree, keys)
        return f"{self.path}:{line}" if line else str(self.path)

    def _in_subset(self, keys: Keys) -> Keys:
        if self.subset is None or not keys:
            return keys
        inside: Keys = ("subsets", self.subset, *keys)
        try:
            replaced = keys[0] in self._tree["subsets"][self.subset]
        except (KeyError, TypeError):
            return keys
        return inside if replaced else keys


def unknown_name(kind: str, name: str, known: Iterable[str]) -> PydanticCustomError:
    """The error that a validator raises for a name that no registry has, with the nearest known name."""
    return PydanticCustomError(
        "unknown_name",
        "no {kind} '{name}' is known here.{hint}",
        {"kind": kind, "name": name, "hint": nearest(name, known)},
    )


def read(path: Path, faults: Faults) -> Any:
    """The plain data of a YAML file, or None with a fault where the file is not YAML 1.2 in UTF-8 or too large."""
    try:
        text = _text(path)
    except UnicodeDecodeError as error:
        faults.add((), f"byte {error.start} is not UTF-8.")
        return None
    except OSError as error:
        faults.append(f"{path}: {error.strerror or error}.")
        return None
    except ValueError as error:
        faults.append(f"{path}: {error}")
        return None
    try:
        if excess := _excess(text):
            faults.append(f"{path}:{excess}")
            return None
        return YAML(typ="safe").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = (error.problem or "not YAML").strip().split("\n")[0]
        line = f":{mark.line + 1}" if mark else ""
        marked = text.split("\n")[mark.line : mark.line + 1] if mark else []  # empty at the end of the file
        tab = " Indent with spaces, not tabs." if any("\t" in line for line in marked) else ""
        faults.append(f"{path}{line}: {problem}.{tab}")
    except ValueError as error:  # a date or a number that cannot be
        where = _line_of_fault(text)
        faults.append(f"{path}{where}: a value cannot be read as YAML: {str(error).split(';')[0]}.")
    except ReaderError as error:  # a control character
        number = text.count("\n", 0, error.position) + 1
        faults.append(f"{path}:{number}: character U+{ord(text[error.position]):04X} is not allowed in YAML.")
    return None


def _line_of_fault(text: str) -> str:
    """`:line` of the first line up to which the text has a date or a number that cannot be read."""
    for node in _scalars(text):
        try:
            YAML(typ="safe").load(node.value)
        except ValueError:
            return f":{node.start_mark.line + 1}"
        except YAMLError:
            continue
    return ""


def _scalars(text: str) -> Iterator[Any]:
    """The plain scalars of a text, in their order."""
    for event in YAML(typ="safe").parse(text):
        if isinstance(event, ScalarEvent) and event.implicit[0]:
            yield event


def validate(model: type[Model], data: Any, faults: Faults, under: Keys = ()) -> Model | None:
    """`data` as a model, or None with one fault for each error. `under` is the position of `data` in the file."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        details = error.errors()
        renamed = {
            (*detail["loc"][:-1], new)
            for detail in details
            if (new := _present_name(detail, model)) is not None
        }
        told = [(_real_keys(detail, data), detail["type"] in _OTHER_FORMS) for detail in details]
        for detail in details:
            if detail["type"] == "missing" and detail["loc"] in renamed:
                continue  # present under its former name, which has a fault of its own
            keys = _real_keys(detail, data)
            if detail["type"] in _OTHER_FORMS and any(
                other[: len(keys)] == keys and (other != keys or not form) for other, form in told
            ):
                continue  # the value has another of the forms that are allowed, and a fault in it
            faults.add((*under, *keys), _sentence(detail, model))
        return None


def dotted(keys: Keys) -> str:
    """The keys as one text: `templates[3].inputs`."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).removeprefix(".")


def first_fault(error: ValidationError, model: type[BaseModel], data: Any) -> str:
    """The first fault of `data`, which is no document of a person, as `key: sentence`."""
    detail = error.errors()[0]
    keys = dotted(_real_keys(detail, data))
    return f"{keys}: {_sentence(detail, model)}" if keys else _sentence(detail, model)


def _real_keys(detail: ErrorDetails, data: Any) -> Keys:
    """pydantic's location without the names of union members, which are not in the file."""
    keys: list[str | int] = []
    for key in detail["loc"]:
        known = (isinstance(data, dict) and key in data) or (
            isinstance(data, list) and isinstance(key, int) and key < len(data)
        )
        if known:
            keys.append(key)
            data = data[key]
    return tuple(keys)


def _present_name(detail: ErrorDetails, model: type[BaseModel]) -> str | None:
    """The present name of a key that was renamed, or None for any other error."""
    if detail["type"] != "extra_forbidden":
        return None
    name = RENAMED.get(str(detail["loc"][-1]))
    return name if name in _names(model, detail["loc"][:-1]) else None


def _sentence(detail: ErrorDetails, model: type[BaseModel]) -> str:
    last = str(detail["loc"][-1]) if detail["loc"] else ""
    kind = detail["type"]
    if kind == "missing":
        return (
            f"'{last}' is missing." if not last.isdigit() else f"item {int(last) + 1} of the list is missing."
        )
    if kind == "extra_forbidden":
        if (new := _present_name(detail, model)) is not None:
            return f"no key '{last}' is known here; it is now called '{new}'."
        return f"no key '{last}' is known here.{nearest(last, _names(model, detail['loc'][:-1]))}"
    if kind == "unknown_name":
        return detail["msg"]
    value = repr(detail["input"])
    if kind == "literal_error" and isinstance(detail["input"], str):
        allowed = re.findall("'([^']+)'", detail["ctx"]["expected"])
        return f"no {value} is known here.{nearest(detail['input'], allowed)}"
    reason = detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if kind in _EXPECTED:
        reason = f"expected {_EXPECTED[kind]}"
    elif kind == "model_type":
        reason = f"expected a mapping with keys such as {', '.join(_names(model, detail['loc'])[:4])}"
    elif kind in _TOO:
        reason = f"expected {_TOO[kind]}".format(**detail.get("ctx", {}))
    elif kind == "string_pattern_mismatch":
        reason = "expected letters, digits, '_', '.' and '-', beginning with a letter or a digit"
        if detail["ctx"]["pattern"] != SEGMENT:
            reason = (
                _PATTERNS.get(detail["ctx"]["pattern"])
                or f"expected a match of the pattern {detail['ctx']['pattern']}"
            )
    if not detail["loc"]:  # about the file as a whole
        return f"{reason}."
    return f"{reason} (found {value if len(value) <= 80 else value[:77] + '…'})."


def _names(model: type[BaseModel], loc: tuple[str | int, ...]) -> list[str]:
    """The keys that the model at `loc` has."""
    for key in loc:
        field = model.model_fields.get(str(key))
        inner = _model_in(field.annotation) if field else None
        model = inner or model
    return [name for name in model.model_fields if name not in _DERIVED]


@cache
def _kinds(annotation: Any) -> frozenset[Any]:
    """The classes that an annotation is made of, without those inside models."""
    return frozenset((annotation,)).union(*map(_kinds, get_args(annotation)))


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in getattr(annotation, "__args__", ()):
        if (model := _model_in(part)) is not None:
            return model
    return None


def _line(node: Any, keys: Keys) -> int | None:
    """The line of the value under `keys`, counted from one, or that of the nearest enclosing value."""
    line: int | None = None
    for key in keys:
        try:
            line = node.lc.data[key][0] + 1
            node = node[key]
        except (AttributeError, KeyError, IndexError, TypeError):
            break
    return line


def _text(path: Path) -> str:
    """The text of the file. Raises ValueError for a file that is too large or not UTF-8."""
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"the file has more than {MAX_BYTES:,} bytes.")
    return content.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")


@lru_cache(maxsize=4)
def _excess(text: str) -> str:
    """`line: sentence` where the text is nested too deeply or has too many aliases, otherwise an empty string.

    Only events are read, so that neither a parser's stack nor memory is at risk.
    """
    depth = aliases = anchored = 0
    for event in YAML(typ="safe").parse(text):
        fault = ""
        if isinstance(event, MappingStartEvent | SequenceStartEvent):
            depth += 1
            anchored = anchored or (depth if event.anchor else 0)
            if depth > MAX_DEPTH:
                fault = f"lists and mappings are nested more than {MAX_DEPTH} levels deep."
        elif isinstance(event, MappingEndEvent | SequenceEndEvent):
            anchored = 0 if anchored == depth else anchored
            depth -= 1
        elif isinstance(event, AliasEvent):
            aliases += 1
            if anchored:
                fault = (
                    f"alias *{event.anchor} is inside a value with an anchor of its own; write the value out."
                )
            elif aliases > MAX_ALIASES:
                fault = f"the file has more than {MAX_ALIASES} aliases; write the values out."
        if fault:
            return f"{event.start_mark.line + 1}: {fault}"
    return ""


@lru_cache(maxsize=4)
def _parsed(text: str) -> Any:
    """Data with line numbers. Cached by content, because a file with many faults asks once for each of them."""
    return YAML(typ="rt").load(text)
