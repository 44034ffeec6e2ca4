"""A dataset's columns, said once: the Arrow type of each and the JSON in which the hub's `datasets` names it.

>>> schema({"text": "string", "label": Label(("neg", "pos"))}).field("label").type
DataType(int64)
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Label:
    """Class names in id order; the column holds int64 ids, -1 where there is no label."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Items:
    """A list; `length` fixes how many."""

    of: "Feature"
    length: int | None = None


@dataclass(frozen=True, slots=True)
class Translation:
    """A sentence in each of the languages, which stand in alphabetical order."""

    languages: tuple[str, ...]


Feature = str | Label | Items | Translation | Mapping[str, "Feature"]

_TYPES = {
    "string": pa.string(),
    "bool": pa.bool_(),
    "int32": pa.int32(),
    "float32": pa.float32(),
}


def schema(features: Mapping[str, Feature]) -> pa.Schema:
    """The Arrow schema with the `huggingface` metadata that the hub's files carry."""
    described = {"info": {"features": {name: _json(feature) for name, feature in features.items()}}}
    fields = [pa.field(name, _arrow(feature)) for name, feature in features.items()]
    return pa.schema(fields, metadata={"huggingface": json.dumps(described)})


def _arrow(feature: Feature) -> pa.DataType:
    match feature:
        case str():
            return _TYPES[feature]
        case Label():
            return pa.int64()
        case Items(of, length):
            return pa.list_(_arrow(of), -1 if length is None else length)
        case Translation(languages):
            return pa.struct([(language, pa.string()) for language in languages])
        case _:
            return pa.struct([(name, _arrow(inner)) for name, inner in feature.items()])


def _json(feature: Feature) -> dict[str, Any]:
    match feature:
        case str():
            return {"dtype": feature, "_type": "Value"}
        case Label(names):
            return {"names": list(names), "_type": "ClassLabel"}
        case Items(of, None):
            return {"feature": _json(of), "_type": "List"}
        case Items(of, length):
            return {"feature": _json(of), "length": length, "_type": "List"}
        case Translation(languages):
            return {"languages": list(languages), "_type": "Translation"}
        case _:
            return {name: _json(inner) for name, inner in feature.items()}
