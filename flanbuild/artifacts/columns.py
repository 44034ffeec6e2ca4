"""The upstream columns that a task file declares, as an Arrow schema, and the check of a table against them."""

import json
from collections.abc import Callable, Sequence
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
    """The declared columns in their order. A class_label is an int64, as in the hub's files."""
    return pa.schema([(name, _arrow_type(kind)) for name, kind in task.columns.items()])


def hub_schema(task: Task) -> pa.Schema:
    """`arrow_schema` with the metadata that the `datasets` library writes: the features with their class names."""
    features = {name: _feature(kind, task.labels) for name, kind in task.columns.items()}
    return arrow_schema(task).with_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def check_schema(task: Task, actual: pa.Schema, source: str) -> None:
    """Raises SourceError if a declared column is missing, has another kind of type, or other class names.

    Widths may differ (a large_string for a string, an int64 for an int32): `conform` casts them.
    `source` names the split and its origin in the message.
    """
    for field in arrow_schema(task):
        index = actual.get_field_index(field.name)
        if index < 0:
            hint = nearest(field.name, actual.names)
            raise SourceError(
                f"{task.path}: columns.{field.name}: {source} has no column '{field.name}'.{hint}"
            )
        actual_type = actual.field(index).type
        if not _castable(actual_type, field.type):
            raise SourceError(
                f"{task.path}: columns.{field.name}: expected {_show(field.type)}, "
                f"but {source} has {_show(actual_type)}."
            )
    _check_classes(task, actual, source)


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The columns of `schema` alone, in its order and types. Raises ArrowInvalid if a value does not fit its type."""
    return table.select(schema.names).replace_schema_metadata(None).cast(schema)


def class_names(schema: pa.Schema, column: str) -> list[str] | None:
    """The class names of a label column in the metadata of the `datasets` library, or None without them."""
    metadata = schema.metadata or {}
    if b"huggingface" not in metadata:
        return None
    features = json.loads(metadata[b"huggingface"]).get("info", {}).get("features") or {}
    feature = features.get(column) or {}
    return feature.get("names") if feature.get("_type") == "ClassLabel" else None


def _check_classes(task: Task, actual: pa.Schema, source: str) -> None:
    column = task.label_column
    names = class_names(actual, column) if column else None
    if names is not None and names != list(task.labels):
        raise SourceError(
            f"{task.path}: labels: expected {list(task.labels)}, but {source} column '{column}' has {names}."
        )


def _arrow_type(kind: Any) -> pa.DataType:
    if isinstance(kind, dict):
        return pa.struct([(name, _arrow_type(inner)) for name, inner in kind.items()])
    if isinstance(kind, list):
        return pa.list_(_arrow_type(kind[0]))
    return _SCALARS[kind]


def _feature(kind: Any, labels: Sequence[str]) -> Any:
    """A declared type as the `datasets` library describes it in JSON."""
    if isinstance(kind, dict):
        return {name: _feature(inner, labels) for name, inner in kind.items()}
    if isinstance(kind, list):
        return {"feature": _feature(kind[0], labels), "_type": "List"}
    if kind == CLASS_LABEL:
        return {"names": list(labels), "_type": "ClassLabel"}
    return {"dtype": kind, "_type": "Value"}


def _castable(actual: pa.DataType, declared: pa.DataType) -> bool:
    """Whether the types are of one kind, whatever their width. A column of nulls has every type."""
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
