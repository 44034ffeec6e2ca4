"""Reading YAML that people write: version 1.2, no unknown keys, every fault named with its file and line.

`read` gives plain data; `validate` turns it into a frozen model; both collect faults instead of stopping at
the first, and `place` points at the line.
"""

import re
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from flanbuild.errors import nearest

Keys = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)


class StrictModel(BaseModel):
    """What a person declares: frozen, and a key we don't know is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class Faults(list[str]):
    """The faults of one file; `add` words and places one."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def add(self, keys: Keys, sentence: str) -> None:
        """A sentence about the value under `keys`."""
        line = _line(self.path, keys)
        fault = ": ".join(
            filter(None, (f"{self.path}:{line}" if line else str(self.path), dotted(keys), sentence))
        )
        if fault not in self:  # the subsets of a page share their faults
            self.append(fault)


def read(path: Path, faults: Faults) -> Any:
    """The plain data of a YAML file, or None with a fault for what YAML itself forbids."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        faults.add((), f"byte {error.start} is not UTF-8.")
        return None
    try:
        return YAML(typ="safe").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = (error.problem or "not YAML").strip().split("\n")[0]
        line = f":{mark.line + 1}" if mark else ""
        tab = " Indent with blanks, not tabs." if mark and "\t" in text.splitlines()[mark.line] else ""
        faults.append(f"{path}{line}: {problem}.{tab}")
        return None


def validate(model: type[Model], data: Any, faults: Faults, under: Keys = ()) -> Model | None:
    """`data` as a model, or None with one fault for each thing wrong. `under`: keys that lead to `data`."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        for detail in error.errors():
            faults.add((*under, *_real_keys(detail, data)), _sentence(detail, model))
        return None


def dotted(keys: Keys) -> str:
    """`templates[3].inputs`."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).removeprefix(".")


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


def _sentence(detail: ErrorDetails, model: type[BaseModel]) -> str:
    last = str(detail["loc"][-1]) if detail["loc"] else ""
    if detail["type"] == "missing":
        return f"'{last}' is missing."
    if detail["type"] == "extra_forbidden":
        return f"no key '{last}' is known here.{nearest(last, _names(model, detail['loc'][:-1]))}"
    found = repr(detail["input"])
    if detail["type"] == "literal_error" and isinstance(detail["input"], str):
        allowed = re.findall("'([^']+)'", detail["ctx"]["expected"])
        return f"no {found} is known here.{nearest(detail['input'], allowed)}"
    reason = detail["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if not detail["loc"]:  # of the file as a whole
        return f"{reason}."
    return f"{reason} (found {found if len(found) <= 80 else found[:77] + '…'})."


def _names(model: type[BaseModel], loc: tuple[str | int, ...]) -> list[str]:
    """The keys that the model at `loc` knows."""
    for key in loc:
        field = model.model_fields.get(str(key))
        inner = _model_in(field.annotation) if field else None
        model = inner or model
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in getattr(annotation, "__args__", ()):
        if found := _model_in(part):
            return found
    return None


def _line(path: Path, keys: Keys) -> int | None:
    """The line of the value under `keys`, counted from one; the nearest enclosing one if it has none."""
    try:
        node = YAML(typ="rt").load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, MarkedYAMLError):
        return None
    line: int | None = None
    for key in keys:
        try:
            line = node.lc.data[key][0] + 1
            node = node[key]
        except (AttributeError, KeyError, IndexError, TypeError):
            break
    return line
