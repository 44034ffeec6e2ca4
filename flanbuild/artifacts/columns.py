"""The upstream columns that a page relies on, as Arrow types, and whether a table has them."""

import json
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from flanbuild.declare.task import CLASS_LABEL, Task
from flanbuild.errors import SourceError, nearest

_SCALARS = {
    "string": pa.string(),
    "int8": pa.int8(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    CLASS_LABEL: pa.int64(),
}


def arrow_schema(task: Task) -> pa.Schema:
    """The declared columns in their order; a class_label is the int64 that the hub's files hold."""
    return pa.schema([(name, _arrow_type(kind)) for name, kind in task.columns.items()])


def check_schema(task: Task, found: pa.Schema, place: str) -> None:
    """Raises SourceError when a declared column is missing, has another kind of type, or other classes.

    Widths may differ (a string may be a large_string, an int32 an int64): `conform` casts them.
    `place` names the split and where it came from.
    """
    for field in arrow_schema(task):
        index = found.get_field_index(field.name)
        if index < 0:
            hint = nearest(field.name, found.names)
            raise SourceError(
                f"{task.path}: columns.{field.name}: {place} has no column '{field.name}'.{hint}"
            )
        actual = found.field(index).type
        if not _castable(actual, field.type):
            raise SourceError(
                f"{task.path}: columns.{field.name}: expected {_show(field.type)}, but {place} has {_show(actual)}."
            )
    _check_classes(task, found, place)


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Only the columns of `schema`, in its order and types. Raises ArrowInvalid where a value would not fit."""
    return table.select(schema.names).replace_schema_metadata(None).cast(schema)


def class_names(found: pa.Schema, column: str) -> list[str] | None:
    """The class names that the `datasets` library wrote beside a label column, if it did."""
    metadata = found.metadata or {}
    if b"huggingface" not in metadata:
        return None
    features = json.loads(metadata[b"huggingface"]).get("info", {}).get("features") or {}
    feature = features.get(column) or {}
    return feature.get("names") if feature.get("_type") == "ClassLabel" else None


def _check_classes(task: Task, found: pa.Schema, place: str) -> None:
    column = task.label_column
    names = class_names(found, column) if column else None
    if names is not None and names != list(task.labels):
        raise SourceError(
            f"{task.path}: labels: expected {list(task.labels)}, but {place} says that column '{column}' has {names}."
        )


def _arrow_type(kind: Any) -> pa.DataType:
    if isinstance(kind, dict):
        return pa.struct([(name, _arrow_type(inner)) for name, inner in kind.items()])
    if isinstance(kind, list):
        return pa.list_(_arrow_type(kind[0]))
    return _SCALARS[kind]


def _castable(actual: pa.DataType, declared: pa.DataType) -> bool:
    """The same kind of type, whatever its width. A column of nulls alone is of any type."""
    if pa.types.is_null(actual):
        return True
    if pa.types.is_struct(declared):
        if not pa.types.is_struct(actual):
            return False
        names = {actual.field(i).name: actual.field(i).type for i in range(actual.num_fields)}
        return all(
            declared.field(i).name in names
            and _castable(names[declared.field(i).name], declared.field(i).type)
            for i in range(declared.num_fields)
        )
    if pa.types.is_list(declared):
        is_list = (
            pa.types.is_list(actual) or pa.types.is_large_list(actual) or pa.types.is_fixed_size_list(actual)
        )
        return bool(is_list) and _castable(actual.value_type, declared.value_type)
    kinds: tuple[Callable[[pa.DataType], bool], ...] = (
        _is_string,
        pa.types.is_integer,
        pa.types.is_floating,
        pa.types.is_boolean,
    )
    return any(kind(actual) and kind(declared) for kind in kinds)


def _is_string(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _show(kind: pa.DataType) -> str:
    return str(kind).replace("element: ", "").replace("item: ", "")
