"""Values from files without types, as values of the declared types. A conversion that changes a value is a fault.

The rules, at any depth:

* a string is a string: a number is not;
* a number is a number, or text that spells one with the digits 0 to 9 (`-3`, `2.5e-3`; not `1_000`). It becomes an
  integer only if it is whole and in the type's range, and a float only if the type can hold its size;
* a boolean is true or false, or text that says so (`true`, `false`, `1`, `0`);
* empty text under a number, a boolean, a list or a struct is null;
* a list is a list; an object where a list of {key, value} is declared is the list of its items in their order;
* a struct is an object; a member that it lacks is null.
"""

import json
import math
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa

from flanbuild.errors import nearest

_WHOLE = re.compile(r"[+-]?[0-9]+(\.0*)?")
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_NOT_ZERO = re.compile(r"[^eE]*[1-9]")
"""A digit other than zero before the exponent."""
_NOT_FINITE = {"nan", "inf", "+inf", "-inf", "infinity", "-infinity"}
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}
_YES, _NO = {"true", "yes"}, {"false", "no"}
UNCLEAR = "the number -1 means unlabelled, but a class is called '-1'; write the labels as text or as words"
_EXACT = 2**53
"""Up to here a 64-bit float holds every whole number."""


class Misfit(ValueError):  # noqa: N818  its base class names it an error
    """A value that does not fit its type. `index` is its row, `member` its place within the column's value."""

    def __init__(self, index: int, member: str, sentence: str) -> None:
        super().__init__(sentence)
        self.index = index
        self.member = member
        self.sentence = sentence


class _Wrong(Exception):  # noqa: N818
    def __init__(self, sentence: str, member: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.member = member


def to_array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """The values as an array of the declared type. Raises Misfit for the first that does not fit."""
    if _is_plain(values, kind):
        try:
            return pa.array(values, kind)
        except (UnicodeEncodeError, pa.ArrowException, OverflowError):
            pass  # the first value at fault is found below
    fit = _fitter(kind)
    fitted = []
    for index, value in enumerate(values):
        try:
            fitted.append(None if value is None else fit(value))
        except _Wrong as wrong:
            raise Misfit(index, wrong.member, wrong.sentence) from None
    return _built(fitted, kind)


def to_labels(values: Sequence[Any], names: Sequence[str]) -> list[int | None]:
    """Class ids for values that are ids, class names, booleans or whole floats. Null and -1 mean unlabelled.

    Text that spells a number is a class name before it is an id: with the classes 1 and 2, "1" and "1.0" are the first
    class. Raises Misfit for a word that names no class, and for ids outside 0 to n - 1, with the values that were found.
    """
    known = {name: index for index, name in enumerate(names)}
    ids: list[int | None] = []
    for index, value in enumerate(values):
        try:
            ids.append(_label(value, names, known))
        except _Wrong as wrong:
            raise Misfit(index, "", wrong.sentence) from None
    outside = [i for i, number in enumerate(ids) if number is not None and not -1 <= number < len(names)]
    if outside:
        raise Misfit(outside[0], "", out_of_range({ids[i] or 0 for i in outside}, names))
    return ids


def out_of_range(found: set[int], names: Sequence[str]) -> str:
    """The sentence about class ids outside their range."""
    shown = ", ".join(map(str, sorted(found)[:5])) + (", …" if len(found) > 5 else "")
    classes = ", ".join(names[:6]) + (", …" if len(names) > 6 else "")
    return (
        f"found class {shown}, expected 0 to {len(names) - 1} ({classes}), or null or -1 where unlabelled; "
        "do the labels count from 1?"
    )


def show(value: Any) -> str:
    """A value as JSON, at most 60 characters of it."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):
        text = type(value).__name__
    return shorten(text)


def shorten(text: str) -> str:
    """At most 60 characters of a text, without surrogates."""
    text = text.encode(errors="backslashreplace").decode()
    return text if len(text) <= 60 else text[:59] + "…"


def sentence(text: str) -> str:
    """The text with a full stop, unless it ends in a mark of its own."""
    return text if text.endswith((".", "?")) else f"{text}."


def _is_plain(values: Iterable[Any], kind: pa.DataType) -> bool:
    """Whether all values have the Python type of their declared type, so that Arrow converts them as they are."""
    types = set(map(type, values)) - {type(None)}
    if pa.types.is_list(kind):
        inside = chain.from_iterable(value for value in values if value)
        return types <= {list} and _is_plain(list(inside), kind.value_type)
    if pa.types.is_struct(kind):
        rows = [value for value in values if value is not None]
        members = [kind.field(i) for i in range(kind.num_fields)]
        return types <= {dict} and all(_is_plain([r.get(m.name) for r in rows], m.type) for m in members)
    if pa.types.is_integer(kind):
        return types <= {int}
    if pa.types.is_floating(kind):
        return types <= {float} and kind.bit_width == 64
    return types <= ({bool} if pa.types.is_boolean(kind) else {str})


def _built(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    try:
        return pa.array(values, kind)
    except (UnicodeEncodeError, pa.ArrowException, OverflowError):
        for index, value in enumerate(values):
            try:
                pa.array([value], kind)
            except UnicodeEncodeError:
                raise Misfit(index, "", f"a lone surrogate in {show(value)} is not text") from None
            except (pa.ArrowException, OverflowError):
                raise Misfit(index, "", f"expected {kind}, found {show(value)}") from None
        raise


def _label(value: Any, names: Sequence[str], known: Mapping[str, int]) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return _label_of_bool(value, names)
    if isinstance(value, int):
        return _label_of_number(value, known)
    if isinstance(value, str):
        return _label_of_text(value, names, known)
    if isinstance(value, float) and math.isnan(value):
        return None
    try:
        if int(value) == value:
            return _label_of_number(int(value), known)
    except (TypeError, ValueError, OverflowError):
        pass
    raise _Wrong(f"expected a class, found {show(value)}")


def _label_of_text(text: str, names: Sequence[str], known: Mapping[str, int]) -> int | None:
    if text in known:
        return known[text]
    word = text.strip()
    if not word:
        return None
    if word in known:
        return known[word]
    if _WHOLE.fullmatch(word):
        return _label_of_digits(_whole(word), names, known)
    if word.lower() in ("true", "false"):
        return _label_of_bool(word.lower() == "true", names)
    normal = unicodedata.normalize("NFC", word)
    same = [i for i, name in enumerate(names) if unicodedata.normalize("NFC", name) == normal]
    if len(same) == 1:
        return same[0]
    raise _Wrong(f"no class '{shorten(text)}'.{nearest(word, names)}")


def _label_of_number(number: int, known: Mapping[str, int]) -> int:
    """The number as an id, unless it is -1 where a class has that name."""
    if number == -1 and "-1" in known:
        raise _Wrong(UNCLEAR)
    return number


def _label_of_digits(number: int, names: Sequence[str], known: Mapping[str, int]) -> int:
    """The class that has the number as its name; an id only if no class name is a number other than its own id."""
    if str(number) in known:
        return known[str(number)]
    if any(_WHOLE.fullmatch(name) and name != str(index) for index, name in enumerate(names)):
        raise _Wrong(f"no class '{number}'.{nearest(str(number), names)}")
    return number


def _label_of_bool(value: bool, names: Sequence[str]) -> int:
    """The class that means true or false (true, yes; false, no); without such classes, 1 or 0."""
    words = [name.casefold() for name in names]
    wanted = [i for i, word in enumerate(words) if word in (_YES if value else _NO)]
    if len(wanted) == 1:
        return wanted[0]
    if len(names) != 2 or any(word in _YES | _NO for word in words):
        raise _Wrong(f"found {show(value)}, and no class is called so.{nearest(show(value), names)}")
    return int(value)


def _fitter(kind: pa.DataType) -> Callable[[Any], Any]:
    """A function that returns a value for the type, or raises _Wrong."""
    if pa.types.is_integer(kind):
        bits = kind.bit_width
        low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
        return lambda value: _integer(value, kind, low, high)
    if pa.types.is_floating(kind):
        limits = np.finfo(f"float{kind.bit_width}")
        largest, smallest = float(limits.max), float(limits.smallest_subnormal) / 2
        return lambda value: _float(value, kind, largest, smallest)
    if pa.types.is_boolean(kind):
        return _boolean
    if pa.types.is_list(kind):
        return _list_fitter(kind)
    if pa.types.is_struct(kind):
        return _struct_fitter(kind)
    return _string


def _string(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise _Wrong(f"expected string, found {show(value)}")


def _whole(text: str) -> int:
    digits = text.partition(".")[0]
    if len(digits) > 40:
        raise _Wrong(f"found a number of {len(digits)} digits")
    return int(digits)


def _integer(value: Any, kind: pa.DataType, low: int, high: int) -> int | None:
    if isinstance(value, str):
        text = value.strip()
        if not text:
            return None
        number = _whole(text) if _WHOLE.fullmatch(text) else None
    elif isinstance(value, float):
        number = int(value) if value.is_integer() and abs(value) <= _EXACT else None
    else:
        number = value if isinstance(value, int) and not isinstance(value, bool) else None
    if number is None:
        raise _Wrong(f"expected {kind}, found {show(value)}")
    if not low <= number <= high:
        raise _Wrong(f"expected {kind}, found {show(value)}, which is not between {low} and {high}")
    return number


def _exact(value: Any) -> int | None:
    """The whole number that an integer, or text of digits, stands for."""
    if isinstance(value, str):
        text = value.strip()
        return _whole(text) if _WHOLE.fullmatch(text) and len(text) <= 40 else None
    return value if isinstance(value, int) else None


def _float(value: Any, kind: pa.DataType, largest: float, smallest: float) -> float | None:
    if isinstance(value, str):
        text = value.strip()
        if not text:
            return None
        if text.lower() in _NOT_FINITE:
            return float(text)
        number = float(text) if _DECIMAL.fullmatch(text) else None
    elif isinstance(value, bool) or not isinstance(value, int | float):
        number = None
    else:
        if isinstance(value, float) and not math.isfinite(value):
            return value  # NaN and Infinity as JSON spells them
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
    exact = _exact(value)
    if number is None or (exact is not None and abs(number) <= largest and int(number) != exact):
        raise _Wrong(f"expected {kind}, found {show(value)}")
    if abs(number) > largest:
        raise _Wrong(f"expected {kind}, found {show(value)}, which is too large for it")
    if 0 < abs(number) < smallest or (
        number == 0 and isinstance(value, str) and _NOT_ZERO.match(value.strip())
    ):
        raise _Wrong(f"expected {kind}, found {show(value)}, which is too small for it")
    return number


def _boolean(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        word = value.strip().lower()
        if not word:
            return None
        if word in _BOOLEANS:
            return _BOOLEANS[word]
    raise _Wrong(f"expected bool, found {show(value)}")


def _list_fitter(kind: pa.DataType) -> Callable[[Any], Any]:
    fit = _fitter(kind.value_type)
    inner = kind.value_type
    pairs = pa.types.is_struct(inner) and {inner.field(i).name for i in range(inner.num_fields)} == {
        "key",
        "value",
    }

    def fitted(value: Any) -> Any:
        if isinstance(value, str) and not value.strip():
            return None
        if pairs and isinstance(value, Mapping):
            value = [{"key": key, "value": item} for key, item in value.items()]
        if not isinstance(value, list):
            raise _Wrong(f"expected a list of {_show_type(inner)}, found {show(value)}")
        return [_inside(fit, item, f"[{i}]") for i, item in enumerate(value)]

    return fitted


def _struct_fitter(kind: pa.DataType) -> Callable[[Any], Any]:
    members = {kind.field(i).name: _fitter(kind.field(i).type) for i in range(kind.num_fields)}

    def fitted(value: Any) -> Any:
        if isinstance(value, str) and not value.strip():
            return None
        if not isinstance(value, Mapping):
            raise _Wrong(f"expected an object with {', '.join(members)}, found {show(value)}")
        return {name: _inside(fit, value.get(name), f".{name}") for name, fit in members.items()}

    return fitted


def _inside(fit: Callable[[Any], Any], value: Any, member: str) -> Any:
    if value is None:
        return None
    try:
        return fit(value)
    except _Wrong as wrong:
        raise _Wrong(wrong.sentence, member + wrong.member) from None


def _show_type(kind: pa.DataType) -> str:
    return str(kind).replace("element: ", "").replace("item: ", "")
